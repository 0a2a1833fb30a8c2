"""The trail: one row per event, findable by chart, actor, type and time.

A list of several charts is filed under each of them.

It holds routing only (positions and opaque ids): who, why and what are read from the event itself.
"""

from collections.abc import Iterator

from domain.audit import AccessRefused, ListViewed
from domain.kernel.event import Recorded
from domain.kernel.readmodel import Column, Projection, Put, Table, Write

VERSION = 1
TRAIL = Table(
    "audit_trail",
    (Column("position", "bigint"),),
    (
        Column("chart", "uuid"),
        Column("actor", "text"),
        Column("type", "text"),
        Column("stream", "uuid"),
        Column("at", "timestamptz"),
    ),
)
LISTED = Table("audit_listed", (Column("chart", "uuid"), Column("position", "bigint")))


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per event of any type; a refusal is filed under the chart that was asked for."""
    header, event = recorded.header, recorded.event
    chart = event.chart if isinstance(event, AccessRefused) else header.chart
    values = {
        "position": recorded.position,
        "chart": chart,
        "actor": recorded.context.actor,
        "type": header.type,
        "stream": header.stream,
        "at": recorded.committed_at,
    }
    yield Put(TRAIL, values)
    if isinstance(event, ListViewed):
        for listed in dict.fromkeys(entry.chart for entry in event.entries):
            yield Put(LISTED, {"chart": listed, "position": recorded.position})


PROJECTION = Projection(
    "audit", VERSION, (TRAIL, LISTED), (AccessRefused, ListViewed), project, everything=True
)
