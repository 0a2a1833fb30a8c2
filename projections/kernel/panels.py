"""Panels: the tables of row documents and the rows in them."""

from datetime import UTC, datetime
from typing import Any

from domain.kernel.event import Recorded
from domain.kernel.readmodel import Column, Put, Table
from domain.kernel.values import Moment

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def panel_table(name: str, body: type[Any]) -> Table:
    """The table of a panel: one row document per business object of a chart.

    `at` orders the panel, `state` is the object's status, `kind` its class, `position` the event
    that wrote the row.
    """
    return Table(
        name,
        (Column("chart", "uuid"), Column("id", "uuid")),
        (
            Column("at", "timestamptz"),
            Column("state", "text"),
            Column("kind", "text"),
            Column("position", "bigint"),
        ),
        body,
    )


def document(
    table: Table,
    recorded: Recorded,
    ident: str,
    body: object,
    *,
    at: Moment | None,
    state: str,
    kind: str = "",
) -> Put:
    """A panel's row for an object of the event's chart; an undated object sorts last."""
    chart = recorded.header.chart
    values = {
        "chart": chart,
        "id": ident,
        "at": _instant(at),
        "state": state,
        "kind": kind,
        "position": recorded.position,
    }
    return Put(table, values, body, owner=chart)


def _instant(at: Moment | None) -> datetime:
    if at is None:
        return LONG_AGO
    try:
        return at.instant
    except ValueError:
        return LONG_AGO
