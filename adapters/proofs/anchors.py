"""Anchors: roots of a log that were kept outside its database.

Whoever can rewrite rows, leaves and the frontier alike cannot rewrite a root that lies elsewhere. A
log that no longer has the root of an anchor at the anchor's position was changed, cut off or
replaced since. One line each: tenant, position, root in hexadecimal.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from adapters.proofs.merkle import Frontier

PORTION = 8_192
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
        self._waiting = sorted(given, key=lambda anchor: anchor.position)
        self._nodes = Frontier()
        self.wrong: list[Anchor] = []

    @property
    def last(self) -> int:
        """The last position that an anchor speaks of."""
        return self._waiting[-1].position if self._waiting else 0

    def take(self, leaves: list[bytes]) -> None:
        """The next leaves. Whole portions go in at once where no anchor speaks of their middle."""
        place = 0
        while place < len(leaves):
            following = self._waiting[0].position if self._waiting else None
            if following is None:
                return
            upto = min(len(leaves), place + following - self._nodes.size)
            part = leaves[place:upto]
            if self._nodes.size % PORTION == 0 and len(part) == PORTION:
                self._nodes.extend(Frontier.of(part))
            else:
                for leaf in part:
                    self._nodes.append(leaf)
            place = upto
            self._compare()

    def close(self) -> list[Anchor]:
        """Every contradicted anchor; one beyond the last leaf is contradicted."""
        return [*self.wrong, *self._waiting]

    def _compare(self) -> None:
        """Every anchor of the position that is reached."""
        while self._waiting and self._waiting[0].position == self._nodes.size:
            anchor = self._waiting.pop(0)
            if self._nodes.root().hex() != anchor.root:
                self.wrong.append(anchor)
