"""The connection to the key store's server: what goes wrong there is KeyStoreUnavailable."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from adapters.keys.putting import unavailable

CONNECTIONS: Final = 4
CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 10.0
_AWAY: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class KeyServer:
    """A pool that is opened when it is used first, by the event loop that does."""

    def __init__(self, dsn: str) -> None:
        """Nothing is connected yet."""
        self._dsn = dsn
        self._opening = asyncio.Lock()
        self._pool: asyncpg.Pool | None = None

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of one statement. Raises KeyStoreUnavailable."""
        async with self.connection() as at:
            found: list[asyncpg.Record] = await at.fetch(statement, *arguments)
            return found

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """One that is durable once it is left. Raises KeyStoreUnavailable."""
        async with self.connection() as at, at.transaction():
            yield at

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction that sees the store as it is at one moment. A destruction waits for it."""
        async with (
            self.connection() as at,
            at.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield at

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Raises KeyStoreUnavailable, also for what goes wrong while it is in use."""
        try:
            pool = await self._opened()
            async with pool.acquire(timeout=STATEMENT_SECONDS) as at:
                yield at
        except _AWAY as error:
            raise unavailable(error) from error

    async def close(self) -> None:
        """Let go of the server."""
        if self._pool is not None:
            await self._pool.close()

    async def _opened(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=0,
                    max_size=CONNECTIONS,
                    timeout=CONNECT_SECONDS,
                    command_timeout=STATEMENT_SECONDS,
                    # What was durable once stays so, whatever the server's settings say.
                    server_settings={"synchronous_commit": "on"},
                )
            return self._pool
