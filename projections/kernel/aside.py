"""What is set aside now: received resources that wait for their patient or for a repair."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.kernel.event import Erased, Recorded
from domain.kernel.readmodel import Column, Drop, Projection, Put, Table, Write
from domain.kernel.values import Source
from domain.records import ResourceDismissed, ResourceRepaired, ResourceSetAside
from projections.kernel.panels import own_key
from projections.kernel.sources import origin

VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AsideRow:
    """Where the bytes lie, and where in them it went wrong; `version` is what a repair expects."""

    original: Source
    version: int
    at: str | None = None
    index: int | None = None
    url: str | None = None


ASIDE = Table(
    "aside_resource",
    (Column("id", "uuid"),),
    (
        Column("origin", "blind"),
        Column("reason", "text"),
        Column("type", "text"),
        Column("position", "bigint"),
        Column("at", "timestamptz"),
    ),
    AsideRow,
)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per resource that is set aside, gone when it is repaired, dismissed or erased."""
    event, stream = recorded.event, recorded.header.stream
    match event:
        case ResourceSetAside():
            one = event.original
            values = {
                "id": stream,
                "origin": origin(one.system, one.type, one.id),
                "reason": event.reason,
                "type": one.type,
                "position": recorded.position,
                "at": recorded.committed_at,
            }
            row = AsideRow(
                original=one,
                version=recorded.version,
                at=event.at,
                index=event.index,
                url=event.url,
            )
            own = own_key(recorded)
            yield Put(ASIDE, values, row, owner=recorded.header.chart, key=own)
        case ResourceRepaired() | ResourceDismissed() | Erased():
            yield Drop(ASIDE, {"id": stream})


PROJECTION = Projection(
    "aside", VERSION, (ASIDE,), (ResourceSetAside, ResourceRepaired, ResourceDismissed), project
)
