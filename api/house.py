"""The house put together: pools by role, key tree, log, read models."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg

from adapters.keys import KeyTree
from adapters.objects import ObjectStore
from adapters.postgres.authority import AuthorityReader
from adapters.postgres.away import CONNECT_SECONDS
from adapters.postgres.filling import Workers
from adapters.postgres.log import PostgresLog
from adapters.postgres.polling import polling
from adapters.postgres.pools import BoundedPool, RequestPool, bounded_pool, request_pool
from adapters.postgres.progress import Progress
from adapters.postgres.projector import Projector
from adapters.postgres.rebuild import bring_up_to_date
from adapters.postgres.replica import Replica
from adapters.postgres.revoking import revoking
from adapters.postgres.transaction import Source
from adapters.postgres.writer import Writer
from api.keystore import open_keys, open_store, root_of
from api.settings import Settings
from api.standing import Standing, watched
from domain import audit
from domain.kernel.perform import Receipt, Request, perform
from projections.catalogue import PERMISSIONS, PROJECTIONS

POOL_SIZE = 12
ROUND_SECONDS = 10.0
CLOCK = "SELECT clock_timestamp()"
"""Asked each second for the standing of the process, and by no request."""


class ClockSkew(Exception):
    """This machine's clock and the database's differ by more than 2 s. Synchronise them (NTP)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What one process works with; opened and closed by `open_house`.

    An operation holds a connection of `reads` until its answer is ready and asks for permissions
    meanwhile. Those come from `api`, whose users hold nothing else while they wait for it, so that
    operations never wait for each other in a circle.
    """

    settings: Settings
    keys: KeyTree
    objects: ObjectStore
    api: RequestPool
    reads: RequestPool
    replica: Replica | None
    auditor: RequestPool
    writer: Writer
    log: PostgresLog
    authorities: AuthorityReader
    progress: Progress
    standing: Standing

    @property
    def rows(self) -> Source:
        """Where operations read: `reads`, behind the replica where there is one."""
        return self.replica or self.reads

    async def do(self, request: Request) -> Receipt:
        """Perform a command. Raises its Refusal, and LogUnavailable."""
        self.standing.check_writable()
        return await perform(request, self.log, audit.refused)

    async def tenants(self) -> list[str]:
        """The tenants whose logs are open or hold events."""
        return await tenants_of(self.api)

    async def renew(self) -> None:
        """The database was away: what was connected to it is connected anew."""
        for pool in (self.api, self.reads, self.auditor):
            await pool.renew()

    @property
    def workers(self) -> Workers:
        """Processes of their own that share a rebuild."""
        return workers_of(self.settings)


async def tenants_of(pool: asyncpg.Pool) -> list[str]:
    """The tenants whose logs are open or hold events."""
    rows = await pool.fetch("SELECT log_tenants() AS tenant")
    return [row["tenant"] for row in rows]


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncIterator[House]:
    """Pools, keys and log; closes them in order. Raises ClockSkew."""
    settings.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = root_of(settings)
    async with contextlib.AsyncExitStack() as stack:
        store = open_store(settings)
        stack.push_async_callback(store.close)
        keys = KeyTree(root, store)
        api = await stack.enter_async_context(_reading_pool(settings.role_dsn("api"), POOL_SIZE))
        reads = await stack.enter_async_context(_reading_pool(settings.role_dsn("api"), POOL_SIZE))
        auditor = await stack.enter_async_context(_reading_pool(settings.role_dsn("auditor"), 4))
        standing = await stack.enter_async_context(
            watched(Standing(settings.low_water, partial(database_time, api)))
        )
        if standing.is_astray:
            raise ClockSkew
        progress = Progress(api, PERMISSIONS)
        connect = partial(asyncpg.connect, settings.role_dsn("api"), timeout=CONNECT_SECONDS)
        hearing = ear(settings, "api")
        await stack.enter_async_context(progress.listening(hearing))
        writer = Writer(connect, standing.check_readable, shape=settings.append)
        stack.push_async_callback(writer.close)
        authorities = AuthorityReader(api, progress)
        await stack.enter_async_context(revoking(keys, hearing))
        yield House(
            settings=settings,
            keys=keys,
            objects=ObjectStore.local(settings.objects),
            api=api,
            reads=reads,
            replica=await stack.enter_async_context(_replica(settings, api, reads)),
            auditor=auditor,
            writer=writer,
            log=PostgresLog(api, writer, keys, authorities, progress),
            authorities=authorities,
            progress=progress,
            standing=standing,
        )


@asynccontextmanager
async def projecting(house: House) -> AsyncIterator[Projector]:
    """A projector that tails the log of every tenant while the context is open.

    Read models of an earlier version are rebuilt first; reads go on meanwhile. What is rebuilt
    already is kept from then on: the process of the earlier release cannot do it any more.
    """
    dsn = house.settings.role_dsn("projector")
    async with tailing_pool(dsn) as tailed, _pool(dsn, 4) as pool:
        known = await house.tenants()
        projector = Projector(tailed, house.keys, PROJECTIONS)
        tailing = projector.run(known, ear(house.settings, "projector"))
        task = asyncio.create_task(tailing, name="projector")
        try:
            await bring_up_to_date(pool, house.keys, known, PROJECTIONS, unwatched, house.workers)
            yield projector
        finally:
            projector.stop()
            await ended(task)


async def ended(task: asyncio.Task[None]) -> None:
    """Let the round under way finish, then cancel until it has ended.

    A cancelled connect leaves its socket behind, and a library may lose a cancellation.
    """
    await asyncio.wait({task}, timeout=ROUND_SECONDS)
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)


def unwatched(_done: int, _total: int) -> None:
    """Nobody watches."""


def ear(settings: Settings, role: str) -> Callable[[], Awaitable[asyncpg.Connection]]:
    """What makes the connection of a role on which something is heard of."""
    connect = partial(asyncpg.connect, settings.role_dsn(role), timeout=CONNECT_SECONDS)
    return connect if settings.wake == "notify" else partial(polling, connect)


def workers_of(settings: Settings) -> Workers:
    """Processes of their own that share a rebuild."""
    return Workers(
        settings.role_dsn("projector"),
        partial(open_keys, settings),
        reading=settings.replica_dsn("projector"),
    )


def _pool(dsn: str, size: int) -> BoundedPool:
    """Connections of this pool are reset by PostgreSQL, which also ends advisory locks."""
    return bounded_pool(dsn, size, statement_s=None, min_size=0)


def tailing_pool(dsn: str) -> BoundedPool:
    """A projector's connections: it takes one for each step, and all that it sets is local."""
    return bounded_pool(dsn, 4, min_size=0, init_size=1, reset=_as_it_is)


