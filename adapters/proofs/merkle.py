"""The Merkle tree over a log: RFC 6962 section 2.1 with SHA-256.

Leaf i of the tree is the event at position i + 1. What a leaf hashes is ours (docs/adr/0002) and is
computed a second time here, apart from `log_append`, so that neither can be wrong unnoticed.
"""

import struct
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256(b"").digest()
_NODE: Final = b"\x01"
_NUMBERED: Final = struct.Struct(">xqqq").pack  # x is the zero byte that marks a leaf


def leaf_hash(
    position: int,
    version: int,
    committed_at_micros: int,
    header: bytes,
    salt: bytes,
    context: bytes,
    body: bytes,
) -> bytes:
    """The leaf of an event; the instant is in microseconds since 1970 UTC.

    The salt must have its fixed length, or bytes could move between salt and context unseen.
    Raises struct.error for a number beyond 64 bits.
    """
    return sha256(
        _NUMBERED(position, version, committed_at_micros)
        + sha256(header).digest()
        + sha256(salt + context).digest()
        + sha256(body).digest()
    ).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(_NODE + left + right).digest()


class Frontier:
    """The roots of the perfect subtrees that leaves 1..size split into, largest first."""

    __slots__ = ("nodes", "size")

    def __init__(self) -> None:
        """The frontier of no leaves."""
        self.size = 0
        self.nodes: list[bytes] = []

    @classmethod
    def of(cls, leaves: Iterable[bytes]) -> "Frontier":
        """The frontier of these leaf hashes."""
        level = list(leaves)
        frontier = cls()
        frontier.size = len(level)
        while level:
            if len(level) & 1:
                frontier.nodes.append(level.pop())
            lefts, rights = level[::2], level[1::2]
            level = [
                sha256(_NODE + left + right).digest()
                for left, right in zip(lefts, rights, strict=True)
            ]
        frontier.nodes.reverse()
        return frontier

    def append(self, node: bytes, width: int = 1) -> None:
        """Put a leaf, or the root of a perfect subtree of `width` leaves, to the right.

        Raises ValueError unless width is a power of two that divides the size.
        """
        if width < 1 or width & (width - 1) or self.size % width:
            raise ValueError("a subtree joins only where it is aligned")
        whole = self.size // width
        while whole & 1:
            node = node_hash(self.nodes.pop(), node)
            whole >>= 1
        self.nodes.append(node)
        self.size += width

    def extend(self, right: "Frontier") -> None:
        """Put all leaves of another frontier to the right. Raises ValueError if not aligned."""
        for node, width in zip(right.nodes, right.widths(), strict=True):
            self.append(node, width)

    def widths(self) -> list[int]:
        """How many leaves each node stands for: the binary digits of the size."""
        return [1 << bit for bit in reversed(range(self.size.bit_length())) if self.size >> bit & 1]

    def root(self) -> bytes:
        """The tree hash of all leaves."""
        return root_of(self.nodes)


def root_of(frontier: Sequence[bytes]) -> bytes:
    """The tree hash of the leaves that these subtree roots, largest first, stand for."""
    if not frontier:
        return EMPTY_ROOT
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node_hash(left, root)
    return root
