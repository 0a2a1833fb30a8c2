"""Linking, merging and taking both back: whose chart it is, as reversible acts.

One act writes the charts, the persons concerned and the pair of charts at once. Charts that were
merged into a chart move with it. Grants are never moved: a grant opens the chart that it names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.kernel.command import OWN, At, Command, Reserved, State, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Event
from domain.kernel.refusal import NotFound, Refusal
from domain.registry.charts import (
    Chart,
    ChartAbsorbed,
    ChartLinked,
    ChartMerged,
    ChartReassigned,
    LinkUndone,
    MergeReviewed,
    MergeUndone,
    Person,
    decide,
    number_of,
)
from domain.registry.matches import Match, MatchConfirmed, MatchDismissed, match_stream

States = tuple[State, ...]


class SameChart(Refusal):
    """A chart cannot be linked to or merged with itself. Name two charts."""


class MergedElsewhere(Refusal):
    """This chart is a part of another one since a merge. Undo that merge, or name that chart."""


class NothingToUndo(Refusal):
    """This chart belongs to the person that it was opened for; there is no link to undo."""


class NotMerged(Refusal):
    """This chart is not merged into another one; there is nothing to undo."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """The states of an act by kind."""

    charts: dict[str, Chart]
    persons: dict[str, Person]
    pairs: tuple[Match, ...]

    @classmethod
    def of(cls, states: States) -> "_Scene":
        return cls(
            {state.id: state for state in states if isinstance(state, Chart)},
            {state.id: state for state in states if isinstance(state, Person)},
            tuple(state for state in states if isinstance(state, Match)),
        )

    def opened(self, chart: str) -> Chart:
        """The chart. Raises NotFound."""
        found = self.charts[chart]
        if not found.opened:
            raise NotFound()
        return found

    def owner(self, chart: str) -> Person:
        """The person that the chart is linked to. Raises NotFound where they were erased."""
        owners = [person for person in self.persons.values() if chart in person.charts]
        if not owners:
            raise NotFound()
        return owners[0]

    def below(self, chart: Chart) -> Iterator[Chart]:
        """The charts that were merged into it, and into those, in order of their ids."""
        for ident in sorted(chart.absorbed):
            if ident in self.charts:
                yield self.charts[ident]
                yield from self.below(self.charts[ident])

    def missing(self, chart: Chart) -> set[str]:
        """Charts merged into it that are not loaded yet."""
        family = (chart, *self.below(chart))
        return {ident for one in family for ident in one.absorbed} - self.charts.keys()

    def move(self, chart: Chart, to: str, evidence: str, reason: str) -> Iterator[At]:
        """Link the chart, and those merged into it, to another person."""
        for one in (chart, *self.below(chart)):
            here = self.owner(one.id).id
            if here == to:
                continue
            yield At(here, LinkUndone(chart=one.id, reason=reason))
            yield At(to, ChartLinked(chart=one.id, evidence=evidence))
            if one is not chart:
                follows = ChartReassigned(person=to, before=here, cause="with-survivor")
                yield At(one.id, follows)


def _chart_stream(chart: str) -> Stream:
    return Stream(fold=Chart, id=chart, chart=chart)


def _person_streams(*charts: Chart) -> Iterator[Stream]:
    """The persons that these charts belong to, and those they belonged to before."""
    known = {person for one in charts for person in _persons_of(one)}
    for person in sorted(known):
        yield Stream(fold=Person, id=person, owner=OWN)
    first = {number_of(one.opened_under) for one in charts if not one.person and one.opened_under}
    for number in sorted(first):
        reserved = Reserved("registry.person-of-chart", number)
        yield Stream(fold=Person, reserved=reserved, owner=OWN)


def _persons_of(chart: Chart) -> Iterator[str]:
    yield from filter(None, (chart.person, chart.before))
    if chart.links:
        yield chart.links[-1][0]


def _further(states: States, moving: str, *more: Stream) -> tuple[Stream, ...]:
    """First the persons of the charts and `more`, then the charts merged into what moves."""
    scene = _Scene.of(states)
    if not all(chart.opened for chart in scene.charts.values()):
        return ()
    missing = scene.missing(scene.charts[moving])
    charts = tuple(_chart_stream(chart) for chart in sorted(missing))
    if scene.persons:
        return charts
    return (*_person_streams(*scene.charts.values()), *more, *charts)


class LinkCharts(Command[States], name="registry.link-charts", rule=decide):
    """Say that a chart is the person's to whom the chart `beside` belongs (A24, A44).

    `automatic` marks the decision of a strong identifier. It links a chart that is still alone
    with its first person, and never a pair that a person dismissed or took back.
    """

    chart: str
    beside: str
    evidence: tuple[str, ...]
    reason: str = ""
    automatic: bool = False
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Both charts and the pair."""
        pair = match_stream(self.chart, self.beside)
        return (_chart_stream(self.chart), _chart_stream(self.beside), pair)

    @property
    def expected_version(self) -> int | None:
        """The version of the chart that the client saw."""
        return self.seen_version

    def further(self, states: States) -> tuple[Stream, ...]:
        """The persons, and the charts that move along."""
        return _further(states, self.chart)

    def subject(self, _state: States) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: States, _now: datetime) -> Iterator[Event | At]:
        """Nothing when both are one person's already."""
        if self.chart == self.beside:
            raise SameChart()
        scene = _Scene.of(state)
        chart, beside = scene.opened(self.chart), scene.opened(self.beside)
        (pair,) = scene.pairs
        before, person = scene.owner(chart.id).id, scene.owner(beside.id).id
        alone = not chart.links and scene.persons[before].charts == {chart.id}
        if self.automatic and not (alone and pair.decision in ("", "proposed")):
            return
        if before != person:
            if chart.into is not None:
                raise MergedElsewhere()
            yield ChartReassigned(person=person, before=before, cause="link", beside=beside.id)
            evidence = " ".join(self.evidence)
            yield from scene.move(chart, person, evidence, self.reason or evidence)
        if before != person or pair.decision == "proposed":
            confirmed = MatchConfirmed(chart=chart.id, candidate=beside.id, evidence=self.evidence)
            yield At(pair.id, confirmed)


