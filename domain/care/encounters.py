"""Encounters: visits, stays and contacts, one stream each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.kernel.command import At, Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Event
from domain.kernel.items import Item, Leaving, leaving, relabelled, with_target
from domain.kernel.labels import Label
from domain.kernel.rule import may, oneself, operator, proxy, role, system, treating
from domain.kernel.values import Coding, Concept, Moment, Period, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is reported of an encounter (FHIR Encounter).

    `practitioners` are directory ids of those who took part, `organization` of the provider.
    """

    status: str
    kind: Coding | None = None
    types: tuple[Concept, ...] = ()
    reasons: tuple[Concept, ...] = ()
    period: Period | None = None
    practitioners: tuple[str, ...] = ()
    organization: str | None = None


class EncounterReported(Event, name="care.encounter-reported", version=1):
    """The authority reported an encounter."""

    encounter: str
    visit: Visit
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def content(self) -> Visit:
        """The visit."""
        return self.visit


class EncounterCorrected(Event, name="care.encounter-corrected", version=1, withdraws_access=True):
    """The authority reported the encounter again with other facts, which replace the earlier ones.

    It may take a treating relationship away: another practitioner, an end, entered in error.
    """

    encounter: str
    visit: Visit
    source: Source | None = None
    labels: tuple[Label, ...] = ()
    reason: str | None = None

    @property
    def content(self) -> Visit:
        """The visit."""
        return self.visit


class EncounterRelabelled(Event, name="care.encounter-relabelled", version=1):
    """The same encounter from now on has other sensitivity labels."""

    encounter: str
    visit: Visit
    labels: tuple[Label, ...]
    source: Source | None = None
    reason: str | None = None

    @property
    def content(self) -> Visit:
        """The visit."""
        return self.visit


class EncounterWithdrawn(Event, name="care.encounter-withdrawn", version=1, withdraws_access=True):
    """The encounter should never have been in this chart; `refiled` is the one it belongs to."""

    encounter: str
    reason: str
    refiled: str | None = None

    @property
    def withdrawn(self) -> str:
        """The item."""
        return self.encounter


# FHIR encounter-status values in which somebody treats or has treated the patient.
TREATING = frozenset({"arrived", "triaged", "in-progress", "onleave", "finished"})

view = may("care.view", oneself, proxy("records"), treating)
list_patients = may("care.list-patients", role("clinician"))
report = may("care.report", operator, system)
correct = may("care.correct", role("health-information"), operator)


Kept = Item[Visit]
Stated = EncounterReported | EncounterCorrected | EncounterRelabelled


class ReportEncounter(Command[Kept], name="care.report-encounter", rule=report):
    """File an encounter of the authority, which bypasses the portal's invariants."""

    chart: str
    key: str
    visit: Visit
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The encounter of this source id."""
        return (_item(self.chart, self.key),)

    @property
    def occurred(self) -> Moment | None:
        """Its start."""
        return None if self.visit.period is None else self.visit.period.start

    def subject(self, _state: Kept) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept, _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last report."""
        labels = state.news(self.visit, self.labels)
        if labels is None:
            return
        relabels = state.content == self.visit and not state.withdrawn
        kind = (
            EncounterRelabelled
            if relabels
            else EncounterReported
            if state.content is None
            else EncounterCorrected
        )
        yield kind(encounter=state.id, visit=self.visit, source=self.source, labels=labels)


class CorrectEncounter(Command[Kept], name="care.correct-encounter", rule=correct):
    """Replace what was reported by what staff know to be right; the earlier stays traceable."""

    chart: str
    key: str
    visit: Visit
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The encounter."""
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
        if state.present() != self.visit:
            yield EncounterCorrected(
                encounter=state.id,
                visit=self.visit,
                source=state.source,
                labels=state.labels,
                reason=self.reason,
            )


class RelabelEncounter(Command[Kept], name="care.relabel-encounter", rule=correct):
    """Give it the sensitivity labels that staff decided on; none means nothing sensitive."""

    chart: str
    key: str
    codes: tuple[str, ...]
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The encounter."""
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
            yield EncounterRelabelled(
                encounter=state.id,
                visit=content,
                labels=labels,
                source=state.source,
                reason=self.reason,
            )


class WithdrawEncounter(Command[Leaving[Visit]], name="care.withdraw-encounter", rule=correct):
    """Take it out of a chart it never belonged to, and file it where it does: one act."""

    chart: str
    key: str
    reason: str
    refile: str | None = None
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The encounter here, and the same there."""
        here = _item(self.chart, self.key)
        if self.refile is None:
            return (here,)
        return with_target(here, _item(self.refile, self.key))

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Kept | Leaving[Visit]) -> Subject:
        """The chart that it is taken from."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept | Leaving[Visit], _now: datetime) -> Iterator[Event | At]:
        """Nothing when it is withdrawn already. Raises NotFound, InThisChart, UnknownChart."""
        here, there = leaving(state)
        if here.withdrawn:
            return
        content = here.present()
        yield EncounterWithdrawn(encounter=here.id, reason=self.reason, refiled=self.refile)
        if there is not None and not there.states(content):
            refiled = EncounterReported(
                encounter=there.id, visit=content, source=here.source, labels=here.labels
            )
            yield At(there.id, refiled)


def _item(chart: str, key: str) -> Stream:
    return Stream(fold=Item, reserved=Reserved("care.encounter", f"{chart}|{key}"), chart=chart)
