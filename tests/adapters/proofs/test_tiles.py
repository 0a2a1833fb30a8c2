"""Tiles: the layout of the standard, and proofs from tiles alone."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.proofs.paths import Leaves, consistency_path, inclusion_path, root_between
from adapters.proofs.tiles import Tile, Tiled, TileUnreadable, tiles
from tests.adapters.proofs.test_merkle import numbered_leaves

EXAMPLE = 70_000
"""The size that the standard explains its layout with."""
LEAVES = numbered_leaves(EXAMPLE)
TREE = Leaves(LEAVES)
sizes = st.one_of(st.integers(1, EXAMPLE), st.sampled_from([255, 256, 257, 65_535, 65_536, 65_537]))


def served(size: int, asked: list[str] | None = None) -> Callable[[str], bytes]:
    """A server of exactly the tiles of this size."""
    files = {tile.path: tile.hashes(TREE) for tile in tiles(size)}

    def read(path: str) -> bytes:
        if asked is not None:
            asked.append(path)
        return files[path]

    return read


WHOLE = served(EXAMPLE)


def test_the_example_of_the_standard_has_its_tiles() -> None:
    found = Counter((tile.level, tile.width) for tile in tiles(EXAMPLE))
    assert found == {(0, 256): 273, (0, 112): 1, (1, 256): 1, (1, 17): 1, (2, 1): 1}
    assert list(tiles(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles(0)) == []


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 1_234_067), "tile/1/x001/x234/067"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(2, 1000, 1), "tile/2/x001/000.p/1"),
    ],
)
def test_a_tile_is_served_where_the_standard_says(tile: Tile, path: str) -> None:
    assert tile.path == path


@given(before=st.integers(0, EXAMPLE), more=st.integers(0, 70_000))
@settings(max_examples=60, deadline=None)
def test_what_is_new_and_what_was_there_are_all_tiles(before: int, more: int) -> None:
    size = min(before + more, EXAMPLE)
    full = {tile for tile in tiles(before) if tile.width == 256}
    assert full.isdisjoint(tiles(size, since=before))
    assert full | set(tiles(size, since=before)) >= set(tiles(size)) - set(tiles(before))
    assert set(tiles(size, since=before)) <= set(tiles(size))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_proofs_from_tiles_are_those_from_leaves(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, EXAMPLE))
    old, leaf = data.draw(st.integers(1, new)), data.draw(st.integers(0, new - 1))
    tiled = Tiled(EXAMPLE, WHOLE)
    assert inclusion_path(tiled, leaf, new) == inclusion_path(TREE, leaf, new)
    assert consistency_path(tiled, old, new) == consistency_path(TREE, old, new)


@given(size=sizes)
@settings(max_examples=15, deadline=None)
def test_the_root_of_a_size_needs_only_its_own_tiles(size: int) -> None:
    asked: list[str] = []
    root = root_between(Tiled(size, served(size, asked)), 0, size)
    assert root == root_between(TREE, 0, size)
    assert len(asked) <= 6


def test_a_path_reads_few_tiles() -> None:
    asked: list[str] = []
    inclusion_path(Tiled(EXAMPLE, served(EXAMPLE, asked)), 12_345, EXAMPLE)
    assert len(asked) <= 6


def test_a_tile_that_is_cut_off_is_named() -> None:
    tiled = Tiled(300, lambda path: served(300)(path)[:-1])
    with pytest.raises(TileUnreadable, match="tile/0/000"):
        tiled.perfect(0, 3)


def test_nothing_is_beyond_the_last_leaf() -> None:
    with pytest.raises(IndexError):
        Tiled(300, served(300)).perfect(256, 6)
