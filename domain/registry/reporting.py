"""What an authority reports: patients, and people who come without a chart; a death and its end."""

from collections.abc import Iterator
from datetime import datetime

from domain.kernel.command import OWN, At, Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Event
from domain.kernel.refusal import NotFound, Refusal
from domain.kernel.values import Identifier, Moment, Source
from domain.registry.charts import (
    Chart,
    ChartLinked,
    ChartOpened,
    DeathCorrected,
    DeathReported,
    Demographics,
    DemographicsReported,
    Person,
    PersonRegistered,
    decide,
    number_of,
    report,
)


class DeathTimeUnclear(Refusal):
    """The time of death is no date, or it is yet to come. Write it like 2026-03-14."""


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
        value = number_of(self.identifier)
        return (
            Stream(fold=Chart, reserved=Reserved("registry.chart", value), chart=OWN),
            Stream(fold=Person, reserved=Reserved("registry.person-of-chart", value), owner=OWN),
        )

    def decide(self, state: tuple[Chart, Person], _now: datetime) -> Iterator[Event | At]:
        """Chart, person and link at first; later only what differs.

        A death that was found to be reported in error is not reported by repeating it.
        """
        chart, person = state
        if not chart.opened:
            yield ChartOpened(
                identifier=self.identifier, demographics=self.demographics, source=self.source
            )
        elif chart.demographics != self.demographics:
            yield DemographicsReported(
                identifier=self.identifier, demographics=self.demographics, source=self.source
            )
        if self.died and not chart.died and self.death not in chart.disproved:
            yield DeathReported(at=self.death)
        if not person.registered:
            yield At(person.id, PersonRegistered(first_chart=chart.id))
            yield At(person.id, ChartLinked(chart=chart.id, evidence="first chart"))


class ReportDeath(Command[Chart], name="registry.report-death", rule=decide):
    """Say that the person of a chart has died, with the time where it is known."""

    chart: str
    at: Moment | None = None
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The chart."""
        return (Stream(fold=Chart, id=self.chart, chart=self.chart),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Chart) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Chart, now: datetime) -> Iterator[Event]:
        """Nothing when this very death is known; another time of it is reported again."""
        if not state.opened:
            raise NotFound()
        if self.at is not None and not _has_been(self.at, now):
            raise DeathTimeUnclear()
        if not state.died or (self.at is not None and self.at != state.death):
            yield DeathReported(at=self.at)


class CorrectDeath(Command[Chart], name="registry.correct-death", rule=decide):
    """Take back a death that was reported in error."""

    chart: str
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The chart."""
        return (Stream(fold=Chart, id=self.chart, chart=self.chart),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Chart) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Chart, _now: datetime) -> Iterator[Event]:
        """Nothing when nobody reported a death."""
        if not state.opened:
            raise NotFound()
        if state.died:
            yield DeathCorrected(reason=self.reason)


def _has_been(moment: Moment, now: datetime) -> bool:
    try:
        return moment.instant <= now
    except ValueError:
        return False
