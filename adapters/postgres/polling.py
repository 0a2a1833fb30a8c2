"""A connection that asks where others listen: for a log that is spread over several machines.

What it finds is told as NOTIFY tells it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg

from adapters.postgres.away import COMMAND_SECONDS
from adapters.postgres.listening import LOG_CHANNEL
from adapters.postgres.progress import CHANNEL
from adapters.postgres.revoking import KEYS_CHANNEL

POLL_SECONDS = 0.02
ASKED: Mapping[str, str] = {
    LOG_CHANNEL: "SELECT tenant, position, '' FROM log_heads()",
    CHANNEL: "SELECT tenant, position, projection FROM log_reached()",
    KEYS_CHANNEL: "SELECT tenant, upto, '' FROM log_erasures()",
}
Heard = Callable[[object, int, str, str], None]


class PollingConnection:
    """As much of a connection as listeners use; a second one asks."""

    def __init__(self, connection: asyncpg.Connection, asking: asyncpg.Connection) -> None:
        self._connection = connection
        self._asking = asking
        self._tasks: list[asyncio.Task[None]] = []

    async def add_listener(self, channel: str, heard: Heard) -> None:
        """Tell what has moved since now, until the connection is closed."""
        known = await self._ask(channel)
        self._tasks.append(
            asyncio.create_task(self._follow(channel, heard, known), name=f"poll-{channel}")
        )

    def is_closed(self) -> bool:
        """Also where it can ask no more."""
        return (
            self._connection.is_closed()
            or self._asking.is_closed()
            or any(task.done() for task in self._tasks)
        )

    async def close(self, **named: Any) -> None:
        """Say goodbye. See asyncpg's."""
        self._stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._asking.close(**named)
        await self._connection.close(**named)

    def terminate(self) -> None:
        """At once."""
        self._stop()
        self._asking.terminate()
        self._connection.terminate()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the connection's."""
        return getattr(self._connection, name)

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _ask(self, channel: str) -> dict[tuple[str, str], int]:
        rows = await self._asking.fetch(ASKED[channel], timeout=COMMAND_SECONDS)
        return {(tenant, name): position for tenant, position, name in rows}

    async def _follow(self, channel: str, heard: Heard, known: dict[tuple[str, str], int]) -> None:
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            while True:
                await asyncio.sleep(POLL_SECONDS)
                now = await self._ask(channel)
                moved = [
                    f"{tenant} {position} {name}".rstrip()
                    for (tenant, name), position in now.items()
                    if known.get((tenant, name)) != position
                ]
                known = now
                if moved:
                    heard(self, 0, channel, "\n".join(moved))


async def polling(connect: Callable[[], Awaitable[asyncpg.Connection]]) -> PollingConnection:
    """Connect twice. Raises as `connect`."""
    connection = await connect()
    try:
        return PollingConnection(connection, await connect())
    except BaseException:
        connection.terminate()
        raise
