"""Keyset connections (Relay Cursor Connections): forward only, stable under concurrent writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, TypeVar, cast
from uuid import UUID

import strawberry

from domain.kernel.readmodel import Panel, Row, Select
from domain.kernel.refusal import Refusal
from domain.kernel.rule import anyone, may
from schema.kernel.context import Ids, SchemaContext
from schema.kernel.ruled import ruled, said

MAX_PAGE = 100
T = TypeVar("T")
Info = strawberry.Info[SchemaContext, None]
shape = may("schema.shape", anyone)
"""The rule of types that carry no data of their own: what they hold was ruled where it was read."""

First = Annotated[
    int, strawberry.argument(description=f"How many at most, 1 to {MAX_PAGE}; 20 unless given.")
]
After = Annotated[
    str | None, strawberry.argument(description="The cursor after which the page begins.")
]


class PageSizeRefused(Refusal):
    """A page holds 1 to 100 entries. Ask for a number in that range."""

    first: int


class CursorInvalid(Refusal):
    """This cursor is not one of ours. Start again from the first page."""


@strawberry.type(directives=ruled(shape), description="Where a page ends and whether more follows.")
class PageInfo:
    """Relay PageInfo; pages go forward only."""

    has_next_page: bool = said("Whether more entries follow.")
    has_previous_page: bool = said("Whether this page began after a cursor.")
    start_cursor: str | None = said("The cursor of the first entry.")
    end_cursor: str | None = said("The cursor of the last entry; give it as `after`.")


@strawberry.type(directives=ruled(shape), description="An entry of a connection.")
class Edge(Generic[T]):
    """Relay Edge."""

    cursor: str = said("Stands for this entry's place in the list.")
    node: T = said("The entry.")


@strawberry.type(directives=ruled(shape), description="A page of a list.")
class Connection(Generic[T]):
    """Relay Connection."""

    edges: list[Edge[T]] = said("The entries of this page, in order.")
    page_info: PageInfo = said("Where this page ends.")


def checked(first: int) -> int:
    """A page size within bounds. Raises PageSizeRefused."""
    if not 1 <= first <= MAX_PAGE:
        raise PageSizeRefused(first=first)
    return first


@dataclass(frozen=True, slots=True)
class _Places:
    """The cursors of a page, worked out when they are selected."""

    ids: Ids
    places: "Sequence[Place]"
    more: bool
    began_after: bool

    @property
    def has_next_page(self) -> bool:
        return self.more

    @property
    def has_previous_page(self) -> bool:
        return self.began_after

    @property
    def start_cursor(self) -> str | None:
        return self.ids.to_cursor(_text(self.places[0])) if self.places else None

    @property
    def end_cursor(self) -> str | None:
        return self.ids.to_cursor(_text(self.places[-1])) if self.places else None


@dataclass(frozen=True, slots=True)
class _Placed(Generic[T]):
    """An entry with its place in the list."""

    ids: Ids
    place: "Place"
    node: T

    @property
    def cursor(self) -> str:
        return self.ids.to_cursor(_text(self.place))


def connected(
    ids: Ids, nodes: Sequence[T], places: "Sequence[Place]", *, more: bool, began_after: bool
) -> Connection[T]:
    """A connection of nodes; `places` are what their cursors stand for."""
    placed = [_Placed(ids, place, node) for place, node in zip(places, nodes, strict=True)]
    return Connection(
        edges=cast("list[Edge[T]]", placed),
        page_info=cast(PageInfo, _Places(ids, places, more, began_after)),
    )


async def panel_page(
    info: Info,
    panel: Panel,
    where: "Where",
    first: int,
    after: str | None,
    node: Callable[[SchemaContext, Row], T],
    kind: str | None = None,
    matching: tuple[tuple[str, str], ...] = (),
) -> Connection[T]:
    """One ruled read of a panel as a connection."""
    context = info.context
    select = Select(
        panel=panel,
        chart=where.chart,
        first=checked(first),
        after=None if after is None else place_of(context, after),
        kind=kind,
        matching=matching,
        others=where.others,
    )
    page = await context.read(select, where.as_of)
    return connected(
        context.ids,
        [node(context, row) for row in page.rows],
        [(row.at, row.id) for row in page.rows],
        more=page.more,
        began_after=after is not None,
    )


class Where:
    """Whose record, and as of which position (None: now).

    `others` are charts of the same patient that are read as one with `chart`.
    """

    def __init__(self, chart: str, as_of: int | None = None, others: tuple[str, ...] = ()) -> None:
        self.chart = chart
        self.as_of = as_of
        self.others = others


Place = str | tuple[datetime, str]
"""What a cursor stands for: a text, or the time and id of a row."""


def _text(place: Place) -> str:
    return place if isinstance(place, str) else f"{place[0].isoformat()}|{place[1]}"


def place_of(context: SchemaContext, cursor: str) -> tuple[datetime, str]:
    """The (at, id) that a cursor stands for. Raises CursorInvalid."""
    at, _, ident = context.ids.from_cursor(cursor).partition("|")
    try:
        return datetime.fromisoformat(at), str(UUID(ident))
    except ValueError:
        raise CursorInvalid from None
