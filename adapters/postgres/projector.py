"""The projector: tails the log by tenant and keeps the read models.

Each (projection, tenant) has one holder at a time, by FOR UPDATE SKIP LOCKED on its checkpoint.
Rows and checkpoint are written in one transaction, so every event counts once. A poisoned event
quarantines its chart in that projection and never stops anything else.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from adapters import codec
from adapters.keys.refused import KeyRefused
from adapters.keys.tree import Found, KeyTree
from adapters.postgres.opening import opened_body
from adapters.postgres.progress import CHANNEL
from adapters.postgres.rows import check_values, is_id
from adapters.postgres.tables import Names, Pending
from domain.kernel.event import Header, Recorded
from domain.kernel.readmodel import Projection

_log = structlog.get_logger("anamnesis.projector")
BATCH = 5_000
LOG_CHANNEL = "anamnesis_log"
IDLE_SECONDS = 1.0
Connect = Callable[[], Awaitable[asyncpg.Connection]]
REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError)
"""What is said of a row that can never be written."""
READ = """SELECT position, version, type, committed_at, header, context, body FROM event
  WHERE tenant = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4"""
CLAIM = """SELECT projection, position FROM checkpoint
  WHERE tenant = $1 AND projection = ANY($2::text[]) FOR UPDATE SKIP LOCKED"""
OPEN = """INSERT INTO checkpoint (projection, tenant, version)
  SELECT name, $1, version FROM unnest($2::text[], $3::int[]) AS p (name, version)
  ON CONFLICT DO NOTHING"""
ADVANCE = """UPDATE checkpoint SET position = $3
  WHERE tenant = $1 AND projection = ANY($2::text[]) AND position < $3"""
SET_ASIDE = """INSERT INTO dead_letter (tenant, consumer, position, chart, type, error)
  VALUES ($1, $2, $3, $4::uuid, $5, $6) ON CONFLICT DO NOTHING"""


@dataclass(frozen=True, slots=True)
class Poison:
    """An event that a projection could not take, without any of its content."""

    projection: str
    position: int
    chart: str | None
    type: str
    error: str


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A row of the log, opened as far as somebody needs it.

    `error` says why its body cannot be opened; `recorded` is None where not even header and
    context can be read.
    """

    position: int
    type: str
    chart: str | None
    recorded: Recorded | None
    error: str | None = None


class Batch:
    """A run of events on its way into the tables of some projections."""

    def __init__(self, tenant: str, keys: KeyTree, quarantined: set[tuple[str, str]]) -> None:
        self._tenant = tenant
        self._keys = keys
        self._quarantined = quarantined
        self.pending = Pending()
        self.poisons: list[Poison] = []

    async def take(self, projection: Projection, events: Sequence[_Incoming], after: int) -> None:
        """Project the events beyond `after`; a failing one sets its chart aside."""
        for event in events:
            wanted = projection.everything or event.type in projection.types
            if not wanted or event.position <= after:
                continue
            if (projection.name, event.chart or "") in self._quarantined:
                continue
            try:
                if event.recorded is None or (event.error and event.type in projection.types):
                    raise codec.UnreadableEvent(event.type)
                writes = list(projection.project(event.recorded))
                check_values(writes)
            except Exception as error:  # a poisoned event must never stop the others
                self._set_aside(projection, event, event.error or type(error).__name__)
                continue
            await self.pending.add(self._tenant, writes, self._keys)

    def _set_aside(self, projection: Projection, event: _Incoming, error: str) -> None:
        chart = event.chart if event.chart and is_id(event.chart) else None
        self.poisons.append(Poison(projection.name, event.position, chart, event.type, error))
        if event.chart is not None:
            self._quarantined.add((projection.name, event.chart))

    def refuse(self, projection: Projection, event: _Incoming, error: str) -> None:
        """PostgreSQL refused the rows: none of them is written, the chart is set aside."""
        self.pending = Pending()
        self._set_aside(projection, event, error)

    async def write(self, connection: asyncpg.Connection, names: Names) -> None:
        """Rows and dead letters, inside the caller's transaction."""
        await self.pending.write(connection, self._tenant, names)
        for p in self.poisons:
            await connection.execute(
                SET_ASIDE, self._tenant, p.projection, p.position, p.chart, p.type, p.error
            )


