"""Persons and charts: what happened to them, and what that amounts to.

One stream per chart (one identifier in one assigning authority) and one per person. Clinical facts
belong to a chart; a person is linked to charts by reversible events and resolved at read, so a
wrong link never moves history. A chart that was merged keeps its stream: a merge changes links.
"""

from dataclasses import dataclass, replace

from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.rule import may, oneself, operator, proxy, role, system, treating
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


class DeathReported(Event, name="registry.death-reported", version=1, withdraws_access=True):
    """The person of this chart has died; the time where known.

    Grants end or pass on by their kind.
    """

    at: Moment | None = None


class DeathCorrected(Event, name="registry.death-corrected", version=1):
    """The person of this chart is alive: the death was reported in error."""

    reason: str


class ChartReassigned(Event, name="registry.chart-reassigned", version=1, withdraws_access=True):
    """The chart belongs to another person from now on.

    `cause` is `link` (found to be the person of the chart `beside`), `link-undone` (back to the
    person before) or `with-survivor` (it was merged into a chart that moved).
    """

    person: str
    before: str
    cause: str
    beside: str | None = None


class ChartMerged(Event, name="registry.chart-merged", version=1, withdraws_access=True):
    """The chart is read as a part of the chart `into`; `before` is the person it belonged to."""

    into: str
    person: str
    before: str
    reason: str


class ChartAbsorbed(Event, name="registry.chart-absorbed", version=1, withdraws_access=True):
    """Another chart is read as a part of this one."""

    chart: str


class MergeUndone(Event, name="registry.merge-undone", version=1, withdraws_access=True):
    """The merge was wrong: `merged` stands alone again, under the person it belonged to.

    Stands in the streams of both charts.
    """

    merged: str
    survivor: str
    person: str
    reason: str


class MergeReviewed(Event, name="registry.merge-reviewed", version=1):
    """Staff have looked at who may act in this chart; its grants are in force again."""

    reason: str


class PersonRegistered(Event, name="registry.person-registered", version=1, key_class="person"):
    """A person exists: known by the chart that was opened first, or as a proxy without a chart."""

    first_chart: str | None = None


class ChartLinked(Event, name="registry.chart-linked", version=1, key_class="person"):
    """The chart is this person's; `evidence` says what decided it."""

    chart: str
    evidence: str


class LinkUndone(
    Event, name="registry.link-undone", version=1, key_class="person", withdraws_access=True
):
    """The chart is not this person's any more."""

    chart: str
    reason: str


DESK = "health-information"
"""The role of staff who keep the registry."""
view = may("registry.view", oneself, proxy("records"), treating)
report = may("registry.report", operator, system)
review = may("registry.review", role(DESK))
decide = may("registry.decide", role(DESK), operator, system)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart as far as its commands need it.

    `person` is None while it still is the person registered with it; `links` are the (person
    before, chart beside) of each link, the newest last; `before` is the person before the merge
    `into` another chart; `disproved` are the times of death that were reported in error.
    """

    id: str
    opened_under: Identifier | None = None
    demographics: Demographics | None = None
    opened: bool = False
    died: bool = False
    disproved: frozenset[Moment | None] = frozenset()
    death: Moment | None = None
    person: str | None = None
    links: tuple[tuple[str, str], ...] = ()
    into: str | None = None
    before: str | None = None
    absorbed: frozenset[str] = frozenset()
    under_review: bool = False

    @classmethod
    def initial(cls, stream: str) -> "Chart":
        """No chart yet."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Chart":
        """The chart after an event."""
        match event:
            case ChartOpened():
                return replace(
                    self,
                    opened=True,
                    opened_under=event.identifier,
                    demographics=event.demographics,
                )
            case DemographicsReported():
                return replace(self, demographics=event.demographics)
            case DeathReported():
                return replace(self, died=True, death=event.at)
            case DeathCorrected():
                return replace(self, died=False, disproved=self.disproved | {self.death})
            case ChartReassigned():
                return self._reassigned(event)
            case ChartMerged() | ChartAbsorbed() | MergeUndone() | MergeReviewed():
                return self._in_merge(event)
            case Erased(type_name=ChartOpened.type_name):
                return replace(self, opened=True)
        return self

    def _reassigned(self, event: ChartReassigned) -> "Chart":
        links, wrong = self.links, event.cause != "link"
        if event.cause == "link":
            links = (*links, (event.before, event.beside or ""))
        elif event.cause == "link-undone":
            links = links[:-1]
        review = self.under_review or wrong
        return replace(self, person=event.person, links=links, under_review=review)

    def _in_merge(
        self, event: ChartMerged | ChartAbsorbed | MergeUndone | MergeReviewed
    ) -> "Chart":
        match event:
            case ChartMerged():
                told = replace(self, into=event.into, person=event.person, before=event.before)
            case ChartAbsorbed():
                told = replace(self, absorbed=self.absorbed | {event.chart})
            case MergeUndone() if event.merged == self.id:
                told = replace(self, into=None, person=event.person, before=None)
            case MergeUndone():
                told = replace(self, absorbed=self.absorbed - {event.merged})
            case _:
                return replace(self, under_review=False)
        return replace(told, under_review=True)


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
            case LinkUndone():
                return replace(self, charts=self.charts - {event.chart})
        return self


def number_of(identifier: Identifier) -> str:
    """What a chart is reserved by: `system|value` of the identifier that it was opened under."""
    return f"{identifier.system}|{identifier.value}"
