"""Inclusion and consistency proofs of the Merkle tree: making and checking them.

Source: RFC 6962 sections 2.1.1 and 2.1.2 for making, RFC 9162 sections 2.1.3.2 and 2.1.4.2 for
checking. Proofs are lists of 32-byte hashes; a path in a tree of n leaves has at most ceil(log2 n).
Leaves are counted from 0 here, so the event at position p is leaf p - 1.
"""

import hmac
from collections.abc import Iterable, Sequence
from typing import Protocol

from adapters.proofs.merkle import EMPTY_ROOT, node_hash, root_of


class Tree(Protocol):
    """Hashes of a log, wherever they are kept."""

    def perfect(self, start: int, height: int) -> bytes:
        """The root of the 2**height leaves from `start`, which is a multiple of that number."""


class Leaves:
    """A Tree over leaf hashes in memory; inner hashes are worked out once."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([node_hash(left, right) for left, right in pairs])

    def __len__(self) -> int:
        return len(self._levels[0])

    def perfect(self, start: int, height: int) -> bytes:
        """See Tree. Raises IndexError beyond the last leaf."""
        return self._levels[height][start >> height]


def root_between(tree: Tree, start: int, end: int) -> bytes:
    """MTH of the leaves start..end-1, where start is a multiple of the next power of two."""
    nodes: list[bytes] = []
    while start < end:
        height = (end - start).bit_length() - 1
        nodes.append(tree.perfect(start, height))
        start += 1 << height
    return root_of(nodes)


def inclusion_path(tree: Tree, leaf: int, size: int) -> list[bytes]:
    """PATH(leaf, D[size]), the leaf's sibling first. Raises IndexError unless 0 <= leaf < size."""
    if not 0 <= leaf < size:
        raise IndexError(f"leaf {leaf} is not among {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if leaf < middle:
            path.append(root_between(tree, middle, end))
            end = middle
        else:
            path.append(root_between(tree, start, middle))
            start = middle
    return path[::-1]


def consistency_path(tree: Tree, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[new]). Raises IndexError unless 0 < old <= new."""
    if not 0 < old <= new:
        raise IndexError(f"a tree of {old} is not the beginning of one of {new}")
    path: list[bytes] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(root_between(tree, middle, end))
            end = middle
        else:
            path.append(root_between(tree, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(root_between(tree, start, end))
    return path[::-1]


def _split(width: int) -> int:
    """The largest power of two below the width."""
    return 1 << (width - 1).bit_length() - 1


def includes(root: bytes, size: int, leaf: int, hashed: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that leaf number `leaf` of the tree with this root is `hashed`."""
    if not 0 <= leaf < size or not _hashes((root, hashed, *path)):
        return False
    place, last, found = leaf, size - 1, hashed
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and hmac.compare_digest(found, root)


def extends(old_root: bytes, old: int, new_root: bytes, new: int, path: Sequence[bytes]) -> bool:
    """Whether the path proves that the tree of `new` leaves begins with the one of `old` leaves.

    A tree begins with itself, which needs no path. That it begins with the empty one says nothing,
    so it is never proven.
    """
    if old == new > 0:
        return not path and hmac.compare_digest(old_root, new_root)
    if not 0 < old < new or not _hashes((old_root, new_root, *path)):
        return False
    # A beginning that is a perfect tree is a node of the new one and not named in the path.
    nodes = list(path) if old & (old - 1) else [old_root, *path]
    if not nodes:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            older, newer = node_hash(node, older), node_hash(node, newer)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            newer = node_hash(newer, node)
        place, last = place >> 1, last >> 1
    same = hmac.compare_digest(older, old_root) and hmac.compare_digest(newer, new_root)
    return last == 0 and same


def _hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == len(EMPTY_ROOT) for value in values)
