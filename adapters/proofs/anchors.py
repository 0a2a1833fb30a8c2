"""Anchors: roots of a log that were kept outside its database.

Whoever can rewrite rows, leaves and the frontier alike cannot rewrite a root that lies elsewhere. A
log that no longer has the root of an anchor at the anchor's position was changed, cut off or
replaced since. One line each: tenant, position, root in hexadecimal.
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from adapters.proofs.merkle import Frontier

_LINE = re.compile(r"([a-z][a-z0-9-]{0,31}) ([0-9]{1,18}) ([0-9a-f]{64})")


class AnchorUnreadable(ValueError):
    """A line that is no anchor. Each line is: tenant, position, 64 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The root (hexadecimal, RFC 6962) of the first `position` events of a tenant's log."""

    tenant: str
    position: int
    root: str

    @property
    def line(self) -> str:
        """As it is written to a file."""
        return f"{self.tenant} {self.position} {self.root}"


def anchors_in(text: str) -> list[Anchor]:
    """The anchors of a file, whatever its order. Raises AnchorUnreadable with the line's number."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        parts = _LINE.fullmatch(line.strip())
        if parts is None:
            raise AnchorUnreadable(f"line {number}")
        found.append(Anchor(parts[1], int(parts[2]), parts[3]))
    return found


class AnchorCheck:
    """Takes the leaves of a log in order and names the anchors that they contradict."""

    def __init__(self, anchors: Iterable[Anchor]) -> None:
        """The anchors of one tenant."""
        # Of an empty log there is nothing to say.
        given = {anchor for anchor in anchors if anchor.position > 0}
        self._waiting = deque(sorted(given, key=lambda anchor: anchor.position))
        self._nodes = Frontier()
        self.wrong: list[Anchor] = []

    @property
    def last(self) -> int:
        """The last position that an anchor speaks of."""
        return self._waiting[-1].position if self._waiting else 0

    def take(self, leaves: Iterable[bytes]) -> None:
        """The next leaves; what follows the last anchor is not looked at."""
        for leaf in leaves:
            if not self._waiting:
                return
            self._nodes.append(leaf)
            self._compare()

    def close(self) -> list[Anchor]:
        """Every contradicted anchor; one beyond the last leaf is contradicted."""
        return [*self.wrong, *self._waiting]

    def _compare(self) -> None:
        """Every anchor of the position that is reached."""
        while self._waiting and self._waiting[0].position == self._nodes.size:
            anchor = self._waiting.popleft()
            if self._nodes.root().hex() != anchor.root:
                self.wrong.append(anchor)
