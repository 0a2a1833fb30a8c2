"""The projector: tails the log by tenant and keeps the read models.

Each (projection, tenant) has one holder at a time, by FOR UPDATE SKIP LOCKED on its checkpoint.
Rows and checkpoint are written in one transaction, so every event counts once. A poisoned event
quarantines its chart in that projection and never stops anything else; one that takes access away
and has no chart holds its projection, so that nobody reads by permissions that were withdrawn.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg
import structlog

from adapters.keys.tree import KeyTree
from adapters.postgres.batch import (
    REFUSED,
    Poison,
    Projecting,
    Share,
    project,
    project_at_once,
    set_aside,
)
from adapters.postgres.incoming import Span, projecting_run, read
from adapters.postgres.listening import CLOSE_SECONDS, listening
from adapters.postgres.progress import CHANNEL
from adapters.postgres.transaction import quoted
from domain.kernel.readmodel import Projection

_log = structlog.get_logger("anamnesis.projector")
BATCH = 5_000
IDLE_SECONDS = 1.0
Connect = Callable[[], Awaitable[asyncpg.Connection]]
CLAIM = """SELECT c.projection, c.position,
    (SELECT h.position FROM log_head h WHERE h.tenant = $1) AS head
  FROM checkpoint c
  JOIN unnest($2::text[], $3::int[]) AS p (name, version)
    ON c.projection = p.name AND c.version = p.version
  WHERE c.tenant = $1 FOR UPDATE OF c SKIP LOCKED"""
OPEN = """INSERT INTO checkpoint (projection, tenant, version)
  SELECT name, $1, version FROM unnest($2::text[], $3::int[]) AS p (name, version)
  ON CONFLICT DO NOTHING"""
ADVANCE = f"""WITH moved AS (UPDATE checkpoint c SET position = r.position
    FROM unnest(string_to_array({{names}}, ' '), string_to_array('{{positions}}', ' ')::bigint[])
      AS r (name, position)
    WHERE c.tenant = {{tenant}} AND c.projection = r.name AND c.position < r.position)
  SELECT pg_notify('{CHANNEL}', {{told}}); COMMIT"""
"""Without parameters, hence one message: who waits for a read waits for every one of these."""


class Projector:
    """Keeps the given projections for every tenant; `advance` does one tenant's backlog."""

    def __init__(
        self, pool: asyncpg.Pool, keys: KeyTree, projections: Sequence[Projection]
    ) -> None:
        self._pool = pool
        self._keys = keys
        self._projections = {projection.name: projection for projection in projections}
        self._dirty: set[str] = set()
        self._held: dict[str, dict[str, int]] = {}
        self._wake = asyncio.Event()
        self._stopping = False

    async def run(self, tenants: Sequence[str], connect: Connect) -> None:
        """Tail the log until stopped; `connect` makes the connection that hears of it."""
        listener: asyncpg.Connection | None = None
        self._dirty.update(tenants)
        try:
            while not self._stopping:
                self._wake.clear()
                if listener is None or listener.is_closed():
                    listener = await listening(connect, self._heard, "projector.deaf")
                dirty, self._dirty = self._dirty or set(tenants), set()
                for tenant in sorted(dirty):
                    await self._advance_or_wait(tenant)
                if not self._dirty and not self._stopping:
                    await _until(self._wake)
        finally:
            if listener is not None:
                with contextlib.suppress(Exception):
                    await listener.close(timeout=CLOSE_SECONDS)

    def stop(self) -> None:
        """Let `run` end after the round that is under way."""
        self._stopping = True
        self._wake.set()

    async def _advance_or_wait(self, tenant: str) -> None:
        """A lost database is tried again by the next round; nothing else stops the others."""
        try:
            await self.advance(tenant)
        except Exception as error:  # the projector outlives whatever a round meets
            _log.warning("projector.stopped", tenant=tenant, error=type(error).__name__)

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._dirty.update(line.split(" ")[0] for line in str(payload).splitlines())
        self._wake.set()

    async def advance(self, tenant: str) -> int:
        """Bring a tenant's read models up to the head; returns how many events were read."""
        for name in tuple(self._held.get(tenant, ())):
            await self._step(tenant, [name], 1)
        total = 0
        while True:
            # A projection that is held must not hold up the others' reading.
            held = self._held.get(tenant, {})
            free = [name for name in self._projections if name not in held]
            count = await self._step(tenant, free, BATCH)
            total += count
            if count < BATCH:
                return total

    async def _step(self, tenant: str, names: Sequence[str], limit: int) -> int:
        """One run of events; only where PostgreSQL refuses a row, each share can be undone."""
        try:
            return await self._round(tenant, names, limit, project_at_once)
        except REFUSED:
            return await self._round(tenant, names, limit, project)

    async def _round(self, tenant: str, names: Sequence[str], limit: int, write: Projecting) -> int:
        async with self._pool.acquire() as connection, projecting_run(connection, tenant):
            versions = {name: self._projections[name].version for name in names}
            claimed, head = await _claim(connection, tenant, versions)
            if not claimed or head <= min(claimed.values()):
                return 0
            start = min(claimed.values())
            projections = [self._projections[name] for name in claimed]
            span = Span(start, head, limit)
            events, end = await read(connection, tenant, span, projections, self._keys)
            quarantined = await known_quarantine(connection, tenant) if events else set()
            reached: dict[str, int] = {}
            for projection in projections:
                share = Share(tenant, projection, claimed[projection.name], {}, quarantined)
                held: Poison | None = None
                # Most events concern few projections: the others only move on.
                if share.wants(events):
                    poisons, held = await write(connection, self._keys, share, events)
                    await set_aside(connection, tenant, poisons)
                self._note(tenant, projection.name, held)
                reached[projection.name] = held.position - 1 if held else end
            await _commit(connection, tenant, reached)
        return len(events)

    def _note(self, tenant: str, projection: str, held: Poison | None) -> None:
        """Remember what is held, and say so once."""
        known = self._held.setdefault(tenant, {})
        if held is None:
            known.pop(projection, None)
        elif known.get(projection) != held.position:
            place = {"projection": projection, "position": held.position}
            _log.warning("projector.held", tenant=tenant, error=held.error, **place)
            known[projection] = held.position