class UndoLink(Command[States], name="registry.undo-link", rule=decide):
    """Give a chart back to the person before the last link (A37); its grants wait for review."""

    chart: str
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The chart."""
        return (_chart_stream(self.chart),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def further(self, states: States) -> tuple[Stream, ...]:
        """The persons, the pair, and the charts that move along."""
        links = _Scene.of(states).charts[self.chart].links
        pairs = [match_stream(self.chart, beside) for _, beside in links[-1:]]
        return _further(states, self.chart, *pairs)

    def subject(self, _state: States) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: States, _now: datetime) -> Iterator[Event | At]:
        """Refused for a chart that was never linked, and for one that is merged."""
        scene = _Scene.of(state if isinstance(state, tuple) else (state,))
        chart = scene.opened(self.chart)
        if chart.into is not None:
            raise MergedElsewhere()
        if not chart.links:
            raise NothingToUndo()
        person, beside = chart.links[-1]
        before = scene.owner(chart.id).id
        yield ChartReassigned(person=person, before=before, cause="link-undone", beside=beside)
        yield from scene.move(chart, person, "link undone", self.reason)
        for pair in scene.pairs:
            yield At(pair.id, _two_persons(chart.id, beside, self.reason))


class MergeCharts(Command[States], name="registry.merge-charts", rule=decide):
    """Read a chart as a part of the chart `into` (A34-A36, A40); grants of both wait for review."""

    chart: str
    into: str
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Both charts and the pair."""
        return (
            _chart_stream(self.chart),
            _chart_stream(self.into),
            match_stream(self.chart, self.into),
        )

    @property
    def expected_version(self) -> int | None:
        """The version of the merged chart that the client saw."""
        return self.seen_version

    def further(self, states: States) -> tuple[Stream, ...]:
        """The persons, and the charts that move along."""
        return _further(states, self.chart)

    def subject(self, _state: States) -> Subject:
        """The chart that is merged."""
        return Subject(chart=self.chart)

    def decide(self, state: States, _now: datetime) -> Iterator[Event | At]:
        """Nothing when it is merged into that chart already."""
        if self.chart == self.into:
            raise SameChart()
        scene = _Scene.of(state)
        chart, survivor = scene.opened(self.chart), scene.opened(self.into)
        if chart.into == survivor.id:
            return
        if chart.into is not None or survivor.into is not None:
            raise MergedElsewhere()
        before, person = scene.owner(chart.id).id, scene.owner(survivor.id).id
        yield ChartMerged(into=survivor.id, person=person, before=before, reason=self.reason)
        yield At(survivor.id, ChartAbsorbed(chart=chart.id))
        yield from scene.move(chart, person, "merge", self.reason)
        (pair,) = scene.pairs
        confirmed = MatchConfirmed(chart=chart.id, candidate=survivor.id, evidence=("merge",))
        yield At(pair.id, confirmed)


class UnmergeCharts(Command[States], name="registry.unmerge-charts", rule=decide):
    """Undo the merge of a chart: the links are those from before, grants wait for review."""

    chart: str
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The chart."""
        return (_chart_stream(self.chart),)

    @property
    def expected_version(self) -> int | None:
        """The version of the merged chart that the client saw."""
        return self.seen_version

    def further(self, states: States) -> tuple[Stream, ...]:
        """The survivor, the persons, the pair, and the charts that move along."""
        chart = _Scene.of(states).charts[self.chart]
        if chart.into is None:
            return ()
        if len(states) == 1:
            return (_chart_stream(chart.into), match_stream(chart.id, chart.into))
        return _further(states, self.chart)

    def subject(self, _state: States) -> Subject:
        """The chart that was merged."""
        return Subject(chart=self.chart)

    def decide(self, state: States, _now: datetime) -> Iterator[Event | At]:
        """Refused for a chart that is not merged."""
        scene = _Scene.of(state if isinstance(state, tuple) else (state,))
        chart = scene.opened(self.chart)
        if chart.into is None or chart.before is None:
            raise NotMerged()
        undone = MergeUndone(
            merged=chart.id, survivor=chart.into, person=chart.before, reason=self.reason
        )
        yield undone
        yield At(chart.into, undone)
        yield from scene.move(chart, chart.before, "merge undone", self.reason)
        (pair,) = scene.pairs
        yield At(pair.id, _two_persons(chart.id, chart.into, self.reason))


class ReviewMerge(Command[Chart], name="registry.review-merge", rule=decide):
    """Say that the grants of a chart were reviewed; they are in force again."""

    chart: str
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The chart."""
        return (_chart_stream(self.chart),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Chart) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Chart, _now: datetime) -> Iterator[Event]:
        """Nothing when no review is due."""
        if not state.opened:
            raise NotFound()
        if state.under_review:
            yield MergeReviewed(reason=self.reason)


def _two_persons(chart: str, candidate: str, reason: str) -> MatchDismissed:
    return MatchDismissed(chart=chart, candidate=candidate, reason=reason)