def _reading_pool(dsn: str, size: int, **named: Any) -> RequestPool:
    """Connections whose settings all end with their transaction: none needs a reset query.

    Plans are kept: with row-level security a new one takes as long as the pages themselves. What
    is kept must not come from the days when a table was small, hence no sequential scans.
    """
    settings = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
    return request_pool(
        dsn,
        size,
        max_inactive_connection_lifetime=0,  # a timer less for each use; plans are worth keeping
        reset=_as_it_is,
        server_settings=settings,
        **named,
    )


@asynccontextmanager
async def _replica(
    settings: Settings, api: RequestPool, reads: RequestPool
) -> AsyncIterator[Replica | None]:
    """The replica that the settings name. One that is not there yet is asked for when it is."""
    dsn = settings.replica_dsn("api")
    if dsn is None:
        yield None
        return
    there = _reading_pool(dsn, 1, init_size=0)
    async with _reading_pool(dsn, POOL_SIZE, init_size=0) as pool, there:
        yield Replica(pool, reads, there=there, here=api)


async def _as_it_is(_connection: asyncpg.Connection) -> None:
    """asyncpg rolls back a transaction that was left open, and takes listeners off, by itself."""


async def database_time(pool: asyncpg.Pool) -> datetime:
    """What time it is for the database."""
    theirs: datetime = await pool.fetchval(CLOCK)
    return theirs
