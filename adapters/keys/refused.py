"""Why the key tree says no: one class per reason, each saying what to do about it.

Messages carry opaque key ids and file names only, never key material or facts about a person.
"""


class KeyRefused(Exception):
    """The key tree refused. Read the subclass: its first sentence is the message."""

    def __init__(self, subject: str = "") -> None:
        """`subject` is the opaque key id or the file name that the refusal is about."""
        super().__init__(subject)
        self.subject = subject

    def __str__(self) -> str:
        """First line of the class's docstring, then the subject."""
        sentence = (type(self).__doc__ or type(self).__name__).partition("\n")[0]
        return f"{sentence} [{self.subject}]" if self.subject else sentence


class RootKeyMissing(KeyRefused):
    """The root key file does not exist.

    Restore it from its escrow copy. Do not create a new one: no existing key opens under it.
    """


class RootKeyExposed(KeyRefused):
    """The root key file is open to other users of this machine.

    It must belong to the user who runs the server and have mode 0600. Fix both, and treat the
    key as known to whoever could read it: make a new root and wrap the tenant keys again.
    """


class RootKeyMalformed(KeyRefused):
    """The root key file is not a regular file of exactly 32 bytes.

    Restore it from its escrow copy; a truncated or extended file is never used.
    """


class KeysAway(KeyRefused):
    """Keys cannot be had at this moment; it says nothing of any of them. Try again in a while.

    Never raised itself.
    """


class RootUnavailable(KeysAway):
    """The root key could not be asked; nothing was wrapped or opened.

    Look whether the key management service answers and what it says of our credentials.
    """


class KeyStoreUnavailable(KeysAway):
    """The key store could not be read or written; nothing was handed out.

    Check the disk space and the owner of its file, then repeat the request.
    """


class KeyStoreInTheLog(KeyRefused):
    """The key store is on the event log's server: one backup of it would undo every erasure.

    Give it a PostgreSQL of its own, and back that up apart.
    """


class KeyStoreOccupied(KeyRefused):
    """The store has other keys in the places of these: something used it before they came.

    Keep the file. Give the store an empty database, `anamnesis migrate`, and move in before
    anything else runs with it.
    """


class KeyDestructionIncomplete(KeyRefused):
    """The key is destroyed, but its wrapped bytes may still be in the store's write-ahead log.

    Another process held a read open. Repeat the destruction; it is idempotent.
    """


class _OneKey(KeyRefused):
    """A refusal about one key. Never raised itself."""

    @property
    def key_id(self) -> str:
        """The opaque id of the key, canonical UUID text."""
        return self.subject


class KeyUnsigned(_OneKey):
    """Somebody made this key below the one that is destroyed. Ask once more what is below it."""


class KeyMissing(_OneKey):
    """No such key in this tenant.

    If no erasure event names the key, the key store lost it or belongs to another installation:
    restore the key store's backup, and let `verify` report what remains unreadable.
    """


class KeyDestroyed(_OneKey):
    """This key was destroyed by an erasure; what it sealed is gone for good.

    Show the body as erased. To file new facts after an erasure, open a new epoch on purpose.
    """


class WrappedKeyTampered(_OneKey):
    """The wrapped key in the key store does not belong to its row.

    The row was altered or swapped, or the root key file is that of another installation. Compare
    the root key file with its escrow copy, then restore the key store's backup.
    """


class KeyCommitmentMismatch(_OneKey):
    """This body was sealed with another key than the one named.

    The key id or the body was changed after sealing. Treat it as tampering: run `verify`.
    """


class BodyTampered(_OneKey):
    """This body, or what it is bound to, was changed after it was sealed.

    Treat it as tampering: run `verify`, and restore the original from a backup.
    """
