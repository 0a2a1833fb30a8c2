"""The manifest of a backup: when, by which release, and how far each log was then."""

from pathlib import Path
from typing import Final

import msgspec

NAME: Final = "manifest.json"


class BackupDamaged(Exception):
    """This folder is no whole backup. Choose another one; one that was interrupted has none."""


class Root(msgspec.Struct, frozen=True):
    """A log as it was when the backup began: position and hexadecimal RFC 6962 root."""

    position: int
    root: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself; it is written last."""

    made: str
    release: str
    logs: dict[str, Root]
    keys: str | None = None
    """The name of the copy of the key store that was made with it; it lies elsewhere."""

    def write(self, folder: Path) -> None:
        """Write it."""
        (folder / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(self)))

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Raises BackupDamaged."""
        try:
            return msgspec.json.decode((folder / NAME).read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError):
            raise BackupDamaged(folder.name) from None
