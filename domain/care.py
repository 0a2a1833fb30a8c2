"""Encounters and care teams: who treats whom, from when to when.

One stream per encounter and one per care-team membership (chart x practitioner). The care
relationship of a clinician is a fact of this capability, with dates; rules read it from here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Event, Unknown
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


class EncounterCorrected(Event, name="care.encounter-corrected", version=1, withdraws_access=True):
    """The authority reported the encounter again with other facts, which replace the earlier ones.

    It may take a treating relationship away: another practitioner, an end, entered in error.
    """

    encounter: str
    visit: Visit
    source: Source | None = None


class CareTeamJoined(Event, name="care.care-team-joined", version=1):
    """A practitioner belongs to the patient's care team from now on."""

    practitioner: str
    function: str


class CareTeamLeft(Event, name="care.care-team-left", version=1, withdraws_access=True):
    """The practitioner belongs to the care team no more."""

    practitioner: str


# FHIR encounter-status values in which somebody treats or has treated the patient.
TREATING = frozenset({"arrived", "triaged", "in-progress", "onleave", "finished"})

view = may("care.view", oneself, proxy("records"), treating)
list_patients = may("care.list-patients", role("clinician"))
report = may("care.report", operator, system)
assign = may("care.assign", operator)


@dataclass(frozen=True, slots=True)
class Encounter:
    """An encounter as last reported."""

    id: str
    reported: Visit | None = None

    @classmethod
    def initial(cls, stream: str) -> "Encounter":
        """Not reported."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Encounter":
        """The encounter after an event."""
        if not isinstance(event, EncounterReported | EncounterCorrected):
            return self
        return replace(self, reported=event.visit)


@dataclass(frozen=True, slots=True)
class Membership:
    """A practitioner's place in a care team."""

    id: str
    joined: bool = False

    @classmethod
    def initial(cls, stream: str) -> "Membership":
        """Not a member."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Membership":
        """The membership after an event."""
        match event:
            case CareTeamJoined():
                return replace(self, joined=True)
            case CareTeamLeft():
                return replace(self, joined=False)
        return self


class ReportEncounter(Command[Encounter], name="care.report-encounter", rule=report):
    """File an encounter of the authority, which bypasses the portal's invariants."""

    chart: str
    key: str
    visit: Visit
    source: Source | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The encounter of this source id."""
        reserved = Reserved("care.encounter", f"{self.chart}|{self.key}")
        return (Stream(fold=Encounter, reserved=reserved, chart=self.chart),)

    @property
    def occurred(self) -> Moment | None:
        """Its start."""
        return None if self.visit.period is None else self.visit.period.start

    def subject(self, _state: Encounter) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Encounter, _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last report."""
        if state.reported == self.visit:
            return
        kind = EncounterReported if state.reported is None else EncounterCorrected
        yield kind(encounter=state.id, visit=self.visit, source=self.source)


class JoinCareTeam(Command[Membership], name="care.join-care-team", rule=assign):
    """Put a practitioner into a patient's care team."""

    chart: str
    practitioner: str
    function: str

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The membership."""
        return (_membership(self.chart, self.practitioner),)

    def subject(self, _state: Membership) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Membership, _now: datetime) -> Iterator[Event]:
        """Nothing for a member."""
        if not state.joined:
            yield CareTeamJoined(practitioner=self.practitioner, function=self.function)


class LeaveCareTeam(Command[Membership], name="care.leave-care-team", rule=assign):
    """Take a practitioner out of a patient's care team."""

    chart: str
    practitioner: str

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The membership."""
        return (_membership(self.chart, self.practitioner),)

    def subject(self, _state: Membership) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Membership, _now: datetime) -> Iterator[Event]:
        """Nothing for somebody who is no member."""
        if state.joined:
            yield CareTeamLeft(practitioner=self.practitioner)


def _membership(chart: str, practitioner: str) -> Stream:
    reserved = Reserved("care.membership", f"{chart}|{practitioner}")
    return Stream(fold=Membership, reserved=reserved, chart=chart)
