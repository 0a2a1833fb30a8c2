"""Charts with their demographics, and which person they belong to."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain import registry
from domain.kernel.event import Erased, Recorded
from domain.kernel.readmodel import Column, Drop, Panel, Projection, Put, Table, Write
from domain.kernel.values import Identifier, Moment
from domain.registry import (
    ChartLinked,
    ChartOpened,
    DeathReported,
    Demographics,
    DemographicsReported,
)
from projections.kernel.panels import document, panel_table

VERSION = 2


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


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per chart, one per death, one per link."""
    event, stream = recorded.event, recorded.header.stream
    match event:
        case ChartOpened() | DemographicsReported():
            body = ChartRow(demographics=event.demographics, identifier=event.identifier)
            yield document(CHART, recorded, stream, body, at=None, state="open")
        case DeathReported():
            row = DeathRow(at=event.at, reported=recorded.committed_at)
            yield document(DEATH, recorded, stream, row, at=event.at, state="reported")
        case ChartLinked():
            yield Put(LINK, {"person": stream, "chart": event.chart})
        case Erased(type_name=ChartOpened.type_name):
            yield Drop(CHART, {"chart": stream})


PROJECTION = Projection(
    "registry",
    VERSION,
    (CHART, DEATH, LINK),
    (ChartOpened, DemographicsReported, DeathReported, ChartLinked),
    project,
)
demographics = Panel("registry.demographics", registry.view, CHART, "registry")
deaths = Panel("registry.deaths", registry.view, DEATH, "registry")
