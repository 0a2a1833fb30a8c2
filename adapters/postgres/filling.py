"""Filling the copies of a rebuild: the log is cut into segments, and processes share them.

A segment is read and projected in runs, so memory does not grow with the log. A chart that is set
aside in one segment is not known in the later ones: the caller begins again, knowing it.
"""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

import asyncpg

from adapters.keys.tree import KeyTree
from adapters.postgres.batch import Batch, Poison, Share
from adapters.postgres.copies import Copies
from adapters.postgres.incoming import Incoming, Span, prepare
from adapters.postgres.logsource import LogSource
from domain.kernel.readmodel import Projection

RUN_EVENTS = 2_000
SEGMENT = 131_072
"""Positions in a segment at most."""
SEGMENTS = 8
"""Into how many segments a log is cut at least, so that the processes end together."""
SHARED_FROM = 50_000
"""Wanted events from which on processes are worth their start."""
MANY = 1 << 62
HERE = LogSource(None)
WANTED = """SELECT count(*) FROM (SELECT FROM event WHERE tenant = $1 AND type = ANY ($2::text[])
  LIMIT $3) AS wanted"""


@dataclass(frozen=True, slots=True)
class Workers:
    """How other processes reach database and keys: picklable. One per core unless told.

    They read the log from the replica at `reading` where there is one.
    """

    dsn: str
    open_keys: Callable[[], KeyTree]
    reading: str | None = None
    count: int = field(default_factory=lambda: os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Segment:
    """Positions after `after` up to `until` of a tenant's log, and where their rows go.

    `aside` maps charts to the position of the event that sets them aside.
    """

    tenant: str
    after: int
    until: int
    projection: Projection
    copies: Copies
    aside: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of a segment: events projected, poison, and the event that stops everything."""

    segment: Segment
    events: int
    poisons: tuple[Poison, ...]
    held: Poison | None


async def fill(
    connection: asyncpg.Connection, keys: KeyTree, segment: Segment, log: LogSource = HERE
) -> Filled:
    """Copy a segment's rows. Raises CopiesGone, and what PostgreSQL says of a bad row."""
    tenant, position, events = segment.tenant, segment.after, 0
    poisons: list[Poison] = []
    quarantined: set[tuple[str, str]] = set()
    while True:
        async with connection.transaction():
            await prepare(connection, tenant)
            await segment.copies.hold(connection)
            span = Span(position, segment.until, RUN_EVENTS)
            wanted = [segment.projection]
            found, reached = await log.read(connection, tenant, span, wanted, keys)
            names = segment.copies.names
            share = Share(tenant, segment.projection, position, names, quarantined)
            batch = Batch(share, keys)
            await batch.take([event for event in found if not _is_aside(event, segment.aside)])
            await segment.copies.write(connection, tenant, batch.pending, position)
        quarantined = batch.quarantined
        poisons += batch.poisons
        events += len(found)
        if batch.held or reached >= segment.until:
            return Filled(segment, events, tuple(poisons), batch.held)
        position = reached


def _is_aside(event: Incoming, aside: Mapping[str, int]) -> bool:
    return event.position > aside.get(event.chart or "", MANY)


def segments_of(after: int, until: int) -> list[tuple[int, int]]:
    """The segments of a span of positions."""
    size = max(1, min(SEGMENT, -(-(until - after) // SEGMENTS)))
    return [(low, min(low + size, until)) for low in range(after, until, size)]


@dataclass(slots=True)
class Streamed:
    """How far each tenant's copies are, and what was set aside on the way."""

    reached: dict[str, int]
    projected: int = 0
    poisons: dict[str, list[Poison]] = field(default_factory=dict)


class Stream:
    """Fills copies from the first event on."""

    def __init__(
        self,
        keys: KeyTree,
        projection: Projection,
        copies: Copies,
        progress: Callable[[int, int], None],
    ) -> None:
        self._keys = keys
        self._projection = projection
        self._copies = copies
        self._progress = progress

    async def run(
        self, connection: asyncpg.Connection, heads: Mapping[str, int], workers: Workers | None
    ) -> Streamed:
        """Fill up to the heads, or up to before an event that holds the projection.

        Raises CopiesGone, and what PostgreSQL says of a bad row.
        """
        ends, aside = dict(heads), dict[str, dict[str, int]]()
        shared = workers if await self._is_long(connection, heads) else None
        async with _filler(shared, connection, self._keys) as filler:
            while True:
                filled = await self._pass(filler, ends, aside)
                known_ends, known = _learnt(filled, ends, self._projection)
                if (known_ends, known) == (ends, aside):
                    return _streamed(filled, ends)
                ends, aside = known_ends, known
                await self._copies.empty(connection)

    async def _is_long(self, connection: asyncpg.Connection, heads: Mapping[str, int]) -> bool:
        """Whether SHARED_FROM events or more are wanted."""
        if self._projection.everything:
            return sum(heads.values()) >= SHARED_FROM
        types, wanted = list(self._projection.types), 0
        for tenant in heads:
            async with connection.transaction():
                await prepare(connection, tenant)
                wanted += await connection.fetchval(WANTED, tenant, types, SHARED_FROM)
        return wanted >= SHARED_FROM

    async def _pass(
        self, filler: "Fill", ends: Mapping[str, int], aside: Mapping[str, Mapping[str, int]]
    ) -> list[Filled]:
        wanted = [
            Segment(tenant, *span, self._projection, self._copies, aside.get(tenant, {}))
            for tenant, end in ends.items()
            for span in segments_of(0, end)
        ]
        total, done = sum(ends.values()), 0
        self._progress(0, total)
        filled = []
        async with aclosing(filler(wanted)) as answers:
            async for one in answers:
                filled.append(one)
                done += one.segment.until - one.segment.after
                self._progress(done, total)
        return filled


def _learnt(
    filled: Sequence[Filled], ends: Mapping[str, int], projection: Projection
) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Where each tenant ends and which charts are aside, as far as later segments must know."""
    known_ends, aside = dict(ends), dict[str, dict[str, int]]()
    for one in filled:
        tenant, last = one.segment.tenant, one.segment.until == ends[one.segment.tenant]
        if last or projection.everything:
            continue
        if one.held:
            known_ends[tenant] = min(known_ends[tenant], one.held.position - 1)
        charts = aside.setdefault(tenant, {})
        for poison in one.poisons:
            if poison.chart is not None:
                charts[poison.chart] = min(charts.get(poison.chart, MANY), poison.position)
    return known_ends, {tenant: charts for tenant, charts in aside.items() if charts}


def _streamed(filled: Sequence[Filled], ends: Mapping[str, int]) -> Streamed:
    answer = Streamed(dict(ends))
    for one in filled:
        tenant = one.segment.tenant
        answer.projected += one.events
        answer.poisons.setdefault(tenant, []).extend(one.poisons)
        if one.held:
            answer.reached[tenant] = one.held.position - 1
    return answer


Fill = Callable[[Sequence[Segment]], AsyncGenerator[Filled, None]]


@asynccontextmanager
async def _filler(
    workers: Workers | None, connection: asyncpg.Connection, keys: KeyTree
) -> AsyncIterator[Fill]:
    """What fills segments: this process, one after the other, or processes of its own.

    Those under way are waited for at the end.
    """

    async def here(segments: Sequence[Segment]) -> AsyncGenerator[Filled, None]:
        for segment in segments:
            yield await fill(connection, keys, segment)

    if workers is None:
        yield here
        return
    # Spawned, as a forked process would share this one's sockets and threads.
    pool = ProcessPoolExecutor(
        workers.count, get_context("spawn"), initializer=_start, initargs=(workers,)
    )

    async def there(segments: Sequence[Segment]) -> AsyncGenerator[Filled, None]:
        running = [asyncio.wrap_future(pool.submit(_fill, segment)) for segment in segments]
        try:
            for answer in asyncio.as_completed(running):
                yield await answer
        finally:
            # Cancelled by the pool alone: one that breaks fails at futures that others cancelled.
            if not all(one.done() for one in running):
                await asyncio.to_thread(pool.shutdown, cancel_futures=True)
            await asyncio.gather(*running, return_exceptions=True)

    try:
        yield there
    finally:
        await asyncio.to_thread(pool.shutdown, cancel_futures=True)


class _Process:
    """What a worker process keeps from one segment to the next."""

    def __init__(self, workers: Workers) -> None:
        self.runner = asyncio.Runner()
        self.keys = workers.open_keys()
        self.connection = self.runner.run(_connected(workers.dsn))
        self.log = LogSource(workers.reading)


async def _connected(dsn: str) -> asyncpg.Connection:
    return await asyncpg.connect(dsn)


_process: list[_Process] = []


def _start(workers: Workers) -> None:
    # The process that started this one is told to stop, and lets what is under way end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Rows make no cycles, and looking for them took a third of the time.
    gc.disable()
    _process.append(_Process(workers))


def _fill(segment: Segment) -> Filled:
    process = _process[0]
    try:
        return process.runner.run(fill(process.connection, process.keys, segment, process.log))
    finally:
        gc.collect()
