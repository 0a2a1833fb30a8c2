"""Panel reads under row-level security: one transaction per operation, local settings only.

Panels that are asked for in the same turn of the event loop become one statement.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import asyncpg

from adapters.keys.tree import KeyTree
from adapters.postgres.panels import FIRST_ROWS, LISTED, page_sql
from adapters.postgres.rows import blind, open_rows, zoned
from domain.kernel.readmodel import ListedChart, Listing, Page, Panel, Row, Select, Table

_PLACE = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A statement over one panel, waiting for its rows."""

    sql: str
    arguments: Sequence[object]
    records: asyncio.Future[list[asyncpg.Record]]


class ReadTransaction:
    """The connection of one operation, opened by its first read and closed with it."""

    def __init__(self, pool: asyncpg.Pool, keys: KeyTree, tenant: str, account: str) -> None:
        self._pool = pool
        self._keys = keys
        self._tenant = tenant
        self._account = account
        self._connection: asyncpg.pool.PoolConnectionProxy | None = None
        self._asked: list[_Asked] = []
        self._sending: asyncio.Task[None] | None = None

    async def page(self, select: Select, *, sensitive: bool = True) -> Page:
        """A page of a panel; without its sensitive rows unless `sensitive`.

        Raises the key tree's errors for a row that does not open.
        """
        matching = {
            column: await blind(self._keys, self._tenant, column, text)
            for column, text in select.matching
        }
        sql, arguments = page_sql(select, sensitive=sensitive, matching=matching)
        records = await self._fetch(sql, arguments)
        shown = [record for record in records if record["shown"]]
        kept = shown[: select.first]
        rows = await open_rows(self._tenant, select.panel.table, kept, self._keys)
        twins = [record for record in records if not record["shown"]]
        if twins:
            rows = await self._with_twins(select.panel.table, rows, kept, twins)
        return Page(tuple(rows), len(shown) > select.first)

    async def _with_twins(
        self,
        table: Table,
        rows: Sequence[Row],
        records: Sequence[asyncpg.Record],
        twins: Sequence[asyncpg.Record],
    ) -> list[Row]:
        """Each shown row with those of other sources about the same fact."""
        alike = {str(record["id"]): bytes(record["alike"]) for record in (*records, *twins)}
        others = await open_rows(self._tenant, table, twins, self._keys)
        return [
            replace(
                row,
                alike=tuple(o for o in others if alike[row.id] and alike[o.id] == alike[row.id]),
            )
            for row in rows
        ]

    async def first_rows(self, table: Table, charts: Sequence[str]) -> dict[str, Row]:
        """The newest row of each chart."""
        records = await self._fetch(FIRST_ROWS.format(table=table.name), [list(charts)])
        rows = await open_rows(self._tenant, table, records, self._keys)
        return {row.chart: row for row in rows}

    async def listed(
        self, panel: Panel, charts: Sequence[str], listing: Listing, *, sensitive: bool
    ) -> tuple[tuple[ListedChart, ...], bool]:
        """A page of charts by their newest row, and whether more follow."""
        table, (at, chart) = panel.table, listing.after or (None, None)
        arguments = [
            list(charts), listing.until, at, chart, listing.first + 1, list(panel.hidden), sensitive
        ]  # fmt: skip
        records = await self._fetch(LISTED.format(table=table.name), arguments)
        ordered = sorted(
            ((zoned(record["at"]), str(record["chart"]), record) for record in records),
            key=lambda place: place[:2],
            reverse=True,
        )
        page = ordered[: listing.first]
        opened = [record for _, _, record in page if record["id"] is not None]
        rows = await open_rows(self._tenant, table, opened, self._keys)
        newest = {row.chart: row for row in rows}
        entries = tuple(ListedChart(chart, at, newest.get(chart)) for at, chart, _ in page)
        return entries, len(records) > listing.first

    async def _fetch(self, sql: str, arguments: Sequence[object]) -> list[asyncpg.Record]:
        asked = _Asked(sql, arguments, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        if self._sending is None:
            # A task of its own: whoever asked first may be cancelled, the others still wait.
            self._sending = asyncio.create_task(self._send(), name="panel-reads")
        return await asked.records

    async def _send(self) -> None:
        """Send what was asked in this turn of the loop, and then what was asked meanwhile."""
        batch: list[_Asked] = []
        try:
            while self._asked:
                batch, self._asked = self._asked, []
                await self._answer(batch)
        except BaseException as error:
            for asked in (*batch, *self._asked):
                _fail(asked.records, error)
            self._asked = []
        finally:
            self._sending = None

    async def _answer(self, batch: list[_Asked]) -> None:
        connection = await self._open()
        sql, arguments = _together(batch)
        found: list[list[asyncpg.Record]] = [[] for _ in batch]
        for record in await connection.fetch(sql, *arguments):
            found[record["part"]].append(record)
        for asked, records in zip(batch, found, strict=True):
            if not asked.records.done():
                asked.records.set_result(records)

    async def _open(self) -> asyncpg.pool.PoolConnectionProxy:
        if self._connection is None:
            self._connection = await self._pool.acquire()
            await self._connection.execute(
                f"BEGIN READ ONLY; SELECT"
                f" set_config('anamnesis.tenant', {_quoted(self._tenant)}, true),"
                f" set_config('anamnesis.account', {_quoted(self._account)}, true)"
            )
        return self._connection

    async def close(self) -> None:
        """End the transaction and give the connection back; a statement under way is cancelled."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.execute("ROLLBACK")
            finally:
                await self._pool.release(connection)


def _fail(records: asyncio.Future[list[asyncpg.Record]], error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        records.cancel()
    elif not records.done():
        records.set_exception(error)


def _together(batch: Sequence[_Asked]) -> tuple[str, list[object]]:
    """One statement for all: each row says which part it belongs to, parts keep their order."""
    arguments: list[object] = []
    parts = []
    for number, asked in enumerate(batch):
        moved = _moved(asked.sql, len(arguments))
        parts.append(f"(SELECT {number} AS part, panel.* FROM ({moved}) AS panel)")
        arguments.extend(asked.arguments)
    together = " UNION ALL ".join(parts)
    return (
        f"SELECT * FROM ({together}) AS panels ORDER BY part, shown DESC, at DESC, id DESC",
        arguments,
    )


def _moved(sql: str, by: int) -> str:
    return _PLACE.sub(lambda place: f"${int(place[1]) + by}", sql)


def _quoted(value: str) -> str:
    """A text for a statement without parameters; no content of it can end the literal."""
    return f"convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8')"
