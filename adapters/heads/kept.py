"""What a signer keeps of a log outside its database: the last head it signed, and that head's tree.

Whoever can rewrite the database cannot rewrite this. The next head is made from the kept frontier
and the leaves since, never from what the database says of itself.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from adapters.keys.files import held, replace
from adapters.proofs.merkle import Frontier
from adapters.proofs.notes import Checkpoint, Note, NoteRefused, NoteUnreadable, VerifierKey


class KeptHeadDamaged(Exception):
    """A kept head is damaged, or of another log or key. Restore its file, or begin anew without it
    and say why: heads that were taken outside still hold the log to what it was."""


@dataclass(frozen=True, slots=True)
class KeptHead:
    """A signed head and the frontier of its tree, which the next one is made from."""

    note: Note
    frontier: Frontier

    @property
    def checkpoint(self) -> Checkpoint:
        """The head that the note tells."""
        return Checkpoint.of(self.note.text)


class _Stored(msgspec.Struct):
    note: str
    frontier: list[bytes]


class HeadFile:
    """The kept head of one log, in a file that is replaced as a whole and durably."""

    def __init__(self, path: Path, key: VerifierKey) -> None:
        """`key` is the one that the head must be signed with; its name is the log's origin."""
        self._path = path
        self._key = key

    def beside(self, name: str) -> "HeadFile":
        """Another file of the same log in the same folder."""
        return HeadFile(self._path.with_name(f"{self._path.stem}.{name}.json"), self._key)

    def held(self) -> AbstractContextManager[bool]:
        """Whether this process alone has the file, for as long as the context is open."""
        return held(self._path.with_suffix(".lock"))

    def load(self) -> KeptHead | None:
        """The kept head; None where none was ever kept. Raises KeptHeadDamaged."""
        try:
            stored = msgspec.json.decode(self._path.read_bytes(), type=_Stored)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeError):
            raise KeptHeadDamaged(self._path.name) from None
        try:
            note = Note.of(stored.note)
            note.check([self._key])
            checkpoint = Checkpoint.of(note.text)
        except (NoteUnreadable, NoteRefused):
            raise KeptHeadDamaged(self._path.name) from None
        frontier = Frontier()
        frontier.size, frontier.nodes = checkpoint.size, stored.frontier
        whole = len(stored.frontier) == checkpoint.size.bit_count()
        if checkpoint.origin != self._key.name or not whole or frontier.root() != checkpoint.root:
            raise KeptHeadDamaged(self._path.name)
        return KeptHead(note, frontier)

    def keep(self, head: KeptHead) -> None:
        """Put the head in the place of the one before; it is on the disk on return."""
        stored = _Stored(str(head.note), head.frontier.nodes)
        replace(self._path, msgspec.json.encode(stored))
