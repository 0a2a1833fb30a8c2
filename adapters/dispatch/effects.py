"""The table of effects: claimed under a lease by one process, settled by whoever holds it.

A claim survives nothing: when its lease is over, another process takes the effect. What was marked
as being sent by then is in doubt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg

from adapters.postgres.tenant import SET_TENANT, tenant_rows

LEASE_SECONDS = 60.0
CLAIM = """UPDATE effect e SET holder = $2,
    leased_until = clock_timestamp() + make_interval(secs => $4)
  FROM (SELECT id, state FROM effect WHERE tenant = $1 AND state IN ('waiting', 'sending')
      AND due <= clock_timestamp()
      AND (leased_until IS NULL OR leased_until <= clock_timestamp())
      AND NOT EXISTS (SELECT FROM dispatch d WHERE d.tenant = $1 AND d.paused)
    ORDER BY due, id LIMIT $3 FOR UPDATE SKIP LOCKED) AS c
  WHERE e.tenant = $1 AND e.id = c.id
  RETURNING e.id, e.name, e.data, e.state, e.marked, e.attempts, e.due"""
SENDING = """UPDATE effect SET state = 'sending', marked = true,
    leased_until = clock_timestamp() + make_interval(secs => $4)
  WHERE tenant = $1 AND id = ANY($3::bytea[]) AND holder = $2
    AND leased_until > clock_timestamp()
    AND NOT EXISTS (SELECT FROM dispatch d WHERE d.tenant = $1 AND d.paused)
  RETURNING id"""
SETTLED = """UPDATE effect SET state = $4, error = $5, attempts = $6, due = coalesce($7, due),
    holder = NULL, leased_until = NULL,
    settled_at = CASE WHEN $4 IN ('waiting', 'sending') THEN NULL ELSE clock_timestamp() END
  WHERE tenant = $1 AND id = $3 AND holder = $2"""
STUCK = """SELECT id, name, state, attempts, error, due, position FROM effect
  WHERE tenant = $1 AND state IN ('parked', 'dead') ORDER BY due, id"""
DECIDED = """UPDATE effect SET state = $3, due = clock_timestamp(), attempts = 0, holder = NULL,
    leased_until = NULL WHERE tenant = $1 AND id = $2 AND state IN ('parked', 'dead')"""
PAUSED = """INSERT INTO dispatch (tenant, paused) VALUES ($1, $2)
  ON CONFLICT (tenant) DO UPDATE SET paused = excluded.paused"""
DUE = """SELECT count(*) FROM effect
  WHERE tenant = $1 AND state IN ('waiting', 'sending') AND due <= clock_timestamp()"""
DROPPED = """UPDATE effect SET state = 'dropped', settled_at = clock_timestamp()
  WHERE tenant = $1 AND state IN ('waiting', 'sending') AND due <= clock_timestamp()"""


@dataclass(frozen=True, slots=True)
class Pending:
    """A claimed effect.

    `doubtful`: somebody began to send it and nobody knows how it ended; `marked`: it was begun at
    some time.
    """

    tenant: str
    id: bytes
    name: str
    data: bytes
    doubtful: bool
    marked: bool
    attempts: int
    due: datetime


@dataclass(frozen=True, slots=True)
class Stuck:
    """An effect that waits for somebody's decision."""

    id: str
    name: str
    state: str
    attempts: int
    error: str | None
    due: datetime
    position: int | None


class Effects:
    """One process' hand on the table; `pool` has connections of the worker's role."""

    def __init__(self, pool: asyncpg.Pool, lease_s: float = LEASE_SECONDS) -> None:
        self._pool = pool
        self._lease_s = lease_s
        self._holder: UUID = uuid4()

    async def claim(self, tenant: str, most: int) -> list[Pending]:
        """Effects that are due, for this process alone while the lease lasts; oldest first."""
        rows = await self._changed(tenant, CLAIM, self._holder, most, self._lease_s)
        claimed = [
            Pending(
                tenant,
                row["id"],
                row["name"],
                row["data"],
                row["state"] == "sending",
                row["marked"],
                row["attempts"],
                row["due"],
            )
            for row in rows
        ]
        return sorted(claimed, key=lambda one: (one.due, one.id))

    async def sending(self, tenant: str, idents: Sequence[bytes]) -> set[bytes]:
        """Mark them as being sent, durably; those that are still this process' to send."""
        rows = await self._changed(tenant, SENDING, self._holder, list(idents), self._lease_s)
        return {row["id"] for row in rows}

    async def settle(
        self,
        one: Pending,
        state: str,
        *,
        error: str | None = None,
        attempts: int | None = None,
        due: datetime | None = None,
    ) -> None:
        """Say what became of it; nothing happens where another process holds it by now."""
        count = one.attempts if attempts is None else attempts
        await self._changed(one.tenant, SETTLED, self._holder, one.id, state, error, count, due)

    async def stuck(self, tenant: str) -> list[Stuck]:
        """What waits for a decision."""
        rows = await tenant_rows(self._pool, tenant, STUCK, tenant)
        return [Stuck(row["id"].hex(), *list(row.values())[1:]) for row in rows]

    async def decide(self, tenant: str, ident: str, *, again: bool) -> bool:
        """Do a stuck effect once more, or give it up; whether there was one."""
        state = "waiting" if again else "dropped"
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SET_TENANT, tenant)
            done = await connection.execute(DECIDED, tenant, bytes.fromhex(ident), state)
            return bool(done.endswith(" 1"))

    async def due(self, tenant: str) -> int:
        """How many effects are due."""
        (row,) = await tenant_rows(self._pool, tenant, DUE, tenant)
        return int(row[0])

    async def pause(self, tenant: str, *, paused: bool, drop_due: bool = False) -> int:
        """Hold effects back or carry them out again; how many of those due were given up."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SET_TENANT, tenant)
            await connection.execute(PAUSED, tenant, paused)
            if not drop_due:
                return 0
            done = await connection.execute(DROPPED, tenant)
            return int(done.rpartition(" ")[2])

    async def _changed(self, tenant: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SET_TENANT, tenant)
            rows: list[asyncpg.Record] = await connection.fetch(sql, tenant, *arguments)
            return rows
