"""Pools for requests: nobody waits for long, neither for a statement nor for its end.

A network can go dead without a word; then each connection is given up when its statement takes too
long, and `renew` has all the others replaced before they are used.
"""

import asyncio
import time
from typing import Any, Final

import asyncpg
from asyncpg.connection import Connection
from asyncpg.protocol import Record

from adapters.postgres.away import COMMAND_SECONDS, CONNECT_SECONDS

RELEASE_SECONDS: Final = 2.0
RENEW_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 3.0
WORK_SECONDS: Final = 30.0
"""For a statement of a projector: no step of it takes so long."""
_USUAL: Final[dict[str, Any]] = {
    "connection_class": Connection,
    "record_class": Record,
    "max_queries": 50_000,
    "loop": None,
    "setup": None,
    "init": None,
}


class BoundedPool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg ships no types
    """A pool that is closed in time, whatever its connections meet."""

    __slots__ = ()

    async def close(self) -> None:
        """Let what is under way finish, within CLOSE_SECONDS."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await super().close()
        except TimeoutError:
            self.terminate()


class RequestPool(BoundedPool):
    """A pool whose waits all end."""

    __slots__ = ("_renewed_at",)

    async def _acquire(self, *given: Any) -> Any:
        # A release waits for what was cancelled, for ever unless its acquisition had a timeout;
        # which would cost a task each time. The wait itself ends with the operation.
        proxy = await super()._acquire(*given)
        proxy._holder._timeout = RELEASE_SECONDS
        return proxy

    async def release(self, connection: Any, **named: Any) -> None:
        """Give a connection back. Where its user was cancelled, nobody else sees how it ends."""
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            await super().release(connection, **named)
            return
        releasing = asyncio.ensure_future(super().release(connection, **named))
        releasing.add_done_callback(_seen)
        await asyncio.shield(releasing)

    async def fresh(self) -> "RequestPool":
        """The pool to read from. See `adapters.postgres.replica`; one server is always fresh."""
        return self

    def instead(self, _pool: "RequestPool", _error: BaseException) -> "RequestPool | None":
        """The pool for a statement that failed: there is no other."""
        return None

    async def renew(self) -> None:
        """Replace every connection before its next use, unless that was done a moment ago."""
        now = time.monotonic()
        if now - getattr(self, "_renewed_at", 0.0) >= RENEW_SECONDS:
            self._renewed_at = now
            # Those that wait for their next use are let go at once: whoever is gone does not say
            # goodbye, and asyncpg would wait for it in a task that nobody watches.
            for holder in self._holders:
                if holder._con is not None and holder._in_use is None:
                    holder._con.terminate()
            await self.expire_connections()


def _seen(releasing: "asyncio.Future[None]") -> None:
    """What went wrong is over: the connection was terminated."""
    if not releasing.cancelled():
        releasing.exception()


def request_pool(dsn: str, size: int, **named: Any) -> RequestPool:
    """A pool for requests of at most `size` connections; `named` are asyncpg's arguments."""
    return RequestPool(
        dsn,
        # No floor: asyncpg keeps it in a task that fails unwatched while the network is dead.
        min_size=0,
        max_size=size,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        **_USUAL,
        **{"init_size": 1, **named},
    )


def bounded_pool(
    dsn: str, size: int, *, statement_s: float | None = WORK_SECONDS, **named: Any
) -> BoundedPool:
    """A pool of at most `size` connections for work beside requests; its statements end, too,
    unless `statement_s` is None: a rebuild makes indexes.
    """
    return BoundedPool(
        dsn,
        max_size=size,
        timeout=CONNECT_SECONDS,
        command_timeout=statement_s,
        max_inactive_connection_lifetime=300.0,
        **_USUAL,
        **named,
    )
