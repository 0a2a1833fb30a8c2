"""Statements of one tenant, under row-level security, in short read-only transactions."""

import asyncpg

SET_TENANT = "SELECT set_config('anamnesis.tenant', $1, true)"


async def tenant_rows(
    pool: asyncpg.Pool, tenant: str, sql: str, *arguments: object
) -> list[asyncpg.Record]:
    """The rows of a statement that sees this tenant only."""
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        await connection.execute(SET_TENANT, tenant)
        rows: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        return rows
