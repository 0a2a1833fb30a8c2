"""Writes the tiles of a growing log as static files, with memory that does not grow with the log.

Source: C2SP tlog-tiles. Below the prefix lie `checkpoint`, `tile/<level>/<number>` and
`tile/entries/<number>`: the hashes of each level, and the entries that hash to level 0, 256 to a
file. Files can be made again from the log at any time; whoever serves them serves static files.
"""

import struct
from collections.abc import Iterable
from pathlib import Path

from adapters.keys.files import replace
from adapters.proofs.merkle import Frontier
from adapters.proofs.notes import Checkpoint, Note, NoteRefused, NoteUnreadable, VerifierKey
from adapters.proofs.paths import root_between
from adapters.proofs.tiles import HASH_BYTES, WIDTH, Tile, Tiled, TileUnreadable, entries_path

CHECKPOINT = "checkpoint"
_LENGTH = struct.Struct(">H")


class TilesStale(Exception):
    """The tiles in the folder are damaged or not of this log. Remove the folder and write anew."""


class TileFolder:
    """A folder of tiles of one log."""

    def __init__(self, folder: Path, key: VerifierKey) -> None:
        """`key` is the log's; its name is the log's origin."""
        self._folder = folder
        self._key = key

    @property
    def size(self) -> int:
        """How many events the checkpoint in the folder has; 0 where there is none.

        Raises TilesStale for a checkpoint of another log, or of nobody.
        """
        try:
            note = Note.of((self._folder / CHECKPOINT).read_text("utf-8"))
            note.check([self._key])
            return Checkpoint.of(note.text).size
        except FileNotFoundError:
            return 0
        except (NoteUnreadable, NoteRefused, UnicodeError):
            raise TilesStale(CHECKPOINT) from None

    def begin(self) -> "TileWriter":
        """A writer that goes on from the checkpoint. Raises TilesStale."""
        return TileWriter(self._folder, self.size)

    def finish(self, writer: "TileWriter", head: Note) -> None:
        """Put the head in the place of the checkpoint before, once the tiles are what it says.

        Raises TilesStale where they are not; the checkpoint before stays.
        """
        writer.close()
        told = Checkpoint.of(head.text)
        tree = Tiled(told.size, lambda path: (self._folder / path).read_bytes())
        try:
            whole = told.size == 0 or root_between(tree, 0, told.size) == told.root
        except (OSError, TileUnreadable):
            whole = False
        if writer.size != told.size or not whole:
            raise TilesStale(f"{writer.size} of {told.size}")
        self._folder.mkdir(parents=True, exist_ok=True)
        # Like the tiles, for whoever serves them.
        replace(self._folder / CHECKPOINT, str(head).encode(), mode=0o644)


class TileWriter:
    """Takes leaves in order with the entries that hash to them."""

    def __init__(self, folder: Path, size: int) -> None:
        """Go on after `size` leaves, whose partial tiles are in the folder. Raises TilesStale."""
        self.size = size
        self._folder = folder
        self._levels: list[list[bytes]] = []
        self._counts: list[int] = []
        self._entries: list[bytes] = []
        level = 0
        while size >> (8 * level):
            count = size >> (8 * level)
            self._levels.append(self._partial(level, count))
            self._counts.append(count)
            level += 1
        if size % WIDTH:
            self._entries = self._partial_entries(size)

    def add(self, leaves: Iterable[tuple[bytes, bytes]]) -> None:
        """The next leaf hashes, each with its entry."""
        for leaf, entry in leaves:
            self._entries.append(entry)
            self.size += 1
            if len(self._entries) == WIDTH:
                self._write_entries()
                self._entries.clear()
            self._put(0, leaf)

    def close(self) -> None:
        """Write what fills no tile yet."""
        for level, hashes in enumerate(self._levels):
            if hashes:
                number = self._counts[level] // WIDTH
                self._write(Tile(level, number, len(hashes)).path, b"".join(hashes))
        if self._entries:
            self._write_entries()

    def _put(self, level: int, hashed: bytes) -> None:
        if level == len(self._levels):
            self._levels.append([])
            self._counts.append(0)
        hashes = self._levels[level]
        hashes.append(hashed)
        self._counts[level] += 1
        if len(hashes) == WIDTH:
            number = self._counts[level] // WIDTH - 1
            self._write(Tile(level, number).path, b"".join(hashes))
            self._put(level + 1, Frontier.of(hashes).root())
            hashes.clear()

    def _write_entries(self) -> None:
        width = len(self._entries)
        number = (self.size - 1) // WIDTH
        bundle = b"".join(_LENGTH.pack(len(entry)) + entry for entry in self._entries)
        self._write(entries_path(number, width), bundle)

    def _write(self, path: str, content: bytes) -> None:
        place = self._folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".{place.name}.draft")
        draft.write_bytes(content)
        draft.replace(place)

    def _partial(self, level: int, count: int) -> list[bytes]:
        width = count % WIDTH
        if not width:
            return []
        content = self._read(Tile(level, count // WIDTH, width).path)
        if len(content) != width * HASH_BYTES:
            raise TilesStale(f"level {level}")
        return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]

    def _partial_entries(self, size: int) -> list[bytes]:
        content, entries = self._read(entries_path(size // WIDTH, size % WIDTH)), []
        at = 0
        while at + _LENGTH.size <= len(content):
            (length,) = _LENGTH.unpack_from(content, at)
            entries.append(content[at + _LENGTH.size : at + _LENGTH.size + length])
            at += _LENGTH.size + length
        if at != len(content) or len(entries) != size % WIDTH:
            raise TilesStale("entries")
        return entries

    def _read(self, path: str) -> bytes:
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            raise TilesStale(path) from None
