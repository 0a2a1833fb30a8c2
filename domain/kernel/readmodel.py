"""Read models: tables, writes, projections and named reads, all as data.

A projection is a pure function from event to writes. A table keeps keys, times and states clear
and everything else in one sealed body; `owner` names whose key seals it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.kernel.event import Event, Recorded
from domain.kernel.rule import Rule


@dataclass(frozen=True, slots=True)
class Column:
    """A clear column: its name and its PostgreSQL type.

    Type `blind` keeps a keyed hash of the text it is given: it can be compared, never read. Columns
    of one name hash equal texts alike, whatever the table; an empty text stays empty.
    """

    name: str
    type: str

    @property
    def sql(self) -> str:
        """The PostgreSQL type of what is stored."""
        return "bytea" if self.type == "blind" else self.type


@dataclass(frozen=True, slots=True)
class Table:
    """A table in schema `model`; every key starts with the tenant, which is not listed here.

    `body` is the dataclass of the sealed document, or None for a table without one.
    """

    name: str
    key: tuple[Column, ...]
    clear: tuple[Column, ...] = ()
    body: type[Any] | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """Key and clear columns, in order."""
        return self.key + self.clear


@dataclass(frozen=True, slots=True)
class Put:
    """Write the row with this key; `values` has a value for every clear and key column.

    `owner` names whose key seals the body, `category` the sensitive category of its compartment;
    `key` is the key of an event that has one of its own: what is shredded with the event.
    """

    table: Table
    values: Mapping[str, object]
    body: object = None
    owner: str | None = None
    category: str = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """Delete the rows whose columns equal these values."""

    table: Table
    where: Mapping[str, object]


Write = Put | Drop


@dataclass(frozen=True, slots=True)
class Projection:
    """A read model: its name, version, tables, the events it opens, and the function.

    `everything` makes it see every event, with bodies opened for `opens` only.
    """

    name: str
    version: int
    tables: tuple[Table, ...]
    opens: tuple[type[Event], ...]
    project: Callable[[Recorded], Iterator[Write]] = field(repr=False)
    everything: bool = False
    types: frozenset[str] = field(init=False, repr=False, compare=False)
    """The names of the event types whose bodies it needs."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", frozenset(kind.type_name for kind in self.opens))


@dataclass(frozen=True, slots=True)
class Panel:
    """A named, ruled read of row documents, newest first.

    Rows whose state is `hidden` are out of the normal view. Where the table knows what is `alike`,
    of the rows that several sources sent about one fact only the newest is shown.
    """

    name: str
    rule: Rule
    table: Table
    projection: str
    hidden: frozenset[str] = frozenset({"entered-in-error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """One use of a panel: whose, which page. `after` is the (at, id) of the row before.

    `others` are charts of the same patient that are read together with `chart`; `matching` names
    columns and the values that rows must have there.
    """

    panel: Panel
    chart: str
    first: int
    after: tuple[datetime, str] | None = None
    kind: str | None = None
    others: tuple[str, ...] = ()
    matching: tuple[tuple[str, str], ...] = ()

    @property
    def charts(self) -> tuple[str, ...]:
        """Every chart that is read, the one that was asked for first."""
        return (self.chart, *self.others)


@dataclass(frozen=True, slots=True)
class Row:
    """A row document as read: clear columns and the opened body.

    `alike` are the rows of other sources about the same fact, newest first.
    """

    id: str
    chart: str
    at: datetime
    state: str
    kind: str
    position: int
    body: Any
    alike: tuple["Row", ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A page of rows in order, and whether more follow."""

    rows: tuple[Row, ...]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page of charts by their newest row: none later than `until`, after this (at, chart)."""

    first: int
    until: datetime
    after: tuple[datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class ListedChart:
    """A chart in a list that is ordered by the newest row of a panel; without one it sorts last."""

    chart: str
    at: datetime
    row: Row | None
