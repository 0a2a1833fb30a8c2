"""Reading the log for projections: the wanted types only, in order, opened as far as needed.

Each wanted type is an ordered scan of its own index range and PostgreSQL merges them, so what
nobody wants (looks at records outnumber all else) is not even touched.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import cache
from typing import NamedTuple, Protocol

import asyncpg

from adapters import codec
from adapters.keys.refused import KeyRefused
from adapters.keys.tree import Found, KeyTree
from adapters.postgres.opening import opened_body
from adapters.postgres.transaction import quoted
from domain.kernel.event import Header, Recorded

COLUMNS = "position, version, type, committed_at, header, context, body"
WITHIN = "tenant = $1 AND position > $2 AND position <= $3"
FIRST = "ORDER BY position LIMIT $4"
READ = f"SELECT {COLUMNS} FROM event WHERE {WITHIN} {FIRST}"
PREPARED = """SELECT set_config('anamnesis.tenant', $1, true),
  set_config('synchronous_commit', 'off', true), set_config('enable_sort', 'off', true),
  set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)"""


class Opening(Protocol):
    """What it opens of the log: bodies of these types, or a look at every event."""

    @property
    def types(self) -> frozenset[str]:
        """Names of event types."""

    @property
    def everything(self) -> bool:
        """Whether it sees the others, too, unopened."""


class Span(NamedTuple):
    """Positions after `after` up to `until`, at most `limit` events of them."""

    after: int
    until: int
    limit: int


class Incoming(NamedTuple):
    """A row of the log, opened as far as somebody needs it.

    `error` says why its body cannot be opened; `recorded` is None where not even header and
    context can be read.
    """

    position: int
    type: str
    chart: str | None
    recorded: Recorded | None
    error: str | None = None


async def prepare(connection: asyncpg.Connection, tenant: str) -> None:
    """Transaction-local settings of a projecting transaction.

    synchronous_commit is off here and only here: what a crash takes is projected again. Plans are
    pinned to indexes: sorted or gathered first, every run would read the whole rest of the log.
    """
    await connection.execute(PREPARED, tenant)


@contextlib.asynccontextmanager
async def projecting_run(connection: asyncpg.Connection, tenant: str) -> AsyncIterator[None]:
    """A projecting transaction with its settings, begun in one message; it may end before."""
    try:
        await connection.execute(f"BEGIN; {PREPARED.replace('$1', quoted(tenant))}")
        yield
        if connection.is_in_transaction():
            await connection.execute("COMMIT")
    except BaseException:
        if connection.is_in_transaction():
            with contextlib.suppress(Exception):
                await connection.execute("ROLLBACK")
        raise


async def head_of(connection: asyncpg.Connection, tenant: str) -> int:
    """The position of the last event of the tenant's log."""
    head = await connection.fetchval("SELECT position FROM log_head WHERE tenant = $1", tenant)
    return head or 0


async def read(
    connection: asyncpg.Connection,
    tenant: str,
    span: Span,
    projections: Sequence[Opening],
    keys: KeyTree,
) -> tuple[list[Incoming], int]:
    """The events of a span that somebody wants, and the position up to which they are all there."""
    needed = frozenset[str]().union(*(projection.types for projection in projections))
    if any(projection.everything for projection in projections):
        rows = await connection.fetch(READ, tenant, *span)
    else:
        rows = await connection.fetch(_merged(len(needed)), tenant, *span, *sorted(needed))
    headers = [_header(row) for row in rows]
    found = await keys.by_ids(tenant, {h.key for h in headers if h and h.type in needed})
    reached = rows[-1]["position"] if len(rows) == span.limit else span.until
    return list(_incoming(rows, headers, found, needed)), reached


@cache
def _merged(types: int) -> str:
    """The statement for so many types: $5 and following."""
    # Ordered and limited within, too: PostgreSQL neither merges nor ends what is not, and every run
    # would read the whole rest of the log.
    parts = [
        f"(SELECT {COLUMNS} FROM event WHERE type = ${n + 5} AND {WITHIN} {FIRST})"
        for n in range(types)
    ]
    return f"{' UNION ALL '.join(parts)} {FIRST}" if types > 1 else parts[0]


def _header(row: asyncpg.Record) -> Header | None:
    try:
        return codec.decode_header(row["header"])
    except codec.UnreadableEvent:
        return None


def _incoming(
    rows: Sequence[asyncpg.Record],
    headers: Sequence[Header | None],
    found: dict[str, Found],
    needed: frozenset[str],
) -> Iterator[Incoming]:
    for row, header in zip(rows, headers, strict=True):
        if header is None:
            yield Incoming(row["position"], row["type"], None, None)
            continue
        recorded, error = None, None
        if header.type in needed:
            try:
                body = opened_body(found[header.key], row["body"], row["header"])
                recorded = _recorded(row, header, body)
            except (KeyRefused, codec.UnreadableEvent) as damage:
                error = type(damage).__name__
        if recorded is None:
            with contextlib.suppress(codec.UnreadableEvent):
                recorded = _recorded(row, header, codec.UNOPENED)
        yield Incoming(row["position"], header.type, header.chart, recorded, error)


def _recorded(row: asyncpg.Record, header: Header, body: bytes | None) -> Recorded:
    return codec.recorded(
        position=row["position"],
        version=row["version"],
        committed_at=row["committed_at"],
        header=header,
        context=row["context"],
        body=body,
    )
