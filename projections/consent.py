"""Proxy grants in force: who may act for whom."""

from collections.abc import Iterator

from domain.consent import ProxyAccessGranted, ProxyAccessWithdrawn
from domain.kernel.event import Erased, Recorded
from domain.kernel.readmodel import Column, Drop, Projection, Put, Table, Write

VERSION = 1
GRANT = Table(
    "consent_grant",
    (Column("chart", "uuid"), Column("stream", "uuid")),
    (
        Column("grantee", "uuid"),
        Column("kind", "text"),
        Column("scopes", "text[]"),
        Column("until", "timestamptz"),
        Column("version", "bigint"),
    ),
)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per grant that is not withdrawn."""
    event, header = recorded.event, recorded.header
    match event:
        case ProxyAccessGranted():
            yield Put(
                GRANT,
                {
                    "chart": header.chart,
                    "stream": header.stream,
                    "grantee": event.grantee,
                    "kind": event.kind,
                    "scopes": list(event.scopes),
                    "until": event.until,
                    "version": recorded.version,
                },
            )
        case ProxyAccessWithdrawn() | Erased():
            yield Drop(GRANT, {"chart": header.chart, "stream": header.stream})


PROJECTION = Projection(
    "consent", VERSION, (GRANT,), (ProxyAccessGranted, ProxyAccessWithdrawn), project
)
