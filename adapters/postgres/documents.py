"""Single sealed documents of the organisation, by their key."""

import asyncpg

from adapters import codec
from adapters.keys.tree import KeyTree
from adapters.postgres.rows import row_binding
from domain.kernel.readmodel import Table


async def document(
    pool: asyncpg.Pool, keys: KeyTree, tenant: str, table: Table, ident: str
) -> object | None:
    """The opened body of the row with this key, or None. Raises the key tree's errors."""
    if table.body is None:
        raise TypeError(f"{table.name} has no documents")
    column = table.key[0].name
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        await connection.execute("SELECT set_config('anamnesis.tenant', $1, true)", tenant)
        row = await connection.fetchrow(
            f"SELECT key, body FROM model.{table.name} WHERE tenant = $1 AND {column} = $2::uuid",
            tenant,
            ident,
        )
    if row is None:
        return None
    key = await keys.by_id(tenant, str(row["key"]))
    body = key.open(row["body"], row_binding(table, tenant, {column: ident}))
    opened: object = codec.decode_value(table.body, body)
    return opened
