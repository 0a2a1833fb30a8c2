"""Revoking: what an erasure destroyed leaves the caches of every running process at once.

A process that reads or writes listens for erasures on a connection of its own, and looks by itself
every few seconds, also where it cannot hear.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import structlog

from adapters.keys.tree import KeyTree
from adapters.postgres.away import AWAY
from adapters.postgres.listening import CLOSE_SECONDS, listening
from adapters.postgres.tenant import SET_TENANT

KEYS_CHANNEL = "anamnesis_keys"
LOOK_SECONDS = 10.0
DEAF_SECONDS = 0.5
STOP_SECONDS = 5.0
STATEMENT_SECONDS = 5.0
ERASURES = "SELECT tenant, upto FROM log_erasures()"
DESTROYED = """SELECT key::text, position FROM destroyed_key
  WHERE tenant = $1 AND position > $2 ORDER BY position"""
_log = structlog.get_logger("anamnesis.revoking")
Connect = Callable[[], Awaitable[asyncpg.Connection]]


class Revocations:
    """Follows the erasures of every tenant for one process' key tree."""

    def __init__(self, keys: KeyTree) -> None:
        self._keys = keys
        self._seen: defaultdict[str, int] = defaultdict(int)
        self._wake = asyncio.Event()
        self._stopping = False

    async def look(self, connection: asyncpg.Connection) -> None:
        """Forget every key that was destroyed since the last look."""
        for tenant, upto in await connection.fetch(ERASURES, timeout=STATEMENT_SECONDS):
            if upto <= self._seen[tenant]:
                continue
            async with connection.transaction(readonly=True):
                await connection.execute(SET_TENANT, tenant, timeout=STATEMENT_SECONDS)
                rows = await connection.fetch(
                    DESTROYED, tenant, self._seen[tenant], timeout=STATEMENT_SECONDS
                )
            if rows:
                self._keys.revoke(tenant, [row["key"] for row in rows])
                self._seen[tenant] = rows[-1]["position"]

    async def follow(self, connect: Connect) -> None:
        """Look now, at each erasure, and every LOOK_SECONDS, until stopped."""
        listener: asyncpg.Connection | None = None
        while not self._stopping:
            if listener is None or listener.is_closed():
                listener = await listening(connect, self._heard, "keys.deaf", KEYS_CHANNEL)
            self._wake.clear()
            if listener is not None:
                try:
                    await self.look(listener)
                except AWAY as error:
                    _log.warning("keys.unseen", error=type(error).__name__)
                    listener.terminate()
                    listener = None
            if self._stopping:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS if listener else DEAF_SECONDS):
                    await self._wake.wait()
        if listener is not None:
            with contextlib.suppress(Exception):
                await listener.close(timeout=CLOSE_SECONDS)

    def stop(self) -> None:
        """Let `follow` end after the look that is under way."""
        self._stopping = True
        self._wake.set()

    def _heard(self, *_told: object) -> None:
        self._wake.set()


@contextlib.asynccontextmanager
async def revoking(keys: KeyTree, connect: Connect) -> AsyncIterator[None]:
    """Destroyed keys leave this key tree while the context is open."""
    revocations = Revocations(keys)
    task = asyncio.create_task(revocations.follow(connect), name="key-revocations")
    try:
        yield
    finally:
        revocations.stop()
        # A cancelled connect leaves its socket behind: only where it takes too long.
        await asyncio.wait({task}, timeout=STOP_SECONDS)
        task.cancel()
        await asyncio.wait({task})
