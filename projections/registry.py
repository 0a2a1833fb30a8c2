"""Charts with their demographics, whose they are, what they are merged into, and matches."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain import registry
from domain.kernel.event import Erased, Recorded, Unknown
from domain.kernel.readmodel import Column, Drop, Panel, Projection, Put, Table, Write
from domain.kernel.values import Identifier, Moment
from domain.registry import (
    ChartAbsorbed,
    ChartLinked,
    ChartMerged,
    ChartOpened,
    ChartReassigned,
    Comparison,
    DeathCorrected,
    DeathReported,
    Demographics,
    DemographicsReported,
    LinkUndone,
    MatchConfirmed,
    MatchDismissed,
    MatchProposed,
    MergeReviewed,
    MergeUndone,
    PersonRegistered,
)
from projections.kernel.panels import document, panel_table

VERSION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRow:
    """What is shown of a chart's person."""

    demographics: Demographics
    identifier: Identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class DeathRow:
    """A reported death; the time where it is known."""

    at: Moment | None
    reported: datetime


CHART = panel_table("registry_chart", ChartRow)
DEATH = panel_table("registry_death", DeathRow)
LINK = Table("registry_link", (Column("person", "uuid"), Column("chart", "uuid")))
STREAM = Table("registry_stream", (Column("chart", "uuid"),), (Column("version", "bigint"),))
PERSON = Table("registry_person", (Column("person", "uuid"),), (Column("version", "bigint"),))
MERGE = Table("registry_merge", (Column("chart", "uuid"),), (Column("survivor", "uuid"),))
REVIEW = Table("registry_review", (Column("chart", "uuid"),), (Column("since", "timestamptz"),))
TOKEN = Table("registry_token", (Column("token", "blind"), Column("chart", "uuid")))
MATCH = Table(
    "registry_match",
    (Column("id", "uuid"),),
    (
        Column("first", "uuid"),
        Column("second", "uuid"),
        Column("position", "bigint"),
        Column("version", "bigint"),
    ),
    Comparison,
)
"""Proposals that wait for a decision."""
_IN_MERGE = (ChartReassigned, ChartMerged, ChartAbsorbed, MergeUndone)


def project(recorded: Recorded) -> Iterator[Write]:
    """Rows per chart, death, link, merge, review that is due, token and open proposal.

    What cannot be read closes: the links of that person, the grants and the merge of that chart.
    """
    event, stream, chart = recorded.event, recorded.header.stream, recorded.header.chart
    if chart is not None:
        yield Put(STREAM, {"chart": chart, "version": recorded.version})
    elif event.type_name in _OF_PERSONS:
        yield Put(PERSON, {"person": stream, "version": recorded.version})
    match event:
        case ChartOpened() | DemographicsReported():
            yield from _described(recorded, event)
        case DeathReported():
            row = DeathRow(at=event.at, reported=recorded.committed_at)
            yield document(DEATH, recorded, stream, row, at=event.at, state="reported")
        case DeathCorrected():
            yield Drop(DEATH, {"chart": chart})
        case ChartLinked():
            yield Put(LINK, {"person": stream, "chart": event.chart})
        case LinkUndone():
            yield Drop(LINK, {"person": stream, "chart": event.chart})
        case Erased() | Unknown() if (type(event), event.type_name) in _CLOSING:
            yield Drop(LINK, {"person": stream})
        case Erased(type_name=ChartOpened.type_name):
            yield Drop(CHART, {"chart": stream})
            yield Drop(TOKEN, {"chart": chart})
        case Erased(type_name=DemographicsReported.type_name):
            yield Drop(TOKEN, {"chart": chart})
        case MatchProposed() | MatchConfirmed() | MatchDismissed() | Erased() | Unknown() if (
            chart is None
        ):
            yield from _match(recorded)
        case _:
            yield from _merge(recorded)


def _described(recorded: Recorded, event: ChartOpened | DemographicsReported) -> Iterator[Write]:
    """What is newly known of a chart's patient; the tokens are those of the newest report."""
    chart = recorded.header.chart
    body = ChartRow(demographics=event.demographics, identifier=event.identifier)
    yield document(CHART, recorded, recorded.header.stream, body, at=None, state="open")
    if isinstance(event, DemographicsReported):
        yield Drop(TOKEN, {"chart": chart})
    for token in registry.tokens(event.identifier, event.demographics):
        yield Put(TOKEN, {"token": token, "chart": chart})


def _merge(recorded: Recorded) -> Iterator[Write]:
    event, chart = recorded.event, recorded.header.chart
    match event:
        case ChartMerged():
            yield Put(MERGE, {"chart": chart, "survivor": event.into})
        # It stands in both streams: nothing is written about a chart that may be set aside.
        case MergeUndone() if event.merged == chart:
            yield Drop(MERGE, {"chart": chart})
        case Erased() | Unknown() if event.type_name in _ENDING:
            yield Drop(MERGE, {"chart": chart})
        case MergeReviewed():
            yield Drop(REVIEW, {"chart": chart})
    unclear = isinstance(event, Erased | Unknown) and event.type_name in _NAMES
    linked = isinstance(event, ChartReassigned) and event.cause == "link"
    if unclear or (isinstance(event, _IN_MERGE) and not linked):
        yield Put(REVIEW, {"chart": chart, "since": recorded.committed_at})


def _match(recorded: Recorded) -> Iterator[Write]:
    event, stream = recorded.event, recorded.header.stream
    if not isinstance(event, MatchProposed):
        yield Drop(MATCH, {"id": stream})
        return
    values = {
        "id": stream,
        "first": event.chart,
        "second": event.candidate,
        "position": recorded.position,
        "version": recorded.version,
    }
    yield Put(MATCH, values, Comparison(score=event.score, evidence=event.evidence))


_OF_PERSONS = frozenset(kind.type_name for kind in (PersonRegistered, ChartLinked, LinkUndone))
_CLOSING = {
    (Erased, ChartLinked.type_name),
    (Erased, LinkUndone.type_name),
    (Unknown, LinkUndone.type_name),
}
_ENDING = (ChartMerged.type_name, MergeUndone.type_name)
_NAMES = frozenset(kind.type_name for kind in _IN_MERGE)
PROJECTION = Projection(
    "registry",
    VERSION,
    (CHART, DEATH, LINK, STREAM, PERSON, MERGE, REVIEW, TOKEN, MATCH),
    (
        ChartOpened,
        DemographicsReported,
        DeathReported,
        DeathCorrected,
        PersonRegistered,
        ChartLinked,
        LinkUndone,
        ChartReassigned,
        ChartMerged,
        ChartAbsorbed,
        MergeUndone,
        MergeReviewed,
        MatchProposed,
        MatchConfirmed,
        MatchDismissed,
    ),
    project,
)
demographics = Panel("registry.demographics", registry.view, CHART, "registry")
candidates = Panel("registry.candidates", registry.review, CHART, "registry")
deaths = Panel("registry.deaths", registry.view, DEATH, "registry")