async def _claim(
    connection: asyncpg.Connection, tenant: str, versions: Mapping[str, int]
) -> tuple[dict[str, int], int]:
    """The positions of the checkpoints that are free and of this release, and the log's head.

    A head that moved meanwhile is told of by its own NOTIFY.
    """
    wanted = (tenant, [*versions], [*versions.values()])
    rows = await connection.fetch(CLAIM, *wanted)
    if len(rows) < len(versions):
        await connection.execute(OPEN, *wanted)
        rows = await connection.fetch(CLAIM, *wanted)
    head = max((row["head"] or 0 for row in rows), default=0)
    return {row["projection"]: row["position"] for row in rows}, head


async def _commit(connection: asyncpg.Connection, tenant: str, reached: dict[str, int]) -> None:
    """Move the checkpoints, projection to position, tell whoever waits, and commit."""
    names_at: dict[int, list[str]] = {}
    for name, position in reached.items():
        names_at.setdefault(position, []).append(name)
    lines = (f"{tenant} {position} {' '.join(names)}" for position, names in names_at.items())
    await connection.execute(
        ADVANCE.format(
            names=quoted(" ".join(reached)),
            positions=" ".join(map(str, reached.values())),
            tenant=quoted(tenant),
            told=quoted("\n".join(lines)),
        )
    )


async def _until(wake: asyncio.Event) -> None:
    """Return when woken, or after a while anyway.

    Not `wait_for`: before Python 3.12 it loses a cancellation that meets the wake-up.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(IDLE_SECONDS):
            await wake.wait()


async def known_quarantine(connection: asyncpg.Connection, tenant: str) -> set[tuple[str, str]]:
    """The (projection, chart) pairs that are set aside."""
    rows = await connection.fetch(
        "SELECT DISTINCT consumer, chart FROM dead_letter WHERE tenant = $1", tenant
    )
    return {(row["consumer"], str(row["chart"])) for row in rows if row["chart"] is not None}
