"""Prescriptions: what was ordered, as the authority reports it.

One stream per prescription: renewals and their answers will be decided on it, one prescription
at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.rule import may, oneself, operator, proxy, system, treating
from domain.kernel.values import Concept, Moment, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class MedicationOrder:
    """What is reported of a medication order (FHIR MedicationRequest).

    `requester` is the directory id of the prescriber.
    """

    medication: Concept
    status: str
    intent: str | None = None
    authored: Moment | None = None
    directions: tuple[str, ...] = ()
    reasons: tuple[Concept, ...] = ()
    requester: str | None = None
    encounter: str | None = None


class PrescriptionReported(Event, name="prescriptions.prescription-reported", version=1):
    """The authority reported a medication order, or changed it."""

    prescription: str
    order: MedicationOrder
    source: Source | None = None


view = may("prescriptions.view", oneself, proxy("prescriptions"), treating)
report = may("prescriptions.report", operator, system)


@dataclass(frozen=True, slots=True)
class Prescription:
    """A prescription as last reported."""

    id: str
    reported: MedicationOrder | None = None

    @classmethod
    def initial(cls, stream: str) -> "Prescription":
        """Not reported."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Prescription":
        """The prescription after an event."""
        if not isinstance(event, PrescriptionReported):
            return self
        return replace(self, reported=event.order)


class ReportPrescription(
    Command[Prescription], name="prescriptions.report-prescription", rule=report
):
    """File a medication order of a source; `key` is its id there."""

    chart: str
    key: str
    order: MedicationOrder
    source: Source | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The prescription of this source id."""
        reserved = Reserved("prescriptions.prescription", f"{self.chart}|{self.key}")
        return (Stream(fold=Prescription, reserved=reserved, chart=self.chart),)

    @property
    def occurred(self) -> Moment | None:
        """When it was written."""
        return self.order.authored

    def subject(self, _state: Prescription) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Prescription, _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last report."""
        if state.reported != self.order:
            yield PrescriptionReported(prescription=state.id, order=self.order, source=self.source)
