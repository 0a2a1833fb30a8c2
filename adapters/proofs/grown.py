"""The tree of a log of which only an old frontier and the leaves since are at hand.

That is enough for every proof that the log goes on from there: what such a proof names to the left
of the old end are the perfect subtrees that the old frontier consists of.
"""

from collections.abc import Sequence

from adapters.proofs.merkle import Frontier


class Grown:
    """A Tree over an old frontier and what was added."""

    def __init__(self, old: Frontier, added: Sequence[bytes]) -> None:
        self._size = old.size
        self._added = added
        self._old: dict[tuple[int, int], bytes] = {}
        start = 0
        for node, width in zip(old.nodes, old.widths(), strict=True):
            self._old[start, width.bit_length() - 1] = node
            start += width

    def perfect(self, start: int, height: int) -> bytes:
        """See Tree. Raises LookupError for what lies within the old frontier's subtrees."""
        first, last = start - self._size, start - self._size + (1 << height)
        if first < 0:
            return self._old[start, height]
        if last > len(self._added):
            raise IndexError(f"{last} of {len(self._added)} new leaves")
        return Frontier.of(self._added[first:last]).root()
