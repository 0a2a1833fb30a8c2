"""The desk at which one bundle is filed: what is bound, what is settled, and the way to the log."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from adapters.codec import encode_value
from adapters.fhir.intake import Intake
from adapters.fhir.mapping.values import Unusable
from adapters.fhir.reading import Entry, Problem, Received
from adapters.fhir.references import References, source_key
from adapters.fhir.report import Tally
from adapters.fhir.resources import DiagnosticReport, Reference
from domain.kernel.command import Command
from domain.kernel.labels import Label
from domain.kernel.values import Source

SHARED = frozenset({"Organization", "Practitioner", "Location", "PractitionerRole"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One bundle on its way in.

    `reports` holds each readable DiagnosticReport by entry index with the observations that it
    takes with it; `visits` the chart of each encounter filed; `settled` the entries that are filed
    or set aside.
    """

    received: Received
    source: str
    intake: Intake
    tally: Tally
    references: References
    reports: dict[int, tuple[DiagnosticReport, list[Entry]]] = field(default_factory=dict)
    visits: dict[str, str] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)

    async def chart(self, subject: Reference | None) -> str:
        """The patient's chart. Raises Unusable where it is not known."""
        chart = await self.references.stream(subject, "Patient")
        if chart is None:
            raise Unusable("no-patient")
        return chart

    async def visit(self, encounter: Reference | None, chart: str) -> str | None:
        """The encounter's id, where it is known. Raises Unusable for one of another chart."""
        visit = await self.references.stream(encounter, "Encounter", chart)
        if visit is not None and self.visits.get(visit, chart) != chart:
            raise Unusable("other-patient")
        return visit

    async def origin(self, entry: Entry) -> Source:
        """Where the resource came from and where its received bytes lie."""
        sealed, digest = await self.intake.trace(entry.content, self._scope(entry))
        return Source(self.source, entry.resource_type, entry.id, sealed, digest)

    def key(self, entry: Entry) -> str:
        """What the resource is known by at its source."""
        return source_key(self.source, entry.resource_type, entry.id)

    def labels(self, entry: Entry) -> tuple[Label, ...]:
        """The sensitivity labels that rules give the resource."""
        del entry
        return ()

    async def keep(self, chart: str | None, *entries: Entry) -> None:
        """Store received bytes under the chart's key, or the organisation's."""
        for entry in entries:
            await self.intake.keep(entry.content, chart, self._scope(entry))

    def _scope(self, entry: Entry) -> str:
        """Directory entries are shared; all else belongs to the bundle's patients."""
        if entry.resource_type in SHARED:
            return ""
        patients = (e.id for e in self.received.entries if e.resource_type == "Patient")
        return "|".join(patients)

    async def do(self, entry: Entry, command: Command[Any]) -> str:
        """The command's first stream, once it is true. Raises a Refusal.

        The idempotency key ends in the SHA-256 of the command itself, which holds the digest of
        every received byte it came from and every id it was bound to: equal keys, equal wishes.
        """
        wish = sha256(encode_value(command)).hexdigest()
        receipt = await self.intake.do(command, f"{self.key(entry)}|{wish}")
        self.tally.receipt(command.operation, receipt)
        self.references.bind(entry, receipt.streams[0])
        return receipt.streams[0]

    def settle(self, kind: str, *entries: Entry) -> None:
        """Count entries as filed, each once."""
        for entry in entries:
            if entry.index not in self.settled:
                self.settled.add(entry.index)
                self.tally.yielded[entry.resource_type][kind] += 1

    def set_aside(self, entry: Entry, reason: str, at: str | None = None) -> None:
        """Count an entry as a problem, unless it is settled."""
        if entry.index not in self.settled:
            self.settled.add(entry.index)
            self.tally.problems.append(
                Problem(
                    file=self.received.file,
                    entry=entry.index,
                    type=entry.resource_type,
                    reason=reason,
                    at=at,
                )
            )
