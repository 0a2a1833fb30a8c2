"""Rebuilding a read model beside the old one while reads go on, then switching in one moment.

The copies are filled from the first event on: bare and by COPY, or, where PostgreSQL refuses a
row, event by event as the projector does. In the last transaction the checkpoints are held, the
rest is caught up, and the tables change names. A reader sees the old rows or the new ones.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import asyncpg

from adapters.keys.tree import KeyTree
from adapters.postgres.batch import REFUSED_THERE, Poison, Share, project, set_aside
from adapters.postgres.copies import bare_copies, clone
from adapters.postgres.filling import Stream, Workers
from adapters.postgres.incoming import Span, head_of, prepare, read
from adapters.postgres.progress import CHANNEL
from adapters.postgres.projector import BATCH
from adapters.postgres.tables import Names
from domain.kernel.readmodel import Projection

SWITCHED = """INSERT INTO checkpoint (projection, tenant, position, version)
  VALUES ($1, $2, $3, $4) ON CONFLICT (projection, tenant)
  DO UPDATE SET position = excluded.position, version = excluded.version"""

LOCK_MILLISECONDS = 50
POLL_SECONDS = 0.2
WAIT_SECONDS = 600.0
HOLD = "SELECT pg_try_advisory_lock(hashtext($1))"
HEALED = """DELETE FROM dead_letter
  WHERE tenant = $1 AND consumer = $2 AND position <> ALL($3::bigint[])"""


class RebuildUnderWay(Exception):
    """Somebody is rebuilding this read model already. Wait until they are done."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuilt read model.

    `events` of the logs, those that were `projected`, the rows of each table, poisoned events.
    """

    projection: str
    events: int
    projected: int
    rows: dict[str, int]
    poisoned: int


class Rebuild:
    """One rebuild of one projection over all tenants; `workers` share a long log."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        keys: KeyTree,
        projection: Projection,
        progress: Callable[[int, int], None],
        workers: Workers | None = None,
    ) -> None:
        self._pool = pool
        self._keys = keys
        self._projection = projection
        self._progress = progress
        self._workers = workers
        self._names = {table.name: f"{table.name}__rebuilt" for table in projection.tables}
        self._quarantined: dict[str, set[tuple[str, str]]] = {}
        self._poisons: dict[str, list[Poison]] = {}
        self._done = 0
        self._projected = 0

    async def run(self, tenants: Sequence[str]) -> Rebuilt:
        """Fill the copies, then switch. Interrupted, it leaves the old tables as they were.

        Raises RebuildUnderWay, since two would fill and switch the same copies.
        """
        async with self._pool.acquire() as connection:
            # Held by this connection; the pool lets go of it with the connection.
            if not await connection.fetchval(HOLD, f"rebuild {self._projection.name}"):
                raise RebuildUnderWay(self._projection.name)
            heads = await _heads(connection, tenants)
            reached = await self._streamed(connection, heads)
            for tenant in tenants:
                reached[tenant] = await self._fill(connection, tenant, reached[tenant])
            rows = await self._switch(connection, reached)
        poisoned = sum(map(len, self._poisons.values()))
        return Rebuilt(self._projection.name, self._done, self._projected, rows, poisoned)

    async def _streamed(
        self, connection: asyncpg.Connection, heads: dict[str, int]
    ) -> dict[str, int]:
        """Fill by COPY; empty copies and position 0 where PostgreSQL refuses a row that way."""
        copies = await bare_copies(connection, self._projection)
        try:
            streamed = await Stream(self._keys, self._projection, copies, self._progress).run(
                connection, heads, self._workers
            )
            await copies.finish(connection)
        except REFUSED_THERE:
            await clone(connection, self._names)
            return dict.fromkeys(heads, 0)
        self._done, self._projected = sum(streamed.reached.values()), streamed.projected
        self._poisons = streamed.poisons
        if not self._projection.everything:
            self._quarantined = {
                tenant: {(poison.projection, poison.chart) for poison in poisons if poison.chart}
                for tenant, poisons in streamed.poisons.items()
            }
        return streamed.reached

    async def _fill(self, connection: asyncpg.Connection, tenant: str, position: int) -> int:
        more = True
        while more:
            async with connection.transaction():
                await prepare(connection, tenant)
                more, position = await self._copy(connection, tenant, position)
            self._progress(self._done, self._done)
        return position

    async def _copy(
        self, connection: asyncpg.Connection, tenant: str, after: int
    ) -> tuple[bool, int]:
        """Project the next run of events into the copies: whether more follow, and the last.

        A copy ends before an event that holds its projection; there the projector stands too.
        """
        head = await head_of(connection, tenant)
        span = Span(after, head, BATCH)
        events, end = await read(connection, tenant, span, [self._projection], self._keys)
        quarantined = self._quarantined.setdefault(tenant, set())
        share = Share(tenant, self._projection, after, self._names, quarantined)
        poisons, held = await project(connection, self._keys, share, events)
        self._poisons.setdefault(tenant, []).extend(poisons)
        last = held.position - 1 if held else max(end, after)
        self._done += last - after
        self._projected += len(events)
        return held is None and len(events) == BATCH, last

    async def _switch(
        self, connection: asyncpg.Connection, reached: dict[str, int]
    ) -> dict[str, int]:
        """Hold every checkpoint, catch up, swap the names, note where we are."""
        name, version = self._projection.name, self._projection.version
        async with connection.transaction():
            await _keep_vacuum_out(connection, self._names)
            for tenant in sorted(reached):
                await prepare(connection, tenant)
                await connection.execute(SWITCHED, name, tenant, reached[tenant], version)
                reached[tenant] = await self._catch_up(connection, tenant, reached[tenant])
                await connection.execute(SWITCHED, name, tenant, reached[tenant], version)
                poisons = self._poisons.get(tenant, [])
                await connection.execute(HEALED, tenant, name, [p.position for p in poisons])
                await set_aside(connection, tenant, poisons)
                await connection.execute(
                    f"SELECT pg_notify('{CHANNEL}', $1)", f"{tenant} {reached[tenant]} {name}"
                )
            rows = await _counted(connection, self._names, sorted(reached))
            await _lock(connection, self._names)
            for table, copy in self._names.items():
                await connection.execute(f"DROP TABLE model.{table}")
                await connection.execute(f"ALTER TABLE model.{copy} RENAME TO {table}")
        return rows

    async def _catch_up(self, connection: asyncpg.Connection, tenant: str, after: int) -> int:
        more = True
        while more:
            more, after = await self._copy(connection, tenant, after)
        return after


