"""Heads in an object store: one object each, never replaced."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.heads import StoreOutlet, heads_in
from adapters.proofs.notes import Checkpoint, Note, NoteKey

pytestmark = pytest.mark.anyio


def head(size: int, fill: int = 0) -> Note:
    key = NoteKey("log.example/x", Ed25519PrivateKey.generate())
    return Checkpoint("log.example/x", size, bytes([fill]) * 32).signed(key)


async def test_each_head_is_an_object_that_stays(tmp_path: Path) -> None:
    (tmp_path / "heads").mkdir()
    outlet = StoreOutlet(f"file://{tmp_path}/heads")
    first, other, second = head(5), head(5, 1), head(6)
    for note in (first, other, second):
        await outlet.put("riverside", note)
    files = sorted((tmp_path / "heads" / "riverside").iterdir())
    found = [one for file in files for one in heads_in(file.read_text())]
    assert sorted(map(str, (note for _, note in found))) == sorted(map(str, (first, other, second)))
    await outlet.put("riverside", first)
    assert sorted((tmp_path / "heads" / "riverside").iterdir()) == files


async def test_a_store_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "heads").mkdir()
    outlet = StoreOutlet(f"file://{tmp_path}/heads")
    (tmp_path / "heads" / "riverside").write_text("in the way")
    with pytest.raises(OSError, match="Error"):
        await outlet.put("riverside", head(5))


def test_what_is_no_store_is_refused() -> None:
    with pytest.raises(ValueError, match="Error"):
        StoreOutlet("nothing://x")
