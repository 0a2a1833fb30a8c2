"""Panel reads under row-level security: one transaction per operation, local settings only."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import asyncpg

from adapters.keys.tree import KeyTree
from adapters.postgres.panels import FIRST_ROWS, page_sql
from adapters.postgres.rows import blind, open_rows
from domain.kernel.readmodel import Page, Row, Select, Table


class ReadTransaction:
    """The connection of one operation, opened by its first read and closed with it.

    `statements` counts what was sent, for tests and for the operation's cost.
    """

    def __init__(self, pool: asyncpg.Pool, keys: KeyTree, tenant: str, account: str) -> None:
        self._pool = pool
        self._keys = keys
        self._tenant = tenant
        self._account = account
        self._connection: asyncpg.pool.PoolConnectionProxy | None = None
        self._transaction: asyncpg.transaction.Transaction | None = None
        self._turn = asyncio.Lock()
        self.statements = 0

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

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """What this operation's transaction sees."""
        return await self._fetch(sql, list(arguments))

    async def _fetch(self, sql: str, arguments: list[object]) -> list[asyncpg.Record]:
        async with self._turn:
            connection = await self._open()
            self.statements += 1
            records: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
            return records

    async def _open(self) -> asyncpg.pool.PoolConnectionProxy:
        if self._connection is None:
            self._connection = await self._pool.acquire()
            self._transaction = self._connection.transaction(readonly=True)
            await self._transaction.start()
            await self._connection.execute(
                "SELECT set_config('anamnesis.tenant', $1, true),"
                " set_config('anamnesis.account', $2, true)",
                self._tenant,
                self._account,
            )
            self.statements += 2
        return self._connection

    async def close(self) -> None:
        """End the transaction and give the connection back."""
        if self._connection is not None and self._transaction is not None:
            self.statements += 1
            try:
                await self._transaction.rollback()
            finally:
                await self._pool.release(self._connection)
            self._connection = None
