"""What a verification finds: positions, permanent codes and details without any PHI."""

from dataclasses import dataclass
from typing import Final, Literal

MOST_FINDINGS: Final = 100

Code = Literal[
    "missing-event",  # no row at a position up to the head
    "beyond-head",  # a row below position 1 or above the head
    "duplicate-position",  # a second row at one position
    "leaf",  # the stored leaf is not the hash of the row
    "root",  # the leaves of a whole range do not hash to the head's frontier
    "head",  # the head row contradicts the log
    "time",  # committed_at is before the event before it, or not finite
    "header",  # not the RFC 8785 bytes of a header
    "tenant",  # clear column and header differ
    "stream",
    "type",
    "version",  # the events of a stream are not numbered 1, 2, 3 in order of position
    "stream-head",  # stream_head is not the stream's last version
    "salt",  # not 16 bytes
    "body",  # too short for a sealed body, or of another version
    "key",  # sealed by another key than the header's
    "missing-key",  # the key store does not know the key
    "destroyed-key",  # a key was destroyed and no erasure event of the log orders it
    "revived-key",  # the log destroyed a key, and the key store still has it
    "command",  # a command's range lies outside the log
    "anchor",  # the log no longer has a root that was kept outside
]

# Found beside the rows: the position is the start of a range in which an unknown event was changed
# (root), or the event that the contradicting row speaks of. Often they follow from a wrong row.
_INDIRECT: Final[frozenset[Code]] = frozenset(("root", "head", "stream-head", "command", "anchor"))


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong. `detail` has opaque ids and numbers only."""

    position: int
    code: Code
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The outcome for one tenant.

    `root` is the hexadecimal RFC 6962 root recomputed from the rows. `wrongs` holds at most
    MOST_FINDINGS: wrong rows in order of position, then what is wrong in the heads and commands.
    """

    tenant: str
    events: int
    root: str
    wrongs: tuple[Wrong, ...]
    missing_keys: tuple[str, ...]
    seconds: float
    erased_keys: int = 0
    """Keys of this log's bodies that an erasure destroyed."""
    erased_later: tuple[str, ...] = ()
    """Those of them whose erasure is beyond this log: it is a copy from before."""

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.wrongs

    @property
    def first_wrong(self) -> Wrong | None:
        """The first wrong row; what contradicts the rows only when no row itself is wrong."""
        return self.wrongs[0] if self.wrongs else None


class Findings:
    """Keeps the first of the findings that are noted."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self._kept: list[Wrong] = []

    def note(self, position: int, code: Code, detail: str) -> None:
        """Add a finding."""
        self.take((Wrong(position, code, detail),))

    def take(self, wrongs: tuple[Wrong, ...]) -> None:
        """Add findings that were made elsewhere."""
        self._kept.extend(wrongs)
        if len(self._kept) > 10 * MOST_FINDINGS:
            self._kept = list(self.first())

    def first(self) -> tuple[Wrong, ...]:
        """At most MOST_FINDINGS in the order of Verification.wrongs."""
        self._kept.sort(key=lambda wrong: (wrong.code in _INDIRECT, wrong.position))
        return tuple(self._kept[:MOST_FINDINGS])
