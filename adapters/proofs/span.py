"""The check of one span of positions, row by row. Pure; runs in a worker process.

What needs more than the span is reported upwards: the first and last version of each stream, the
commitment found with each key id, and the subtree roots.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from adapters.keys.seal import SEAL_OVERHEAD
from adapters.keys.seal import VERSION as SEAL_VERSION
from adapters.proofs.findings import Code, Findings, Wrong
from adapters.proofs.merkle import Frontier, leaf_hash

SALT_BYTES: Final = 16
ABSENT: Final = bytes(32)
"""Stands for the leaf of a missing event; no event hashes to it."""
MICROS_TO_2000: Final = 946_684_800_000_000
"""Microseconds from 1970 to 2000, where PostgreSQL's instants begin."""
_FAR: Final = 1 << 62
_COMMITMENT: Final = slice(1, 33)

Row = tuple[int, int, bytes, bytes, str, bytes, bytes, bytes, bytes, bytes]
"""position, version, committed_at (timestamptz_send), stream (16 bytes), type, leaf, salt, header,
context, body."""


class _Header(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """Members in the order of RFC 8785, so that encoding gives the canonical bytes."""

    chart: str | None = None
    command: str
    event: str
    key: str
    stream: str
    tenant: str
    type: str
    version: int


_decode_header = msgspec.json.Decoder(_Header).decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SpanReport:
    """What the whole needs to know of a span.

    `nodes` are subtree roots of recomputed leaves, `stored` of the leaf column. `firsts` and
    `lasts` map a stream to its first version with the position, and to its last version. `keys`
    maps (key id, commitment in the body) to the first position. `earliest` is position and instant
    of the first row if there is one, `latest` the instant of the last, in microseconds since 1970.
    """

    first: int
    last: int
    nodes: Frontier
    stored: Frontier
    firsts: dict[bytes, tuple[int, int]]
    lasts: dict[bytes, int]
    keys: dict[tuple[str, bytes], int]
    earliest: tuple[int, int] | None
    latest: int
    wrongs: tuple[Wrong, ...]


@dataclass(slots=True)
class SpanCheck:
    """Takes the rows of positions first..last in order, in as many portions as wanted."""

    tenant: str
    first: int
    last: int
    _next: int = field(init=False)
    _nodes: Frontier = field(init=False, default_factory=Frontier)
    _stored: Frontier = field(init=False, default_factory=Frontier)
    _firsts: dict[bytes, tuple[int, int]] = field(init=False, default_factory=dict)
    _lasts: dict[bytes, int] = field(init=False, default_factory=dict)
    _keys: dict[tuple[str, bytes], int] = field(init=False, default_factory=dict)
    _earliest: tuple[int, int] | None = field(init=False, default=None)
    _latest: int = field(init=False, default=-_FAR)
    _findings: Findings = field(init=False, default_factory=Findings)

    def __post_init__(self) -> None:
        """Begin before the first position."""
        self._next = self.first

    def take(self, rows: Iterable[Row], last: int) -> None:
        """Check the rows up to position `last`.

        The number of positions taken at once must be a power of two, but for the last portion.
        """
        leaves: list[bytes] = []
        stored: list[bytes] = []
        for row in rows:
            position, leaf = row[0], row[5]
            if position != self._next:
                if position < self._next:
                    self._wrong(position, "duplicate-position", "the position has several rows")
                    continue
                leaves += _absent(self._next, position)
                stored += _absent(self._next, position)
                self._missing(position)
            self._next = position + 1
            leaves.append(self._checked(row))
            stored.append(leaf)
        if self._next <= last:
            leaves += _absent(self._next, last + 1)
            stored += _absent(self._next, last + 1)
            self._missing(last + 1)
            self._next = last + 1
        nodes = Frontier.of(leaves)
        self._nodes.extend(nodes)
        self._stored.extend(nodes if leaves == stored else Frontier.of(stored))

    def report(self) -> SpanReport:
        """The outcome, after the last row."""
        return SpanReport(
            first=self.first,
            last=self.last,
            nodes=self._nodes,
            stored=self._stored,
            firsts=self._firsts,
            lasts=self._lasts,
            keys=self._keys,
            earliest=self._earliest,
            latest=self._latest,
            wrongs=self._findings.first(),
        )

    def _checked(self, row: Row) -> bytes:
        """The recomputed leaf; everything that is wrong with the row is noted."""
        position, version, moment, stream, kind, leaf, salt, header, context, body = row
        micros = int.from_bytes(moment, "big", signed=True) + MICROS_TO_2000
        if not self._latest <= micros < _FAR:
            self._wrong(position, "time", "before the event before it, or not finite")
            micros = max(-_FAR, min(micros, _FAR))
        self._latest = micros
        if self._earliest is None:
            self._earliest = (position, micros)
        computed = leaf_hash(position, version, micros, header, salt, context, body)
        if computed != leaf:
            self._wrong(position, "leaf", "the row does not hash to its leaf")
        if len(salt) != SALT_BYTES:
            self._wrong(position, "salt", f"{len(salt)} bytes")
        before = self._lasts.get(stream)
        if before is None:
            self._firsts[stream] = (version, position)
        elif version != before + 1:
            self._wrong(position, "version", f"{version} follows {before}")
        self._lasts[stream] = version
        self._check_header(position, header, stream.hex(), kind, body)
        return computed

    def _check_header(
        self, position: int, stored: bytes, stream: str, kind: str, body: bytes
    ) -> None:
        try:
            header = _decode_header(stored)
        except ValueError:  # msgspec's errors and UnicodeDecodeError
            self._wrong(position, "header", "not decodable")
            return
        if _encode(header) != stored:
            self._wrong(position, "header", "not its RFC 8785 bytes")
        if header.tenant != self.tenant:
            self._wrong(position, "tenant", "the header names another tenant")
        if header.stream.replace("-", "") != stream:
            self._wrong(position, "stream", "the header names another stream")
        if header.type != kind:
            self._wrong(position, "type", "the header names another type")
        if len(body) < SEAL_OVERHEAD or body[:1] != SEAL_VERSION:
            self._wrong(position, "body", f"{len(body)} bytes are no sealed body of version 1")
        else:
            self._keys.setdefault((header.key, body[_COMMITMENT]), position)

    def _missing(self, until: int) -> None:
        self._wrong(self._next, "missing-event", f"no rows from {self._next} to {until - 1}")

    def _wrong(self, position: int, code: Code, detail: str) -> None:
        self._findings.note(position, code, detail)


def _absent(first: int, until: int) -> list[bytes]:
    """Placeholders for the leaves of positions first..until - 1."""
    return [ABSENT] * (until - first)
