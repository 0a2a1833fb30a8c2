"""The id map: which of our streams a resource of a source became, and in which version.

Found by a keyed hash of system, type and id there, so that the table tells nobody where a patient
was treated. Whatever event has a `source` is in it, without being named here.
"""

from collections.abc import Iterable, Iterator

from domain.kernel.event import Erased, Event, Recorded
from domain.kernel.readmodel import Column, Drop, Projection, Put, Table, Write
from domain.kernel.values import Source

VERSION = 1
MAP = Table(
    "sources_map",
    (Column("origin", "blind"),),
    (
        Column("stream", "uuid"),
        Column("chart", "uuid"),
        Column("type", "text"),
        Column("version", "bigint"),
        Column("position", "bigint"),
        Column("updated", "timestamptz"),
        Column("digest", "text"),
        Column("label", "blind"),
        Column("source_version", "blind"),
    ),
)


def origin(system: str, kind: str, ident: str) -> str:
    """What a resource is known by: its system, its type and its id there."""
    return f"{system}|{kind}|{ident}"


def stated_by(event: object) -> tuple[Source, ...]:
    """The resources that an event states: a report brings its observations."""
    several: tuple[Source, ...] | None = getattr(event, "sources", None)
    if several is not None:
        return several
    one: Source | None = getattr(event, "source", None)
    return (one,) if one else ()


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per resource of a source: the stream it stands in, as of this event."""
    event, header = recorded.event, recorded.header
    if isinstance(event, Erased):
        yield Drop(MAP, {"stream": header.stream})
        return
    for source in stated_by(event):
        values = {
            "origin": origin(source.system, source.type, source.id),
            "stream": header.stream,
            "chart": header.chart,
            "type": source.type,
            "version": recorded.version,
            "position": recorded.position,
            "updated": recorded.committed_at,
            "digest": source.digest or "",
            "label": event.category if isinstance(event, Event) else "",
            "source_version": source.version or "",
        }
        yield Put(MAP, values)


def of_types(types: Iterable[type[Event]]) -> Projection:
    """The projection of every event type that has a source."""
    having = (kind for kind in types if "source" in kind.__annotations__)
    opens = tuple(sorted(having, key=lambda kind: kind.type_name))
    return Projection("sources", VERSION, (MAP,), opens, project)
