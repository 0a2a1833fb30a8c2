"""Persons and charts: whose record it is.

One stream per chart (one identifier in one assigning authority) and one per person. Clinical facts
belong to a chart; a person is linked to charts by reversible events and resolved at read, so a
wrong link never moves history.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.kernel.command import OWN, At, Command, Reserved, Stream
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.rule import may, oneself, operator, proxy, system, treating
from domain.kernel.values import Concept, Identifier, Moment, Name, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Demographics:
    """What an authority says of a patient (FHIR Patient)."""

    names: tuple[Name, ...] = ()
    birth_date: Moment | None = None
    gender: str | None = None
    languages: tuple[Concept, ...] = ()
    telecoms: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    identifiers: tuple[Identifier, ...] = ()


class ChartOpened(Event, name="registry.chart-opened", version=1):
    """A chart exists: an identifier of an assigning authority, and the demographics it gave."""

    identifier: Identifier
    demographics: Demographics
    source: Source | None = None


class DemographicsReported(Event, name="registry.demographics-reported", version=1):
    """The authority reported other demographics for the chart."""

    identifier: Identifier
    demographics: Demographics
    source: Source | None = None


class DeathReported(Event, name="registry.death-reported", version=1):
    """The authority reported that the person of this chart has died; the time where known."""

    at: Moment | None = None


class PersonRegistered(Event, name="registry.person-registered", version=1, key_class="person"):
    """A person exists: known by the chart that was opened first, or as a proxy without a chart."""

    first_chart: str | None = None


class ChartLinked(Event, name="registry.chart-linked", version=1, key_class="person"):
    """The chart is this person's; `evidence` says what decided it."""

    chart: str
    evidence: str


view = may("registry.view", oneself, proxy("records"), treating)
report = may("registry.report", operator, system)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as far as its commands need it."""

    id: str
    opened: bool = False
    died: bool = False
    demographics: Demographics | None = None

    @classmethod
    def initial(cls, stream: str) -> "Chart":
        """No chart yet."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Chart":
        """The chart after an event."""
        match event:
            case ChartOpened():
                return replace(self, opened=True, demographics=event.demographics)
            case DemographicsReported():
                return replace(self, demographics=event.demographics)
            case DeathReported():
                return replace(self, died=True)
            case Erased(type_name=ChartOpened.type_name):
                return replace(self, opened=True)
        return self


@dataclass(frozen=True, slots=True)
class Person:
    """A person and the charts linked to them."""

    id: str
    registered: bool = False
    charts: frozenset[str] = frozenset()

    @classmethod
    def initial(cls, stream: str) -> "Person":
        """Nobody yet."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Person":
        """The person after an event."""
        match event:
            case PersonRegistered():
                return replace(self, registered=True)
            case ChartLinked():
                return replace(self, charts=self.charts | {event.chart})
        return self


class RegisterPerson(Command[Person], name="registry.register-person", rule=report):
    """Register a person who has no chart here, such as a parent; `key` is the registrar's."""

    key: str

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The person of this key."""
        return (Stream(fold=Person, reserved=Reserved("registry.person", self.key), owner=OWN),)

    def decide(self, state: Person, _now: datetime) -> Iterator[Event]:
        """Nothing when registered."""
        if not state.registered:
            yield PersonRegistered()


class ReportPatient(Command[tuple[Chart, Person]], name="registry.report-patient", rule=report):
    """File what an authority says of a patient: opens the chart and its person when new."""

    identifier: Identifier
    demographics: Demographics
    died: bool = False
    death: Moment | None = None
    source: Source | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The chart of the identifier, and the person who was registered with it."""
        value = f"{self.identifier.system}|{self.identifier.value}"
        return (
            Stream(fold=Chart, reserved=Reserved("registry.chart", value), chart=OWN),
            Stream(fold=Person, reserved=Reserved("registry.person-of-chart", value), owner=OWN),
        )

    def decide(self, state: tuple[Chart, Person], _now: datetime) -> Iterator[Event | At]:
        """Chart, person and link at first; later only what differs."""
        chart, person = state
        if not chart.opened:
            yield ChartOpened(
                identifier=self.identifier, demographics=self.demographics, source=self.source
            )
        elif chart.demographics != self.demographics:
            yield DemographicsReported(
                identifier=self.identifier, demographics=self.demographics, source=self.source
            )
        if self.died and not chart.died:
            yield DeathReported(at=self.death)
        if not person.registered:
            yield At(person.id, PersonRegistered(first_chart=chart.id))
            yield At(person.id, ChartLinked(chart=chart.id, evidence="first chart"))
