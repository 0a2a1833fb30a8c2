"""Which charts a read model has set aside, after an event that it could not take in."""

from collections.abc import Sequence

import asyncpg

SET_ASIDE = """SELECT DISTINCT chart::text FROM dead_letter
  WHERE tenant = $1 AND consumer = $2 AND chart = ANY($3::uuid[])"""


async def set_aside(
    pool: asyncpg.Pool, tenant: str, projection: str, charts: Sequence[str]
) -> frozenset[str]:
    """Those of the charts whose rows of this projection are not to be shown."""
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        await connection.execute("SELECT set_config('anamnesis.tenant', $1, true)", tenant)
        rows = await connection.fetch(SET_ASIDE, tenant, projection, list(charts))
    return frozenset(row["chart"] for row in rows)
