"""What the registry's desk reads: open proposals, and which charts share a token."""

from collections.abc import Sequence

import asyncpg

from adapters import codec
from adapters.keys.refused import KeyDestroyed
from adapters.keys.seal import DataKey
from adapters.keys.tree import KeyTree
from adapters.postgres.reads import ReadTransaction
from adapters.postgres.rows import row_binding
from adapters.postgres.tenant import tenant_rows
from domain.kernel.readmodel import Table
from domain.registry import Comparison, Proposal

PROPOSALS = """SELECT m.id, m.first, m.second, m."position", m.version, m.key, m.body,
    coalesce(a.version, 0) AS first_version, coalesce(b.version, 0) AS second_version
  FROM model.registry_match m
  LEFT JOIN model.registry_stream a ON a.tenant = m.tenant AND a.chart = m.first
  LEFT JOIN model.registry_stream b ON b.tenant = m.tenant AND b.chart = m.second
  WHERE m.tenant = current_setting('anamnesis.tenant')
    AND ($2::bigint IS NULL OR m."position" < $2) ORDER BY m."position" DESC LIMIT $1"""
CHARTS = """SELECT DISTINCT chart::text FROM model.registry_token
  WHERE tenant = $1 AND ($2::uuid IS NULL OR chart > $2) ORDER BY chart"""
CANDIDATES = """SELECT DISTINCT o.chart::text FROM model.registry_token t
  CROSS JOIN LATERAL (SELECT s.chart FROM model.registry_token s
    WHERE s.tenant = t.tenant AND s.token = t.token LIMIT $3) AS o
  WHERE t.tenant = $1 AND t.chart = $2::uuid AND o.chart <> t.chart AND NOT EXISTS (
    SELECT FROM model.registry_link mine
    JOIN model.registry_link theirs ON theirs.tenant = mine.tenant AND theirs.person = mine.person
    WHERE mine.tenant = t.tenant AND mine.chart = t.chart AND theirs.chart = o.chart)
  ORDER BY 1"""
ACCOUNTS = """SELECT l.chart::text FROM model.registry_link l
  JOIN model.identity_account a ON a.tenant = l.tenant AND a.person = l.person
  WHERE l.tenant = $1 AND l.chart = ANY($2::uuid[])"""
MOST = 200
"""Charts that share one token and are compared: a filler that many have is no evidence."""


async def proposals(
    reads: ReadTransaction, keys: KeyTree, tenant: str, table: Table, page: tuple[int, int | None]
) -> list[Proposal]:
    """The newest proposals (how many, below which position) that this transaction sees.

    Raises the key tree's errors for one that does not open.
    """
    records = await reads.fetch(PROPOSALS, *page)
    found = await keys.by_ids(tenant, {str(record["key"]) for record in records})
    opened = []
    for record in records:
        key = found[str(record["key"])]
        if isinstance(key, KeyDestroyed):
            continue
        if not isinstance(key, DataKey):
            raise key
        ident = str(record["id"])
        body = key.open(record["body"], row_binding(table, tenant, {"id": ident}))
        opened.append(
            Proposal(
                id=ident,
                charts=(str(record["first"]), str(record["second"])),
                versions=(record["first_version"], record["second_version"]),
                position=record["position"],
                version=record["version"],
                why=codec.decode_value(Comparison, body),
            )
        )
    return opened


class Tokens:
    """Charts by the tokens that they share; nothing of a token can be read."""

    def __init__(self, pool: asyncpg.Pool, tenant: str) -> None:
        self._pool = pool
        self._tenant = tenant

    async def charts(self, after: str | None = None) -> list[str]:
        """Every chart that can be compared, in order, beyond one of them."""
        return [row["chart"] for row in await self._fetch(CHARTS, after)]

    async def candidates(self, chart: str) -> list[str]:
        """The charts that share a token with this one and are another person's."""
        return [row["chart"] for row in await self._fetch(CANDIDATES, chart, MOST)]

    async def with_accounts(self, charts: Sequence[str]) -> set[str]:
        """Those of the charts whose person signs in here."""
        return {row["chart"] for row in await self._fetch(ACCOUNTS, list(charts))}

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        return await tenant_rows(self._pool, self._tenant, sql, self._tenant, *arguments)