async def _keep_vacuum_out(connection: asyncpg.Connection, names: Names) -> None:
    """Nothing but reads and writes of the old tables, nothing at all of the copies.

    Autovacuum likes large new tables. It gives way to who waits longer than deadlock_timeout,
    which nobody does once the checkpoints are held.
    """
    old = ", ".join(f"model.{table}" for table in sorted(names))
    await connection.execute(f"LOCK TABLE {old} IN SHARE UPDATE EXCLUSIVE MODE")
    copies = ", ".join(f"model.{copy}" for copy in sorted(names.values()))
    await connection.execute(f"LOCK TABLE {copies} IN ACCESS EXCLUSIVE MODE")


async def _lock(connection: asyncpg.Connection, names: Names) -> None:
    """Every old table at once, or none: a reader that holds one and wants another must win.

    The wait is shorter than PostgreSQL's deadlock_timeout, so it is always the rebuild that
    lets go and tries again. What comes after it may wait for as long as it takes: autovacuum can
    still be at the TOAST table of one of them, and lets go of it after deadlock_timeout.
    """
    tables = ", ".join(f"model.{table}" for table in sorted(names))
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'")
    while True:
        try:
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(LOCK_MILLISECONDS / 1_000)
        else:
            break
    await connection.execute("SET LOCAL lock_timeout = 0")


async def _counted(
    connection: asyncpg.Connection, names: Names, tenants: Sequence[str]
) -> dict[str, int]:
    """The rows of each copy, by the table that it replaces."""
    rows = dict.fromkeys(names, 0)
    for tenant in tenants:
        await prepare(connection, tenant)
        for table, copy in names.items():
            rows[table] += await connection.fetchval(f"SELECT count(*) FROM model.{copy}")
    return rows


async def _heads(connection: asyncpg.Connection, tenants: Sequence[str]) -> dict[str, int]:
    heads = {}
    for tenant in tenants:
        async with connection.transaction():
            await prepare(connection, tenant)
            heads[tenant] = await head_of(connection, tenant)
    return heads


async def outdated(
    pool: asyncpg.Pool, tenants: Sequence[str], projections: Sequence[Projection]
) -> list[Projection]:
    """The read models that an earlier version of their projection wrote."""
    known = {projection.name: projection for projection in projections}
    stale = set()
    async with pool.acquire() as connection:
        for tenant in tenants:
            async with connection.transaction():
                await prepare(connection, tenant)
                rows = await connection.fetch("SELECT projection, version FROM checkpoint")
                stale |= {
                    row["projection"]
                    for row in rows
                    if row["projection"] in known
                    and row["version"] < known[row["projection"]].version
                }
    return [known[name] for name in known if name in stale]


async def bring_up_to_date(
    pool: asyncpg.Pool,
    keys: KeyTree,
    tenants: Sequence[str],
    projections: Sequence[Projection],
    progress: Callable[[int, int], None],
    workers: Workers | None = None,
) -> None:
    """Rebuild what an earlier version wrote, or wait while another process does.

    Raises RebuildUnderWay when that takes more than WAIT_SECONDS.
    """
    waited = 0.0
    while stale := await outdated(pool, tenants, projections):
        try:
            await Rebuild(pool, keys, stale[0], progress, workers).run(tenants)
        except RebuildUnderWay:
            if waited >= WAIT_SECONDS:
                raise
            await asyncio.sleep(POLL_SECONDS)
            waited += POLL_SECONDS
