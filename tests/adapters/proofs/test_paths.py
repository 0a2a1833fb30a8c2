"""Proofs of the tree: the published vectors, RFC 6962 word for word, and one bit changed."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.proofs.paths import (
    Leaves,
    consistency_path,
    extends,
    includes,
    inclusion_path,
    root_between,
)
from tests.adapters.proofs.test_merkle import numbered_leaves, tree_hash

PUBLISHED = {"inclusion": 98, "consistency": 98}
sizes = st.integers(1, 300)


def path_of(leaf: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) of RFC 6962 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    half = half_of(leaves)
    if leaf < half:
        return [*path_of(leaf, leaves[:half]), tree_hash(leaves[half:])]
    return [*path_of(leaf - half, leaves[half:]), tree_hash(leaves[:half])]


def proof_of(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF(m, D[n], b) of RFC 6962 section 2.1.2, word for word."""
    if old == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    half = half_of(leaves)
    if old <= half:
        return [*proof_of(old, leaves[:half], whole), tree_hash(leaves[half:])]
    return [*proof_of(old - half, leaves[half:], False), tree_hash(leaves[:half])]


def half_of(leaves: list[bytes]) -> int:
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return half


def vectors(kind: str) -> Iterator[dict[str, Any]]:
    file = Path(os.environ["ANAMNESIS_SAMPLES"]) / "vectors" / f"rfc6962-{kind}.jsonl"
    for line in file.read_text().splitlines():
        yield json.loads(line)["vector"]


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.samples
def test_every_published_inclusion_proof_is_judged_as_published() -> None:
    judged = 0
    for vector in vectors("inclusion"):
        path = [decoded(node) for node in vector["proof"] or ()]
        root, hashed = decoded(vector["root"]), decoded(vector["leafHash"])
        right = includes(root, vector["treeSize"], vector["leafIdx"], hashed, path)
        assert right != vector["wantErr"], vector["desc"]
        judged += 1
    assert judged == PUBLISHED["inclusion"]


@pytest.mark.samples
def test_every_published_consistency_proof_is_judged_as_published() -> None:
    judged = 0
    for vector in vectors("consistency"):
        path = [decoded(node) for node in vector["proof"] or ()]
        roots = decoded(vector["root1"]), decoded(vector["root2"])
        right = extends(roots[0], vector["size1"], roots[1], vector["size2"], path)
        assert right != vector["wantErr"], vector["desc"]
        judged += 1
    assert judged == PUBLISHED["consistency"]


@given(size=sizes, data=st.data())
def test_an_inclusion_path_is_that_of_the_standard_and_holds(
    size: int, data: st.DataObject
) -> None:
    leaf = data.draw(st.integers(0, size - 1))
    leaves = numbered_leaves(size)
    path = inclusion_path(Leaves(leaves), leaf, size)
    assert path == path_of(leaf, leaves)
    assert includes(tree_hash(leaves), size, leaf, leaves[leaf], path)


@given(new=sizes, data=st.data())
def test_a_consistency_path_is_that_of_the_standard_and_holds(
    new: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, new))
    leaves = numbered_leaves(new)
    path = consistency_path(Leaves(leaves), old, new)
    assert path == proof_of(old, leaves)
    assert extends(tree_hash(leaves[:old]), old, tree_hash(leaves), new, path)


@given(size=sizes, data=st.data())
def test_a_path_in_an_earlier_tree_comes_from_the_later_one(size: int, data: st.DataObject) -> None:
    earlier = data.draw(st.integers(1, size))
    leaf = data.draw(st.integers(0, earlier - 1))
    leaves = numbered_leaves(size)
    assert inclusion_path(Leaves(leaves), leaf, earlier) == path_of(leaf, leaves[:earlier])


@given(size=st.integers(2, 300), data=st.data())
def test_one_bit_changed_anywhere_and_a_proof_holds_no_more(size: int, data: st.DataObject) -> None:
    leaf = data.draw(st.integers(0, size - 1))
    leaves = numbered_leaves(size)
    path = inclusion_path(Leaves(leaves), leaf, size)
    parts = [tree_hash(leaves), leaves[leaf], *path]
    place, bit = data.draw(st.integers(0, len(parts) - 1)), data.draw(st.integers(0, 255))
    number = int.from_bytes(parts[place], "big") ^ 1 << bit
    parts[place] = number.to_bytes(32, "big")
    assert not includes(parts[0], size, leaf, parts[1], parts[2:])


@given(new=st.integers(2, 300), data=st.data())
def test_a_tree_that_was_rewritten_before_an_old_head_has_no_proof(
    new: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    before, after = numbered_leaves(new), numbered_leaves(new)
    after[changed] = bytes(32)
    path = consistency_path(Leaves(after), old, new)
    assert not extends(tree_hash(before[:old]), old, tree_hash(after), new, path)


def test_a_tree_begins_with_itself_and_the_empty_one_proves_nothing() -> None:
    leaves = numbered_leaves(5)
    root, empty = tree_hash(leaves), tree_hash([])
    assert extends(root, 5, root, 5, [])
    assert not extends(root, 5, root, 5, [root])
    assert not extends(empty, 0, root, 5, [])
    assert not extends(root, 5, root, 4, [])


@pytest.mark.parametrize(("leaf", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_there_is_no_path_to_a_leaf_outside(leaf: int, size: int) -> None:
    with pytest.raises(IndexError):
        inclusion_path(Leaves(numbered_leaves(3)), leaf, size)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3)])
def test_there_is_no_path_from_a_tree_that_is_no_beginning(old: int, new: int) -> None:
    with pytest.raises(IndexError):
        consistency_path(Leaves(numbered_leaves(3)), old, new)


@given(size=sizes, data=st.data())
def test_a_run_of_leaves_has_the_root_of_the_standard(size: int, data: st.DataObject) -> None:
    height = data.draw(st.integers(0, 8))
    start = data.draw(st.integers(0, size >> height)) << height
    end = data.draw(st.integers(start, min(size, start + (1 << height))))
    leaves = numbered_leaves(size)
    assert root_between(Leaves(leaves), start, end) == tree_hash(leaves[start:end])
