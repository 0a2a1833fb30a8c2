"""The tree of a log as static files that foreign tools read: tiles of 256 hashes.

Source: C2SP tlog-tiles. A tile of level l has the roots of up to 256 runs of 256**l leaves each;
only the last one of a level is partial. Tiles never change, so they can be made again from the
leaves at any time and kept anywhere.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adapters.proofs.merkle import Frontier
from adapters.proofs.paths import Tree

HASH_BYTES = 32
_BITS = 8
WIDTH = 1 << _BITS


class TileUnreadable(Exception):
    """A tile has not the length that the size of the log gives it. Make the tiles again."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile: its level, its number within the level, and how many hashes it has."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is served, below the log's prefix."""
        return f"tile/{self.level}/{_numbered(self.number)}{_partial(self.width)}"

    def hashes(self, tree: Tree) -> bytes:
        """What is served."""
        height = _BITS * self.level
        first = self.number * WIDTH
        return b"".join(tree.perfect(n << height, height) for n in range(first, first + self.width))


def tiles(size: int, since: int = 0) -> Iterator[Tile]:
    """The tiles of a log of `size` leaves that one of `since` leaves did not have, lowest first."""
    level = 0
    while size >> (_BITS * level):
        now, before = size >> (_BITS * level), since >> (_BITS * level)
        for number in range(before // WIDTH, -(-now // WIDTH)):
            width = min(WIDTH, now - number * WIDTH)
            if number * WIDTH + width > before:
                yield Tile(level, number, width)
        level += 1


class Tiled:
    """A Tree over the tiles of a log of `size` leaves; `read` gives the bytes of a path."""

    def __init__(self, size: int, read: Callable[[str], bytes]) -> None:
        self._size = size
        self._read = read
        self._known: dict[Tile, bytes] = {}

    def perfect(self, start: int, height: int) -> bytes:
        """See Tree. Raises IndexError beyond the last leaf, and TileUnreadable."""
        level, within = divmod(height, _BITS)
        if start + (1 << height) > self._size:
            raise IndexError(f"{start} and what follows is not in a log of {self._size}")
        first = start >> (_BITS * level)
        content = self._tile(level, first // WIDTH)
        place = first % WIDTH * HASH_BYTES
        run = content[place : place + (HASH_BYTES << within)]
        return Frontier.of(run[n : n + HASH_BYTES] for n in range(0, len(run), HASH_BYTES)).root()

    def _tile(self, level: int, number: int) -> bytes:
        width = min(WIDTH, (self._size >> (_BITS * level)) - number * WIDTH)
        tile = Tile(level, number, width)
        if tile not in self._known:
            content = self._read(tile.path)
            if len(content) != width * HASH_BYTES:
                raise TileUnreadable(tile.path)
            self._known[tile] = content
        return self._known[tile]


def entries_path(number: int, width: int = WIDTH) -> str:
    """Where the entries of tile `number` of level 0 are served, below the log's prefix."""
    return f"tile/entries/{_numbered(number)}{_partial(width)}"


def _partial(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"


def _numbered(number: int) -> str:
    """1234067 as x001/x234/067, so that no file is where another one has a folder."""
    parts = [f"{number % 1000:03}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03}")
    return "/".join(reversed(parts))
