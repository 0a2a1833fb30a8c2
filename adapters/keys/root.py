"""The root key: 32 random bytes in a file that only the server's user can read.

It wraps tenant keys and nothing else. Keep an escrow copy apart from every other backup: without
the root no tenant key opens, and a backup that holds both root and key store undoes every erasure.
"""

import os
import stat
import tempfile
from pathlib import Path
from typing import Self

from adapters.keys.files import publish
from adapters.keys.refused import (
    KeyCommitmentMismatch,
    RootKeyExposed,
    RootKeyMalformed,
    RootKeyMissing,
)
from adapters.keys.seal import KEY_BYTES, VERSION, DataKey, bound


class RootKey:
    """Wraps and unwraps tenant keys: one root, from a file. See Root."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes) -> None:
        """`secret` is 32 random bytes. Raises ValueError for any other length."""
        self._key = DataKey("root", secret)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The root key in `path`.

        Raises RootKeyMissing, RootKeyExposed (any group or other bit, or another owner) and
        RootKeyMalformed (not a regular file of 32 bytes).
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise RootKeyMissing(path.name) from None
        try:
            _check(os.fstat(descriptor), path.name)
            secret = os.read(descriptor, KEY_BYTES)
        finally:
            os.close(descriptor)
        return cls(secret)

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """The root key in `path`, durably created first when the file is absent.

        Of two processes that create at once, one wins and both load the winner's key. Raises as
        `load` does. Only for installations without keys: a lost root is restored, not created.
        """
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(path)
        return cls.load(path)

    async def wrap(self, tenant: str, version: int, secret: bytes) -> bytes:
        """The tenant key sealed for this tenant and this version of its key."""
        return self._key.seal(secret, bound("tenant key", tenant, str(version)))

    async def unwrap(self, tenant: str, version: int, wrapped: bytes) -> bytes:
        """The tenant key. Raises KeyCommitmentMismatch (other root) and BodyTampered."""
        if not wrapped.startswith(VERSION):
            raise KeyCommitmentMismatch("root")
        return self._key.open(wrapped, bound("tenant key", tenant, str(version)))


def _check(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode) or status.st_size != KEY_BYTES:
        raise RootKeyMalformed(name)
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or status.st_uid != os.geteuid():
        raise RootKeyExposed(name)


def _create(path: Path) -> None:
    # O_CREAT | O_EXCL with mode 0600, under a name of its own.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.urandom(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    publish(Path(draft), path)
