"""Tiles written as the log grows are those of the whole log, and nothing else is taken for them."""

from hashlib import sha256
from pathlib import Path

import pytest

from adapters.heads.tiling import CHECKPOINT, TileFolder, TilesStale
from adapters.proofs.notes import Checkpoint, Note, NoteKey
from adapters.proofs.paths import Leaves, root_between
from adapters.proofs.tiles import Tile, entries_path, tiles
from tests.adapters.heads.conftest import KEY
from tests.adapters.proofs.test_merkle import tree_hash

ENTRIES = [str(number).encode() * 3 for number in range(66_000)]
LEAVES = [sha256(b"\x00" + entry).digest() for entry in ENTRIES]
TREE = Leaves(LEAVES)
STEPS = (1, 2, 255, 256, 257, 700, 65_535, 65_536, 65_793, 66_000)


def head(size: int, key: NoteKey = KEY) -> Note:
    return Checkpoint(key.name, size, tree_hash_of(size)).signed(key)


def tree_hash_of(size: int) -> bytes:
    return root_between(TREE, 0, size)


def grow(folder: TileFolder, upto: int) -> None:
    writer = folder.begin()
    writer.add(zip(LEAVES[writer.size : upto], ENTRIES[writer.size : upto], strict=True))
    folder.finish(writer, head(upto))


@pytest.fixture
def folder(tmp_path: Path) -> TileFolder:
    return TileFolder(tmp_path / "tiles", KEY.verifier())


def bundled(content: bytes) -> list[bytes]:
    entries, at = [], 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 2], "big")
        entries.append(content[at + 2 : at + 2 + length])
        at += 2 + length
    return entries


def test_tiles_that_grew_in_steps_are_those_of_the_whole_log(
    folder: TileFolder, tmp_path: Path
) -> None:
    at = tmp_path / "tiles"
    for size in STEPS:
        grow(folder, size)
        assert folder.size == size
        for tile in tiles(size):
            assert (at / tile.path).read_bytes() == tile.hashes(TREE), tile
            if tile.level == 0:
                entries = bundled((at / entries_path(tile.number, tile.width)).read_bytes())
                hashed = b"".join(sha256(b"\x00" + entry).digest() for entry in entries)
                assert hashed == (at / tile.path).read_bytes()


def test_tree_of_one(folder: TileFolder) -> None:
    assert tree_hash_of(5) == tree_hash(LEAVES[:5])
    grow(folder, 5)
    grow(folder, 5)
    assert folder.size == 5


def test_what_is_not_the_log_s_is_not_gone_on_from(folder: TileFolder, tmp_path: Path) -> None:
    grow(folder, 300)
    at = tmp_path / "tiles"
    for path in (Tile(0, 1, 44).path, Tile(1, 0, 1).path, entries_path(1, 44)):
        whole = (at / path).read_bytes()
        (at / path).write_bytes(whole[:-1])
        with pytest.raises(TilesStale):
            grow(folder, 310)
        (at / path).unlink()
        with pytest.raises(TilesStale):
            grow(folder, 310)
        (at / path).write_bytes(whole)
    changed = bytearray((at / Tile(0, 1, 44).path).read_bytes())
    changed[0] ^= 1
    (at / Tile(0, 1, 44).path).write_bytes(changed)
    with pytest.raises(TilesStale):
        grow(folder, 310)
    assert folder.size == 300


def test_a_checkpoint_of_somebody_else_is_refused(folder: TileFolder, tmp_path: Path) -> None:
    grow(folder, 3)
    other = NoteKey("other.example/log", KEY.private)
    (tmp_path / "tiles" / CHECKPOINT).write_text(str(head(3, other)))
    with pytest.raises(TilesStale):
        folder.begin()


def test_a_head_that_the_tiles_do_not_have_is_not_put_over_them(folder: TileFolder) -> None:
    grow(folder, 10)
    writer = folder.begin()
    writer.add(zip(LEAVES[11:13], ENTRIES[11:13], strict=True))
    with pytest.raises(TilesStale):
        folder.finish(writer, head(12))
    writer = folder.begin()
    with pytest.raises(TilesStale):
        folder.finish(writer, head(12))
    assert folder.size == 10
    grow(folder, 12)
