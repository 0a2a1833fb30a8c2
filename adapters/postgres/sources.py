"""The id map and what is set aside, read by an import: one query for a whole bundle."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from adapters import codec
from adapters.keys.refused import KeyDestroyed
from adapters.keys.tree import KeyTree
from adapters.postgres.rows import blind, row_binding
from adapters.postgres.tenant import tenant_rows
from domain.kernel.readmodel import Table

_HERE = "tenant = current_setting('anamnesis.tenant')"
MAPPED = f"SELECT * FROM model.{{table}} WHERE {_HERE} AND origin = ANY($1::bytea[])"
ASIDE = f"""SELECT id, origin, reason, type, "position", at, key, body FROM model.{{table}}
  WHERE {_HERE} AND ($1::text IS NULL OR reason = $1)
    AND ($2::uuid IS NULL OR id = $2) AND "position" < $3 ORDER BY "position" DESC LIMIT $4"""
NEWEST = 2**62


@dataclass(frozen=True, slots=True)
class AsideFound:
    """A row of what is set aside, its body opened."""

    id: str
    reason: str
    type: str
    position: int
    at: datetime
    body: object


class Sources:
    """Reads of the tables that an import works with, for one tenant."""

    def __init__(self, pool: asyncpg.Pool, keys: KeyTree, tenant: str) -> None:
        self._pool, self._keys, self._tenant = pool, keys, tenant

    async def by_origin(self, table: Table, origins: Collection[str]) -> dict[str, asyncpg.Record]:
        """The rows of resources, by their origin."""
        hashes = {await blind(self._keys, self._tenant, "origin", one): one for one in origins}
        rows = await self._fetch(MAPPED.format(table=table.name), [*hashes])
        return {hashes[bytes(row["origin"])]: row for row in rows}

    async def label(self, category: str) -> str:
        """The hash that a row of this sensitive category has."""
        return (await blind(self._keys, self._tenant, "label", category)).hex()

    async def aside(
        self,
        table: Table,
        *,
        reason: str | None = None,
        ident: str | None = None,
        before: int = NEWEST,
        most: int = 1_000,
    ) -> list[AsideFound]:
        """What is set aside, newest first; rows whose key is destroyed are left out."""
        rows = await self._fetch(ASIDE.format(table=table.name), reason, ident, before, most)
        found = []
        for row in rows:
            try:
                key = await self._keys.by_id(self._tenant, str(row["key"]))
            except KeyDestroyed:
                continue
            binding = row_binding(table, self._tenant, {"id": str(row["id"])})
            body = codec.decode_value(table.body or object, key.open(row["body"], binding))
            found.append(
                AsideFound(
                    str(row["id"]), row["reason"], row["type"], row["position"], row["at"], body
                )
            )
        return found

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        return await tenant_rows(self._pool, self._tenant, sql, *arguments)