class Projector:
    """Keeps the given projections for every tenant; `advance` does one tenant's backlog."""

    def __init__(
        self, pool: asyncpg.Pool, keys: KeyTree, projections: Sequence[Projection]
    ) -> None:
        self._pool = pool
        self._keys = keys
        self._projections = {projection.name: projection for projection in projections}
        self._dirty: set[str] = set()
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
                    listener = await self._listener(connect)
                dirty, self._dirty = self._dirty or set(tenants), set()
                for tenant in sorted(dirty):
                    await self._advance_or_wait(tenant)
                if not self._dirty and not self._stopping:
                    await _until(self._wake)
        finally:
            if listener is not None:
                await listener.close()

    def stop(self) -> None:
        """Let `run` end after the round that is under way."""
        self._stopping = True
        self._wake.set()

    async def _listener(self, connect: Connect) -> asyncpg.Connection | None:
        """A listening connection, or None while the database cannot be reached: then it polls."""
        try:
            listener = await connect()
            await listener.add_listener(LOG_CHANNEL, self._heard)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None
        return listener

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
        total = 0
        while True:
            count = await self._step(tenant, BATCH)
            total += count
            if count < BATCH:
                return total

    async def _step(self, tenant: str, limit: int) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            await prepare(connection, tenant)
            held = await self._claim(connection, tenant)
            if not held:
                return 0
            start = min(held.values())
            head = await connection.fetchval(
                "SELECT position FROM log_head WHERE tenant = $1", tenant
            )
            if head is None or head <= start:
                return 0
            projections = [self._projections[name] for name in held]
            events = await read(connection, tenant, (start, head, limit), projections, self._keys)
            quarantined = await known_quarantine(connection, tenant)
            for projection in projections:
                work = (tenant, projection, quarantined)
                await _project(connection, self._keys, work, (events, held[projection.name]))
            reached = events[-1].position
            await connection.execute(ADVANCE, tenant, list(held), reached)
            await connection.execute(
                f"SELECT pg_notify('{CHANNEL}', $1)",
                f"{tenant} {reached} {' '.join(held)}",
            )
        return len(events)

    async def _claim(self, connection: asyncpg.Connection, tenant: str) -> dict[str, int]:
        names = list(self._projections)
        rows = await connection.fetch(CLAIM, tenant, names)
        if len(rows) < len(names):
            versions = [self._projections[name].version for name in names]
            await connection.execute(OPEN, tenant, names, versions)
            rows = await connection.fetch(CLAIM, tenant, names)
        return {row["projection"]: row["position"] for row in rows}


Work = tuple[str, Projection, set[tuple[str, str]]]
"""Tenant, projection, and the (projection, chart) pairs that are set aside."""


async def _project(
    connection: asyncpg.Connection,
    keys: KeyTree,
    work: Work,
    run: tuple[Sequence[_Incoming], int],
) -> None:
    """One projection's share of a run, as one write; event by event when that is refused."""
    tenant, projection, quarantined = work
    events, after = run
    batch = Batch(tenant, keys, set(quarantined))
    await batch.take(projection, events, after)
    try:
        async with connection.transaction():
            await batch.write(connection, {})
    except REFUSED:
        for event in events:
            await _project_one(connection, keys, work, (event, after))


async def _project_one(
    connection: asyncpg.Connection, keys: KeyTree, work: Work, place: tuple[_Incoming, int]
) -> None:
    tenant, projection, quarantined = work
    event, after = place
    batch = Batch(tenant, keys, quarantined)
    await batch.take(projection, [event], after)
    try:
        async with connection.transaction():
            await batch.write(connection, {})
    except REFUSED as error:
        batch.refuse(projection, event, type(error).__name__)
        await batch.write(connection, {})


async def _until(wake: asyncio.Event) -> None:
    """Return when woken, or after a while anyway.

    Not `wait_for`: before Python 3.12 it loses a cancellation that meets the wake-up.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(IDLE_SECONDS):
            await wake.wait()


async def prepare(connection: asyncpg.Connection, tenant: str) -> None:
    """Transaction-local settings of a projecting transaction.

    synchronous_commit is off here and only here: what a crash takes is projected again.
    """
    await connection.execute(
        "SELECT set_config('anamnesis.tenant', $1, true),"
        " set_config('synchronous_commit', 'off', true)",
        tenant,
    )


async def known_quarantine(connection: asyncpg.Connection, tenant: str) -> set[tuple[str, str]]:
    """The (projection, chart) pairs that are set aside."""
    rows = await connection.fetch(
        "SELECT DISTINCT consumer, chart FROM dead_letter WHERE tenant = $1", tenant
    )
    return {(row["consumer"], str(row["chart"])) for row in rows if row["chart"] is not None}


async def read(
    connection: asyncpg.Connection,
    tenant: str,
    span: tuple[int, int, int],
    projections: Sequence[Projection],
    keys: KeyTree,
) -> list[_Incoming]:
    """The events after span[0] up to span[1], at most span[2], bodies opened where needed."""
    rows = await connection.fetch(READ, tenant, *span)
    needed = frozenset[str]().union(*(projection.types for projection in projections))
    headers = [_header(row) for row in rows]
    found = await keys.by_ids(tenant, {h.key for h in headers if h and h.type in needed})
    return list(_incoming(rows, headers, found, needed))


def _header(row: asyncpg.Record) -> Header | None:
    try:
        return codec.decode_header(row["header"])
    except codec.UnreadableEvent:
        return None


def _incoming(
    rows: Sequence[asyncpg.Record],
    headers: Sequence[Header | None],
    found: dict[str, Found],
    needed: frozenset[str],
) -> Iterator[_Incoming]:
    for row, header in zip(rows, headers, strict=True):
        if header is None:
            yield _Incoming(row["position"], row["type"], None, None)
            continue
        recorded, error = None, None
        if header.type in needed:
            try:
                body = opened_body(found[header.key], row["body"], row["header"])
                recorded = _recorded(row, header, body)
            except (KeyRefused, codec.UnreadableEvent) as damage:
                error = type(damage).__name__
        if recorded is None:
            with contextlib.suppress(codec.UnreadableEvent):
                recorded = _recorded(row, header, codec.UNOPENED)
        yield _Incoming(row["position"], header.type, header.chart, recorded, error)


def _recorded(row: asyncpg.Record, header: Header, body: bytes | None) -> Recorded:
    return codec.recorded(
        position=row["position"],
        version=row["version"],
        committed_at=row["committed_at"],
        header=header,
        context=row["context"],
        body=body,
    )
