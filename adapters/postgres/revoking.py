"""Revoking: what an erasure destroyed leaves the caches of every running process at once.

A process that reads or writes listens for erasures, and looks by itself where it cannot hear.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg
import structlog

from adapters.keys.tree import KeyTree
from adapters.postgres.listening import listening
from adapters.postgres.tenant import tenant_rows

KEYS_CHANNEL = "anamnesis_keys"
LOOK_SECONDS = 10.0
DEAF_SECONDS = 0.5
STOP_SECONDS = 5.0
DESTROYED = """SELECT key::text, position FROM destroyed_key
  WHERE tenant = $1 AND position > $2 ORDER BY position"""
_log = structlog.get_logger("anamnesis.revoking")
Connect = Callable[[], Awaitable[asyncpg.Connection]]


class Revocations:
    """Follows the erasures of every tenant for one process' key tree."""

    def __init__(
        self, pool: asyncpg.Pool, keys: KeyTree, tenants: Callable[[], Awaitable[Sequence[str]]]
    ) -> None:
        """`pool` has connections of a role that reads the log."""
        self._pool = pool
        self._keys = keys
        self._tenants = tenants
        self._seen: defaultdict[str, int] = defaultdict(int)
        self._wake = asyncio.Event()
        self._stopping = False

    async def look(self) -> None:
        """Forget every key that was destroyed since the last look."""
        for tenant in await self._tenants():
            rows = await tenant_rows(self._pool, tenant, DESTROYED, tenant, self._seen[tenant])
            if rows:
                self._keys.revoke(tenant, [row["key"] for row in rows])
                self._seen[tenant] = rows[-1]["position"]

    async def follow(self, connect: Connect) -> None:
        """Look now, at each erasure, and every LOOK_SECONDS, until stopped."""
        listener: asyncpg.Connection | None = None
        try:
            while not self._stopping:
                if listener is None or listener.is_closed():
                    listener = await listening(connect, self._heard, "keys.deaf", KEYS_CHANNEL)
                self._wake.clear()
                try:
                    await self.look()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    _log.warning("keys.unseen", error=type(error).__name__)
                if self._stopping:
                    break
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS if listener else DEAF_SECONDS):
                        await self._wake.wait()
        finally:
            if listener is not None:
                with contextlib.suppress(Exception):
                    await listener.close()

    def stop(self) -> None:
        """Let `follow` end after the look that is under way."""
        self._stopping = True
        self._wake.set()

    def _heard(self, *_told: object) -> None:
        self._wake.set()


@contextlib.asynccontextmanager
async def revoking(
    pool: asyncpg.Pool,
    keys: KeyTree,
    tenants: Callable[[], Awaitable[Sequence[str]]],
    connect: Connect,
) -> AsyncIterator[Revocations]:
    """Destroyed keys leave this key tree while the context is open."""
    revocations = Revocations(pool, keys, tenants)
    task = asyncio.create_task(revocations.follow(connect), name="key-revocations")
    try:
        yield revocations
    finally:
        revocations.stop()
        # A cancelled connect leaves its socket behind: only where it takes too long.
        await asyncio.wait({task}, timeout=STOP_SECONDS)
        task.cancel()
        await asyncio.wait({task})
