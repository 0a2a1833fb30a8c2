"""The check of a whole log: spans joined in order, keys, head, stream heads. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from adapters.keys.port import KeptKey
from adapters.proofs.erasures import ErasureCheck
from adapters.proofs.findings import Code, Findings, Wrong
from adapters.proofs.merkle import Frontier
from adapters.proofs.span import MICROS_TO_2000, SpanReport

_KEY_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Head:
    """The head row; `committed_at` as timestamptz_send gives it."""

    position: int
    frontier: tuple[bytes, ...]
    committed_at: bytes
    access_position: int


NO_HEAD: Final = Head(0, (), bytes(8), 0)
"""Stands for the head row of a log that has none."""


class WholeCheck:
    """Joins the reports of spans 1..n; memory is one entry per stream and per wrong key."""

    def __init__(self, has_head: bool = True) -> None:
        """The check of an empty log; one without a head row gets NO_HEAD."""
        self.missing_keys: set[str] = set()
        self.erasures = ErasureCheck()
        self._nodes = Frontier()
        self._stored = Frontier()
        self._versions: dict[bytes, int] = {}
        self._latest: int | None = None
        self._foreign: set[tuple[str, bytes]] = set()
        self._findings = Findings()
        if not has_head:
            self.note(1, "head", "the log has events and no head")

    @property
    def root(self) -> bytes:
        """The root of all leaves so far, recomputed from the rows."""
        return self._nodes.root()

    def first_wrongs(self) -> tuple[Wrong, ...]:
        """What was found so far; see Findings.first."""
        return self._findings.first()

    def note(self, position: int, code: Code, detail: str) -> None:
        """Add a finding that the reader made."""
        self._findings.note(position, code, detail)

    def join(self, report: SpanReport) -> None:
        """Take the next span in order."""
        self._findings.take(report.wrongs)
        self._nodes.extend(report.nodes)
        self._stored.extend(report.stored)
        for stream, (version, position) in report.firsts.items():
            before = self._versions.get(stream, 0)
            if version != before + 1:
                self.note(position, "version", f"{version} follows {before}")
        self._versions.update(report.lasts)
        if report.earliest is not None:
            position, instant = report.earliest
            if self._latest is not None and instant < self._latest:
                self.note(position, "time", "before the event before it")
            self._latest = report.latest

    def check_keys(
        self,
        found: Mapping[tuple[str, bytes], int],
        known: Mapping[str, KeptKey | None],
    ) -> None:
        """Compare the commitments found in bodies with those of the key store.

        `known` has None for a key that the store does not know. A key is noted at its first use.
        """
        for (key, commitment), position in found.items():
            kept = known.get(key)
            if kept is None and not _KEY_ID.fullmatch(key):
                self.note(position, "header", "the key id is no UUID")
            elif kept is None:
                if key not in self.missing_keys:
                    self.note(position, "missing-key", key)
                self.missing_keys.add(key)
            elif kept.commitment == commitment:
                self.erasures.take(key, kept, position)
            elif (key, commitment) not in self._foreign:
                self.note(position, "key", f"the body is not sealed by {key}")
                self._foreign.add((key, commitment))

    def check_head(self, head: Head) -> None:
        """Compare the head row with all spans joined, which must reach its position."""
        last = max(head.position, 1)
        start = 1
        for place, (node, stored, width) in enumerate(
            zip(self._nodes.nodes, self._stored.nodes, self._nodes.widths(), strict=True)
        ):
            kept = head.frontier[place] if place < len(head.frontier) else None
            # Where the leaf column hashes to the frontier, whatever differs has been named.
            if kept not in (node, stored):
                self.note(start, "root", f"an event in {start} to {start + width - 1} was changed")
            start += width
        if len(head.frontier) > len(self._nodes.nodes):
            self.note(last, "head", "the frontier has too many subtrees")
        moment = int.from_bytes(head.committed_at, "big", signed=True) + MICROS_TO_2000
        if self._latest is not None and moment != self._latest:
            self.note(last, "head", "committed_at is not that of the last event")
        if not 0 <= head.access_position <= head.position:
            self.note(last, "head", "access_position lies outside the log")

    def check_stream_heads(self, heads: Iterable[tuple[bytes, int]]) -> list[tuple[UUID, str]]:
        """Streams whose head (16-byte id, version) differs from the last event, with the detail.

        The heads may come in several portions; streams are ticked off as they are seen.
        """
        wrong = []
        for stream, version in heads:
            last = self._versions.pop(stream, 0)
            if last != version:
                ident = UUID(bytes=stream)
                wrong.append((ident, f"{ident} ends at {last}, its head says {version}"))
        return wrong

    def headless_streams(self) -> list[tuple[UUID, str]]:
        """Streams that no head was given for."""
        return [
            (UUID(bytes=stream), f"{UUID(bytes=stream)} has no head") for stream in self._versions
        ]
