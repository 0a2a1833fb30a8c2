"""The desk at which one bundle is filed: what is bound, what is settled, and the way to the log."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from adapters.codec import encode_value
from adapters.fhir.awaiting import Awaiting
from adapters.fhir.intake import Intake, Known, Under
from adapters.fhir.labelling import Labelled
from adapters.fhir.mapping.values import Unusable
from adapters.fhir.reading import Entry, Received
from adapters.fhir.references import References, source_key
from adapters.fhir.report import Tally
from adapters.fhir.resources import DiagnosticReport, Reference
from domain.kernel.command import Command
from domain.kernel.labels import Label, category
from domain.kernel.values import Source

SHARED = frozenset({"Organization", "Practitioner", "PractitionerRole", "Location"})
NO_PATIENT = "no-patient"
"""Why a resource waits: nobody has sent its patient yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One bundle on its way in.

    `known` are the id map's rows of its resources, by `system|type|id`, and `open` those that are
    set aside, `kept_open` those of them that somebody else closes; `scope` keeps equal bytes of
    different patients apart; `reports` holds each readable DiagnosticReport by entry index with the
    observations that it takes with it; `visits` the chart of each encounter filed; `settled` the
    entries that are filed or set aside, `waiting` those of them without their patient; `written`
    counts the versions that this import wrote of a resource; `quiet` are reasons that are on record
    already, None for all of them; `fresh` are the objects that each entry brought.
    """

    received: Received
    source: str
    intake: Intake
    tally: Tally
    references: References
    awaiting: Awaiting
    labelled: Labelled
    written: dict[str, tuple[str, int]]
    known: dict[str, Known] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    scope: str = ""
    traces: dict[int, tuple[str, str]] = field(default_factory=dict)
    reports: dict[int, tuple[DiagnosticReport, list[Entry]]] = field(default_factory=dict)
    visits: dict[str, str] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    waiting: set[int] = field(default_factory=set)
    kept_open: frozenset[str] = frozenset()
    quiet: frozenset[str] | None = frozenset()
    fresh: dict[int, list[str]] = field(default_factory=dict)

    async def chart(self, subject: Reference | None) -> str:
        """The patient's chart. Raises Unusable where it is not known."""
        chart = await self.references.stream(subject, "Patient")
        if chart is None:
            raise Unusable(NO_PATIENT)
        return chart

    async def visit(self, encounter: Reference | None, chart: str) -> str | None:
        """The encounter's id, where it is known. Raises Unusable for one of another chart."""
        visit = await self.references.stream(encounter, "Encounter", chart)
        if visit is not None and self.visits.get(visit, chart) != chart:
            raise Unusable("other-patient")
        return visit

    async def origin(self, entry: Entry) -> Source:
        """Where the resource came from and where its received bytes lie."""
        sealed, digest = await self.trace(entry)
        return Source(
            self.source, entry.resource_type, entry.id, sealed, digest, entry.version, entry.updated
        )

    async def trace(self, entry: Entry) -> tuple[str, str]:
        """Object id and keyed digest of the received bytes."""
        if entry.index not in self.traces:
            traced = await self.intake.trace(entry.content, self._scope(entry))
            self.traces[entry.index] = traced
        return self.traces[entry.index]

    def key(self, entry: Entry) -> str:
        """What the resource is known by at its source."""
        return source_key(self.source, entry.resource_type, entry.id)

    def labels(self, entry: Entry) -> tuple[Label, ...]:
        """The sensitivity labels that the rules give the resource."""
        return self.labelled.of(entry)

    def was(self, entry: Entry) -> Known | None:
        """What the id map has of the resource."""
        return self.known.get(self.key(entry))

    async def keep(self, chart: str | None, *entries: Entry, alone: bool = False) -> None:
        """Store received bytes under the keys that the facts are under that they state."""
        sensitive = category(label for entry in entries for label in self.labels(entry))
        contents = [(entry.content, self._scope(entry)) for entry in entries]
        fresh = await self.intake.keep(contents, Under(chart, sensitive, alone))
        self.fresh.setdefault(entries[0].index, []).extend(fresh)

    def _scope(self, entry: Entry) -> str:
        """Directory entries are shared; all else belongs to the bundle's patients."""
        return "" if entry.resource_type in SHARED else self.scope

    async def do(self, entry: Entry, command: Command[Any]) -> str:
        """The command's first stream, once it is true. Raises a Refusal.

        The idempotency key ends in the SHA-256 of the command itself, which holds the digest of
        every received byte it came from and every id it was bound to, and in the version that was
        seen: equal keys are equal wishes about the same state.
        """
        stream = await self._perform(self.key(entry), entry, command)
        self.references.bind(entry, stream)
        return stream

    async def act(self, entry: Entry, command: Command[Any]) -> None:
        """Do something else on account of the resource, once. Raises a Refusal."""
        await self._perform(f"{self.key(entry)}|{command.operation}", entry, command)

    async def _perform(self, key: str, entry: Entry, command: Command[Any]) -> str:
        wish = sha256(encode_value(command)).hexdigest()
        seen = self._seen(self.key(entry), (await self.trace(entry))[1])
        receipt = await self.intake.do(command, f"{key}|{wish}|{seen}")
        self.tally.receipt(command.operation, receipt)
        return receipt.streams[0]

    def _seen(self, key: str, digest: str) -> int:
        """The version of the resource that was seen, those of this import included."""
        known = self.known.get(key)
        last, count = self.written.get(key, (known.digest if known else "", 0))
        if last != digest:
            self.written[key] = digest, count + 1
        return (known.version if known else 0) + self.written.get(key, (digest, 0))[1]

    def settle(self, kind: str, *entries: Entry) -> None:
        """Count entries as filed, each once."""
        for entry in entries:
            if entry.index not in self.settled:
                self.settled.add(entry.index)
                self.tally.yielded[entry.resource_type][kind] += 1
