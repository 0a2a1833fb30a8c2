"""Proxy grants in force: who may act for whom."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain import consent
from domain.consent import ProxyAccessGranted, ProxyAccessWithdrawn
from domain.kernel.event import Erased, Recorded, Unknown
from domain.kernel.readmodel import Column, Drop, Panel, Projection, Put, Table, Write
from domain.kernel.values import Moment
from projections.kernel.panels import document, panel_table

VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyRow:
    """A grant as its chart's person sees it; `version` is what a change must expect."""

    grantee: str
    kind: str
    scopes: tuple[str, ...]
    version: int
    granted: datetime
    until: datetime | None = None


PROXY = panel_table("consent_proxy", ProxyRow)
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
            row = ProxyRow(
                grantee=event.grantee,
                kind=event.kind,
                scopes=event.scopes,
                version=recorded.version,
                granted=recorded.committed_at,
                until=event.until,
            )
            at = Moment(recorded.committed_at.isoformat())
            yield document(PROXY, recorded, header.stream, row, at=at, state="granted")
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
        case ProxyAccessWithdrawn() | Erased() | Unknown(type_name=ProxyAccessWithdrawn.type_name):
            yield Drop(PROXY, {"chart": header.chart, "id": header.stream})
            yield Drop(GRANT, {"chart": header.chart, "stream": header.stream})


PROJECTION = Projection(
    "consent", VERSION, (PROXY, GRANT), (ProxyAccessGranted, ProxyAccessWithdrawn), project
)
proxies = Panel("consent.proxies", consent.view, PROXY, "consent")
