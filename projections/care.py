"""Visits, and the care relationships that follow from visits and care teams."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain import care
from domain.care import (
    TREATING,
    CareTeamJoined,
    CareTeamLeft,
    EncounterCorrected,
    EncounterReported,
    Visit,
)
from domain.kernel.event import Erased, Recorded, Unknown
from domain.kernel.readmodel import Column, Drop, Panel, Projection, Put, Table, Write
from domain.kernel.values import Moment, Source
from projections.kernel.panels import document, panel_table

VERSION = 3
AFTERCARE = timedelta(days=180)
"""How long a finished encounter still is a treating relationship."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRow:
    """A visit with where it was stated and when it reached us."""

    visit: Visit
    received: datetime
    source: Source | None = None


ENCOUNTER = panel_table("care_encounter", VisitRow)
RELATION = Table(
    "care_relation",
    (Column("chart", "uuid"), Column("practitioner", "uuid"), Column("reference", "uuid")),
    (Column("since", "timestamptz"), Column("until", "timestamptz"), Column("version", "bigint")),
)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per visit, one per practitioner and reason of the relationship."""
    event, stream = recorded.event, recorded.header.stream
    chart = recorded.header.chart
    match event:
        case EncounterReported() | EncounterCorrected():
            yield from _visit(recorded, event)
        case CareTeamJoined():
            since = recorded.committed_at
            yield _relation(recorded, event.practitioner, since, None)
        case CareTeamLeft():
            yield Drop(RELATION, {"chart": chart, "reference": stream})
        case (
            Erased()
            | Unknown(type_name=CareTeamLeft.type_name)
            | Unknown(type_name=EncounterCorrected.type_name)
        ):
            yield Drop(ENCOUNTER, {"chart": chart, "id": stream})
            yield Drop(RELATION, {"chart": chart, "reference": stream})


def _visit(recorded: Recorded, event: EncounterReported | EncounterCorrected) -> Iterator[Write]:
    visit = event.visit
    start = None if visit.period is None else visit.period.start
    row = VisitRow(visit=visit, received=recorded.committed_at, source=event.source)
    yield document(
        ENCOUNTER,
        recorded,
        event.encounter,
        row,
        at=start,
        state=visit.status,
        source=event.source,
    )
    if recorded.version > 1:
        yield Drop(RELATION, {"chart": recorded.header.chart, "reference": event.encounter})
    if visit.status not in TREATING:
        return
    for practitioner in visit.practitioners:
        since = _instant(start) or recorded.committed_at
        ended = _instant(None if visit.period is None else visit.period.end)
        until = None if ended is None else ended + AFTERCARE
        yield _relation(recorded, practitioner, since, until)


def _instant(moment: Moment | None) -> datetime | None:
    """The instant, or None: systems write the years 1 and 9999 where they know none."""
    try:
        instant = None if moment is None else moment.instant
    except ValueError:
        return None
    return instant if instant is not None and 1900 <= instant.year < 2200 else None


def _relation(
    recorded: Recorded, practitioner: str, since: datetime, until: datetime | None
) -> Put:
    values = {
        "chart": recorded.header.chart,
        "practitioner": practitioner,
        "reference": recorded.header.stream,
        "since": since,
        "until": until,
        "version": recorded.version,
    }
    return Put(RELATION, values)


PROJECTION = Projection(
    "care",
    VERSION,
    (ENCOUNTER, RELATION),
    (EncounterReported, EncounterCorrected, CareTeamJoined, CareTeamLeft),
    project,
)
visits = Panel("care.visits", care.view, ENCOUNTER, "care")
