"""Panels: the tables of row documents and the rows in them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from domain.kernel.event import Event, Recorded
from domain.kernel.labels import Label, category
from domain.kernel.readmodel import Column, Put, Table
from domain.kernel.values import Concept, Moment, Source

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def panel_table(name: str, body: type[Any], *more: Column) -> Table:
    """The table of a panel: one row document per business object and sensitive category.

    `at` orders the panel, `state` is the object's status, `kind` its class, `position` the event
    that wrote the row, `item` the business object's stream, `label` its sensitive category,
    `alike` what the same fact of another source has in common with it, `source` the system that
    stated it. `more` columns are the panel's own.
    """
    return Table(
        name,
        (Column("chart", "uuid"), Column("id", "uuid")),
        (
            Column("at", "timestamptz"),
            Column("state", "text"),
            Column("kind", "text"),
            Column("position", "bigint"),
            Column("item", "uuid"),
            Column("label", "blind"),
            Column("alike", "blind"),
            Column("source", "blind"),
            *more,
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
    labels: Iterable[Label] = (),
    alike: str = "",
    source: Source | None = None,
    **more: object,
) -> Put:
    """A panel's row for an object of the event's chart; an undated object sorts last."""
    header = recorded.header
    chart, sensitive = header.chart, category(labels) if labels else ""
    values = {
        "chart": chart,
        "id": ident,
        "at": _instant(at),
        "state": state,
        "kind": kind,
        "position": recorded.position,
        "item": header.stream,
        "label": sensitive,
        "alike": alike,
        "source": source.system if source else "",
        **more,
    }
    return Put(table, values, body, owner=chart, category=sensitive, key=own_key(recorded))


def own_key(recorded: Recorded) -> str | None:
    """The key of an event whose body has one of its own: its rows go when it is destroyed."""
    event = recorded.event
    return recorded.header.key if isinstance(event, Event) and event.sealed_alone else None


def likeness(concept: Concept, at: Moment | None, *more: str) -> str:
    """What two sources' statements of one fact have in common: first code or words, and the day.

    Nothing where the fact has no date, since then nothing tells one occasion from another.
    """
    if at is None:
        return ""
    named = code_of(concept)
    return "\n".join((named, at.text[:10], *more)) if named else ""


def code_of(concept: Concept) -> str:
    """`system|code` of the first coding, else the words in small letters."""
    coded = next((f"{c.system or ''}|{c.code}" for c in concept.codings if c.code), None)
    return coded or concept.words.casefold()


def _instant(at: Moment | None) -> datetime:
    if at is None:
        return LONG_AGO
    try:
        return at.instant
    except ValueError:
        return LONG_AGO
