"""Panel reads under row-level security: one transaction per operation, local settings only."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import asyncpg

from adapters import codec
from adapters.keys.tree import KeyTree
from adapters.postgres.panels import FIRST_ROWS, LISTED, others_sql, page_sql
from adapters.postgres.rows import blind, open_rows, row_binding, zoned
from adapters.postgres.transaction import MANY_ROWS, Source, Transaction
from domain.kernel.readmodel import ListedChart, Listing, Page, Panel, Row, Select, Table


class ReadTransaction:
    """The connection of one operation, opened by its first read and closed with it."""

    def __init__(self, source: Source, keys: KeyTree, tenant: str, account: str) -> None:
        self._keys = keys
        self._tenant = tenant
        self._rows = Transaction(source, tenant, account)

    async def page(self, select: Select, *, sensitive: bool = True) -> Page:
        """A page of a panel; without its sensitive rows unless `sensitive`.

        Raises the key tree's errors for a row that does not open.
        """
        matching = {
            column: await blind(self._keys, self._tenant, column, text)
            for column, text in select.matching
        }
        sql, arguments = page_sql(select, sensitive=sensitive, matching=matching)
        records = await self._rows.fetch(sql, arguments)
        kept = records[: select.first]
        rows = await self._opened(select.panel.table, kept)
        if any(record["others"] for record in kept):
            rows = await self._with_others(select, rows, kept, sensitive=sensitive)
        return Page(tuple(rows), len(records) > select.first)

    async def _opened(self, table: Table, records: Sequence[asyncpg.Record]) -> list[Row]:
        """The rows, opened a part at a time: others have a turn in between."""
        if len(records) <= MANY_ROWS:
            return await open_rows(self._tenant, table, records, self._keys)
        rows: list[Row] = []
        for part in range(0, len(records), MANY_ROWS):
            await asyncio.sleep(0)
            few = records[part : part + MANY_ROWS]
            rows += await open_rows(self._tenant, table, few, self._keys)
        await asyncio.sleep(0)
        return rows

    async def _with_others(
        self,
        select: Select,
        rows: Sequence[Row],
        records: Sequence[asyncpg.Record],
        *,
        sensitive: bool,
    ) -> list[Row]:
        """Each shown row with those of other sources about the same fact, newest first."""
        named = {str(r["id"]): frozenset(map(str, r["others"] or ())) for r in records}
        ids = sorted(frozenset().union(*named.values()))
        sql, arguments = others_sql(select, ids, sensitive=sensitive)
        others = await self._opened(select.panel.table, await self._rows.fetch(sql, arguments))
        return [
            replace(row, alike=tuple(other for other in others if other.id in named[row.id]))
            for row in rows
        ]

    async def first_rows(self, table: Table, charts: Sequence[str]) -> dict[str, Row]:
        """The newest row of each chart."""
        records = await self._rows.fetch(FIRST_ROWS.format(table=table.name), [list(charts)])
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
        records = await self._rows.fetch(LISTED.format(table=table.name), arguments)
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

    async def document(self, table: Table, ident: str) -> object | None:
        """The opened body of the row with this key, or None. Raises the key tree's errors."""
        if table.body is None:
            raise TypeError(f"{table.name} has no documents")
        column = table.key[0].name
        records = await self._rows.fetch_alone(
            f"SELECT key, body FROM model.{table.name} WHERE tenant = $1 AND {column} = $2::uuid",
            (self._tenant, ident),
        )
        if not records:
            return None
        key = await self._keys.by_id(self._tenant, str(records[0]["key"]))
        body = key.open(records[0]["body"], row_binding(table, self._tenant, {column: ident}))
        opened: object = codec.decode_value(table.body, body)
        return opened

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """What this operation's transaction sees of a table that is no panel."""
        return await self._rows.fetch_alone(sql, arguments)

    async def close(self) -> None:
        """End the transaction and give the connection back."""
        await self._rows.close()
