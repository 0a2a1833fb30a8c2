"""The tree against RFC 6962 as it is written, and against published hashes."""

import base64
import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.proofs.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root_of

# The eight leaves that the tests of Certificate Transparency use, and the roots of their prefixes.
PUBLISHED_LEAVES = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
PUBLISHED_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def published_root(size: int) -> bytes:
    leaves = [sha256(b"\0" + bytes.fromhex(leaf)).digest() for leaf in PUBLISHED_LEAVES[:size]]
    return Frontier.of(leaves).root()


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word, over leaf hashes."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + tree_hash(leaves[:half]) + tree_hash(leaves[half:])).digest()


def numbered_leaves(size: int) -> list[bytes]:
    return [sha256(number.to_bytes(4, "big")).digest() for number in range(size)]


def test_the_root_of_an_empty_log_is_the_hash_of_nothing() -> None:
    assert Frontier().root() == root_of([]) == EMPTY_ROOT == sha256().digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_published_roots_come_out(size: int) -> None:
    assert published_root(size).hex() == PUBLISHED_ROOTS[size - 1]


@pytest.mark.samples
def test_the_roots_of_the_published_proofs_come_out() -> None:
    vectors = Path(os.environ["ANAMNESIS_SAMPLES"]) / "vectors" / "rfc6962-consistency.jsonl"
    found = set()
    for line in vectors.read_text().splitlines():
        vector = json.loads(line)["vector"]
        if vector["desc"] == "happy path" and vector["size2"] > 1:
            for size, root in (("size1", "root1"), ("size2", "root2")):
                assert published_root(vector[size]) == base64.b64decode(vector[root])
                found.add(vector[size])
    assert found == {1, 2, 5, 6, 7, 8}


@given(st.integers(0, 300))
def test_the_root_is_the_tree_hash_of_the_standard(size: int) -> None:
    leaves = numbered_leaves(size)
    assert Frontier.of(leaves).root() == tree_hash(leaves)


@given(st.integers(0, 300))
def test_appending_leaf_by_leaf_gives_the_same_frontier(size: int) -> None:
    leaves = numbered_leaves(size)
    grown = Frontier()
    for leaf in leaves:
        grown.append(leaf)
    whole = Frontier.of(leaves)
    assert (grown.nodes, grown.size) == (whole.nodes, whole.size)
    assert sum(whole.widths()) == size
    assert len(whole.widths()) == len(whole.nodes)


@given(st.integers(0, 300), st.integers(0, 6))
def test_aligned_spans_join_to_the_frontier_of_the_whole(size: int, bits: int) -> None:
    leaves = numbered_leaves(size)
    span = 1 << bits
    joined = Frontier()
    for start in range(0, size, span):
        joined.extend(Frontier.of(leaves[start : start + span]))
    assert (joined.nodes, joined.size) == (Frontier.of(leaves).nodes, size)


@pytest.mark.parametrize(("size", "width"), [(1, 2), (2, 4), (3, 2), (4, 3), (4, 0), (4, -1)])
def test_a_subtree_that_is_not_aligned_is_refused(size: int, width: int) -> None:
    frontier = Frontier.of(numbered_leaves(size))
    with pytest.raises(ValueError, match="aligned"):
        frontier.append(bytes(32), width)
    assert frontier.size == size


def test_a_leaf_hashes_its_numbers_in_eight_bytes_each_and_its_parts_by_their_hashes() -> None:
    stored = (
        "00"
        "0000000000000001"
        "0000000000000002"
        "ffffffffffffffff"
        + sha256(b"header").hexdigest()
        + sha256(b"saltcontext").hexdigest()
        + sha256(b"body").hexdigest()
    )
    leaf = leaf_hash(1, 2, -1, b"header", b"salt", b"context", b"body")
    assert leaf == sha256(bytes.fromhex(stored)).digest()


def test_a_node_is_no_leaf() -> None:
    left, right = numbered_leaves(2)
    assert node_hash(left, right) == sha256(b"\x01" + left + right).digest()
    assert node_hash(left, right) != node_hash(right, left)
