"""Medicines: what was ordered, dispensed, given or said to be taken, as the authority reports it.

One stream per statement of a source: renewals and their answers will be decided on it, one
prescription at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.kernel.command import At, Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Event
from domain.kernel.items import Item, Leaving, leaving, relabelled, with_target
from domain.kernel.labels import Label
from domain.kernel.rule import may, oneself, operator, proxy, role, system, treating
from domain.kernel.values import Concept, Moment, Period, Quantity, Source

ORDER = "order"


@dataclass(frozen=True, slots=True, kw_only=True)
class MedicationOrder:
    """What is reported of a medicine (FHIR MedicationRequest, -Statement, -Dispense,
    -Administration).

    `kind` is `order`, `statement`, `dispense` or `administration`; `requester` is the directory id
    of the prescriber, `by` the name of who ordered, dispensed, gave or said it. `directions` are in
    the source's words, or in ours where it gave only structure.
    """

    medication: Concept
    status: str
    intent: str | None = None
    authored: Moment | None = None
    directions: tuple[str, ...] = ()
    reasons: tuple[Concept, ...] = ()
    requester: str | None = None
    encounter: str | None = None
    kind: str = ORDER
    effective: Period | None = None
    quantity: Quantity | None = None
    days_supply: Quantity | None = None
    by: str | None = None
    why_status: Concept | None = None


class PrescriptionReported(Event, name="prescriptions.prescription-reported", version=1):
    """The authority reported a medication order, or changed it; with `reason`, staff did."""

    prescription: str
    order: MedicationOrder
    source: Source | None = None
    labels: tuple[Label, ...] = ()
    reason: str | None = None

    @property
    def content(self) -> MedicationOrder:
        """The order."""
        return self.order


class MedicationReported(Event, name="prescriptions.medication-reported", version=1):
    """A medicine was reported as dispensed, given or taken."""

    prescription: str
    order: MedicationOrder
    source: Source | None = None
    labels: tuple[Label, ...] = ()
    reason: str | None = None

    @property
    def content(self) -> MedicationOrder:
        """What was reported."""
        return self.order


class PrescriptionRelabelled(Event, name="prescriptions.prescription-relabelled", version=1):
    """The same medicine from now on has other sensitivity labels."""

    prescription: str
    order: MedicationOrder
    labels: tuple[Label, ...]
    source: Source | None = None
    reason: str | None = None

    @property
    def content(self) -> MedicationOrder:
        """What was reported."""
        return self.order


class PrescriptionWithdrawn(Event, name="prescriptions.prescription-withdrawn", version=1):
    """It should never have been in this chart; `refiled` is the chart it belongs to."""

    prescription: str
    reason: str
    refiled: str | None = None

    @property
    def withdrawn(self) -> str:
        """The item."""
        return self.prescription


view = may("prescriptions.view", oneself, proxy("prescriptions"), treating)
report = may("prescriptions.report", operator, system)
correct = may("prescriptions.correct", role("health-information"), operator)
Kept = Item[MedicationOrder]


class ReportPrescription(Command[Kept], name="prescriptions.report-prescription", rule=report):
    """File a medicine of the authority, which bypasses the portal's invariants."""

    chart: str
    key: str
    order: MedicationOrder
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The prescription of this source id."""
        return (_item(self.chart, self.key),)

    @property
    def occurred(self) -> Moment | None:
        """When it was written, or taken."""
        taken = self.order.effective
        return self.order.authored or (taken.start if taken else None)

    def subject(self, _state: Kept) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept, _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last report."""
        labels = state.news(self.order, self.labels)
        if labels is None:
            return
        relabels = state.content == self.order and not state.withdrawn
        kind = PrescriptionRelabelled if relabels else _reported(self.order)
        yield kind(prescription=state.id, order=self.order, source=self.source, labels=labels)


class CorrectPrescription(Command[Kept], name="prescriptions.correct-prescription", rule=correct):
    """Replace what was reported by what staff know to be right; the earlier stays traceable."""

    chart: str
    key: str
    order: MedicationOrder
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The prescription."""
        return (_item(self.chart, self.key),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Kept) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept, _now: datetime) -> Iterator[Event]:
        """Nothing for the same content. Raises NotFound where there is none."""
        if state.present() != self.order:
            yield _reported(self.order)(
                prescription=state.id,
                order=self.order,
                source=state.source,
                labels=state.labels,
                reason=self.reason,
            )


class RelabelPrescription(Command[Kept], name="prescriptions.relabel-prescription", rule=correct):
    """Give it the sensitivity labels that staff decided on; none means nothing sensitive."""

    chart: str
    key: str
    codes: tuple[str, ...]
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The prescription."""
        return (_item(self.chart, self.key),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Kept) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept, _now: datetime) -> Iterator[Event]:
        """Nothing for the same labels. Raises NotFound where there is none."""
        labels, content = relabelled(self.codes), state.present()
        if labels != state.labels:
            yield PrescriptionRelabelled(
                prescription=state.id,
                order=content,
                labels=labels,
                source=state.source,
                reason=self.reason,
            )


class WithdrawPrescription(
    Command[Leaving[MedicationOrder]], name="prescriptions.withdraw-prescription", rule=correct
):
    """Take it out of a chart it never belonged to, and file it where it does: one act."""

    chart: str
    key: str
    reason: str
    refile: str | None = None
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The prescription here, and the same there."""
        here = _item(self.chart, self.key)
        if self.refile is None:
            return (here,)
        return with_target(here, _item(self.refile, self.key))

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Kept | Leaving[MedicationOrder]) -> Subject:
        """The chart that it is taken from."""
        return Subject(chart=self.chart)

    def decide(
        self, state: Kept | Leaving[MedicationOrder], _now: datetime
    ) -> Iterator[Event | At]:
        """Nothing when it is withdrawn already. Raises NotFound, InThisChart, UnknownChart."""
        here, there = leaving(state)
        if here.withdrawn:
            return
        content = here.present()
        yield PrescriptionWithdrawn(prescription=here.id, reason=self.reason, refiled=self.refile)
        if there is not None and not there.states(content):
            refiled = _reported(content)(
                prescription=there.id, order=content, source=here.source, labels=here.labels
            )
            yield At(there.id, refiled)


def _item(chart: str, key: str) -> Stream:
    return Stream(
        fold=Item, reserved=Reserved("prescriptions.prescription", f"{chart}|{key}"), chart=chart
    )


def _reported(order: MedicationOrder) -> type[PrescriptionReported] | type[MedicationReported]:
    return PrescriptionReported if order.kind == ORDER else MedicationReported
