"""Care teams: who belongs to them, from when to when.

One stream per membership that this house decides on (chart x practitioner), and one per team or
episode that an authority reports.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.care.encounters import report
from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.items import Item
from domain.kernel.labels import Label
from domain.kernel.rule import may, operator
from domain.kernel.values import Concept, Moment, Period, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a team: the name as given, the directory id where it is a practitioner."""

    name: str
    practitioner: str | None = None
    roles: tuple[Concept, ...] = ()
    period: Period | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """What is reported of a team or an episode of care (FHIR CareTeam, EpisodeOfCare).

    `kind` is `team` or `episode`.
    """

    status: str
    kind: str = "team"
    name: str | None = None
    concepts: tuple[Concept, ...] = ()
    period: Period | None = None
    members: tuple[Member, ...] = ()
    organization: str | None = None


class CareTeamJoined(Event, name="care.care-team-joined", version=1):
    """A practitioner belongs to the patient's care team from now on."""

    practitioner: str
    function: str


class CareTeamLeft(Event, name="care.care-team-left", version=1, withdraws_access=True):
    """The practitioner belongs to the care team no more."""

    practitioner: str


class CareTeamReported(Event, name="care.care-team-reported", version=1):
    """The authority reported a care team with its members."""

    team_id: str
    team: Team
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def content(self) -> Team:
        """The team."""
        return self.team


class CareTeamChanged(Event, name="care.care-team-changed", version=1, withdraws_access=True):
    """The authority reported the team again with other facts, which replace the earlier ones."""

    team_id: str
    team: Team
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def content(self) -> Team:
        """The team."""
        return self.team


assign = may("care.assign", operator)


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


class ReportCareTeam(Command[Item[Team]], name="care.report-care-team", rule=report):
    """File a care team of the authority; `key` is its id there."""

    chart: str
    key: str
    team: Team
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The team of this source id."""
        reserved = Reserved("care.team", f"{self.chart}|{self.key}")
        return (Stream(fold=Item, reserved=reserved, chart=self.chart),)

    @property
    def occurred(self) -> Moment | None:
        """Its start."""
        return None if self.team.period is None else self.team.period.start

    def subject(self, _state: Item[Team]) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Item[Team], _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last report."""
        labels = state.news(self.team, self.labels)
        if labels is not None:
            kind = CareTeamReported if state.content is None else CareTeamChanged
            yield kind(team_id=state.id, team=self.team, source=self.source, labels=labels)


def _membership(chart: str, practitioner: str) -> Stream:
    reserved = Reserved("care.membership", f"{chart}|{practitioner}")
    return Stream(fold=Membership, reserved=reserved, chart=chart)
