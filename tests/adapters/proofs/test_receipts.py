"""Receipts: what they prove, what they do not, and how large they are."""

import pytest

from adapters.proofs.notes import COSIGNED, Checkpoint, Note, NoteRefused
from adapters.proofs.paths import Leaves, inclusion_path
from adapters.proofs.receipts import Receipt, ReceiptUnreadable
from tests.adapters.proofs.test_merkle import numbered_leaves, tree_hash
from tests.adapters.proofs.test_notes import LOG, SECONDS, WITNESS

SIZE = 300
LEAVES = numbered_leaves(SIZE)
KEYS = (LOG.verifier(), WITNESS.verifier(COSIGNED))
# The form of C2SP's tlog-proof, with a checkpoint that is whole.
FOREIGN = """c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4=
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

— example.com/fancylog Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5
"""


def head(root: bytes, size: int = SIZE) -> Note:
    """A checkpoint that the log signed and a witness cosigned."""
    text = Checkpoint(LOG.name, size, root).text
    return Note(text, (LOG.sign(text), WITNESS.cosign(text, SECONDS)))


def receipt(leaf: int) -> Receipt:
    path = inclusion_path(Leaves(LEAVES), leaf, SIZE)
    return Receipt(leaf, tuple(path), head(tree_hash(LEAVES)))


@pytest.mark.parametrize("leaf", [0, 1, 17, 255, 256, 299])
def test_a_receipt_that_was_written_and_read_proves_its_leaf(leaf: int) -> None:
    written = str(receipt(leaf))
    read = Receipt.of(written)
    assert str(read) == written
    assert read.proves(LEAVES[leaf], KEYS) == Checkpoint(LOG.name, SIZE, tree_hash(LEAVES))


def test_it_proves_no_other_leaf_and_no_other_place() -> None:
    given = receipt(17)
    assert given.proves(LEAVES[18], KEYS) is None
    assert Receipt(18, given.path, given.head).proves(LEAVES[17], KEYS) is None
    assert Receipt(17, given.path[:-1], given.head).proves(LEAVES[17], KEYS) is None


def test_a_head_that_nobody_known_signed_proves_nothing() -> None:
    with pytest.raises(NoteRefused):
        receipt(17).proves(LEAVES[17], [])


def test_a_receipt_in_a_million_events_fits_into_2_kib() -> None:
    path = tuple(bytes([n]) * 32 for n in range(20))
    written = str(Receipt(999_999, path, head(bytes(32), 1_000_000))).encode()
    assert sum(map(len, path)) <= 1024
    assert len(written) <= 2048


def test_the_form_of_the_standard_is_read_and_what_nobody_signed_is_left() -> None:
    read = Receipt.of(FOREIGN)
    assert (read.leaf, len(read.path)) == (73894, 2)
    assert "extra" not in str(read)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tlog-proof@v1", "tlog-proof@v2"),
        ("index 73894", "index 073894"),
        ("index 73894\n", ""),
        ("PlQ=", "PlQ"),
        ("\n\nexample", "\nexample"),
        ("— example", "- example"),
        ("gSKy", "gS y"),
        ("PlQ=", "PlR="),
    ],
)
def test_what_is_no_receipt_is_refused(old: str, new: str) -> None:
    assert old in FOREIGN
    with pytest.raises(ReceiptUnreadable):
        Receipt.of(FOREIGN.replace(old, new))
