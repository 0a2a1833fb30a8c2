"""Visits, teams and orders, and the care relationships that follow from visits and teams."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain import care
from domain.care import (
    TREATING,
    CareTeamChanged,
    CareTeamJoined,
    CareTeamLeft,
    CareTeamReported,
    EncounterCorrected,
    EncounterRelabelled,
    EncounterReported,
    EncounterWithdrawn,
    Order,
    OrderAnswered,
    OrderReported,
    Team,
    Visit,
    waits,
)
from domain.kernel.event import Erased, Recorded, Unknown
from domain.kernel.labels import Label
from domain.kernel.readmodel import Column, Drop, Panel, Projection, Put, Table, Write
from domain.kernel.values import Moment, Period, Source
from projections.kernel.panels import document, likeness, panel_table

VERSION = 4
AFTERCARE = timedelta(days=180)
"""How long a finished encounter still is a treating relationship."""
WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRow:
    """A visit with where it was stated and when it reached us."""

    visit: Visit
    received: datetime
    version: int
    labels: tuple[Label, ...] = ()
    corrected: bool = False
    source: Source | None = None
    occurred: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamRow:
    """A care team or an episode of care."""

    team: Team
    received: datetime
    version: int
    labels: tuple[Label, ...] = ()
    corrected: bool = False
    source: Source | None = None
    occurred: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order, and whether a result of it is here."""

    order: Order
    received: datetime
    version: int
    answered: bool = False
    labels: tuple[Label, ...] = ()
    corrected: bool = False
    source: Source | None = None
    occurred: Moment | None = None


ENCOUNTER = panel_table("care_encounter", VisitRow)
TEAM = panel_table("care_team", TeamRow)
ORDER = panel_table("care_order", OrderRow)
RELATION = Table(
    "care_relation",
    (Column("chart", "uuid"), Column("practitioner", "uuid"), Column("reference", "uuid")),
    (Column("since", "timestamptz"), Column("until", "timestamptz"), Column("version", "bigint")),
)
VisitStated = EncounterReported | EncounterCorrected | EncounterRelabelled
_CLOSING = frozenset(
    kind.type_name
    for kind in (CareTeamLeft, CareTeamChanged, EncounterCorrected, EncounterWithdrawn)
)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per visit, team and order, one per practitioner and reason of the relationship."""
    event, stream = recorded.event, recorded.header.stream
    chart = recorded.header.chart
    match event:
        case EncounterReported() | EncounterCorrected() | EncounterRelabelled():
            yield from _visit(recorded, event)
        case CareTeamReported() | CareTeamChanged():
            yield from _team(recorded, event)
        case OrderReported() | OrderAnswered():
            yield from _order(recorded, event)
        case CareTeamJoined():
            since = recorded.committed_at
            yield _relation(recorded, event.practitioner, since, None)
        case CareTeamLeft():
            yield Drop(RELATION, {"chart": chart, "reference": stream})
        case EncounterWithdrawn():
            yield Drop(ENCOUNTER, {"chart": chart, "id": stream})
            yield Drop(RELATION, {"chart": chart, "reference": stream})
        case Erased():
            yield from _gone(chart, stream)
        case Unknown(type_name=name) if name in _CLOSING:
            # What it takes away cannot be read: nothing of this stream opens anything.
            yield from _gone(chart, stream)


def _gone(chart: str | None, stream: str) -> Iterator[Write]:
    for table in (ENCOUNTER, TEAM, ORDER):
        yield Drop(table, {"chart": chart, "id": stream})
    yield Drop(RELATION, {"chart": chart, "reference": stream})


def _visit(recorded: Recorded, event: VisitStated) -> Iterator[Write]:
    visit = event.visit
    start, end = _bounds(visit.period)
    row = VisitRow(
        visit=visit,
        received=recorded.committed_at,
        version=recorded.version,
        labels=event.labels,
        corrected=isinstance(event, EncounterCorrected),
        source=event.source,
        occurred=start,
    )
    yield document(
        ENCOUNTER,
        recorded,
        event.encounter,
        row,
        at=start,
        state=visit.status,
        labels=event.labels,
        source=event.source,
    )
    if recorded.version > 1:
        yield Drop(RELATION, {"chart": recorded.header.chart, "reference": event.encounter})
    if visit.status not in TREATING:
        return
    for practitioner in visit.practitioners:
        since = _instant(start) or recorded.committed_at
        ended = _instant(end)
        until = None if ended is None else ended + AFTERCARE
        yield _relation(recorded, practitioner, since, until)


def _team(recorded: Recorded, event: CareTeamReported | CareTeamChanged) -> Iterator[Write]:
    team = event.team
    start, end = _bounds(team.period)
    row = TeamRow(
        team=team,
        received=recorded.committed_at,
        version=recorded.version,
        labels=event.labels,
        corrected=isinstance(event, CareTeamChanged),
        source=event.source,
        occurred=start,
    )
    yield document(
        TEAM,
        recorded,
        recorded.header.stream,
        row,
        at=start,
        state=team.status,
        kind=team.kind,
        labels=event.labels,
        source=event.source,
    )
    if recorded.version > 1:
        yield Drop(RELATION, {"chart": recorded.header.chart, "reference": recorded.header.stream})
    if team.status != "active":
        return
    for member in team.members:
        if member.practitioner is not None:
            joined, left = _bounds(member.period)
            since = _instant(joined or start) or recorded.committed_at
            yield _relation(recorded, member.practitioner, since, _instant(left or end))


def _order(recorded: Recorded, event: OrderReported | OrderAnswered) -> Iterator[Write]:
    order = event.order
    if order is None:
        return
    answered = isinstance(event, OrderAnswered) or event.answered
    row = OrderRow(
        order=order,
        received=recorded.committed_at,
        version=recorded.version,
        answered=answered,
        labels=event.labels,
        source=event.source,
        occurred=order.authored,
    )
    yield document(
        ORDER,
        recorded,
        recorded.header.stream,
        row,
        at=order.authored,
        state=order.status,
        kind=WAITING if waits(order, answered=answered) else "done",
        labels=event.labels,
        alike=likeness(order.concept, order.authored, order.status),
        source=event.source,
    )


def _bounds(period: Period | None) -> tuple[Moment | None, Moment | None]:
    return (None, None) if period is None else (period.start, period.end)


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
    (ENCOUNTER, TEAM, ORDER, RELATION),
    (
        EncounterReported, EncounterCorrected, EncounterRelabelled, EncounterWithdrawn,
        CareTeamJoined, CareTeamLeft, CareTeamReported, CareTeamChanged,
        OrderReported, OrderAnswered,
    ),
    project,
)  # fmt: skip
visits = Panel("care.visits", care.view, ENCOUNTER, "care")
teams = Panel("care.teams", care.view, TEAM, "care")
orders = Panel("care.orders", care.view, ORDER, "care")
