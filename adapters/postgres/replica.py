"""Reads from a streaming replica, never older than what the primary said before them.

A permission is asked of the primary. The rows it opens are read from the replica once that has
replayed all that the primary had written by then, else from the primary: nobody sees a record as
it was before an entry was withdrawn from their eyes, and everybody sees their own changes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import structlog

from adapters.postgres.away import AWAY
from adapters.postgres.pools import RequestPool

LAG_SECONDS: Final = 0.05
"""How long a read waits for the replica before it goes to the primary."""
ASK_SECONDS: Final = 0.002
LEAVE_SECONDS: Final = 5.0
"""How long nobody asks a replica that was away or lagged."""
# What a projector commits is seen before it is flushed, and only what is flushed is streamed: a
# message with a commit of its own then flushes all before it.
WRITTEN = """SELECT pg_wal_lsn_diff(coalesce(
    CASE WHEN pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()
      THEN pg_logical_emit_message(true, 'anamnesis', '') END,
    pg_current_wal_flush_lsn()), '0/0')::bigint"""
REPLAYED = """SELECT coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), -1)::bigint
  WHERE pg_is_in_recovery()"""
# With the timeline: after a failover a standby of the old primary is at positions of its own.
IDENTITY = """SELECT (SELECT system_identifier FROM pg_control_system())::text,
  (SELECT timeline_id FROM pg_control_checkpoint())::text,
  (SELECT oid FROM pg_database WHERE datname = current_database())::text"""
GONE = (*AWAY, asyncpg.PostgresError)
"""Whatever a replica says: a statement that stood in the way of what it had to replay, a role that
may not sign in there. What is wrong with a statement itself, the primary says again, and that is
no reason to leave the replica."""
_log = structlog.get_logger("anamnesis.replica")


class NoReplica(Exception):
    """This is no replica of the database, or none any more. Name its streaming replica."""


class _Together:
    """One question for all who ask at once; never an answer from before one asked."""

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self._ask = ask
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[int] | None = None

    async def __call__(self) -> int:
        if self._next is None:
            self._next = asyncio.create_task(self._send(), name="replica-position")
            self._next.add_done_callback(_seen)
        return await asyncio.shield(self._next)

    async def _send(self) -> int:
        async with self._turn:
            self._next = None
            return await self._ask()


def _seen(asked: "asyncio.Task[int]") -> None:
    """Whoever asked may have given up waiting."""
    if not asked.cancelled():
        asked.exception()


class Replica:
    """A replica's pool in front of the primary's.

    Whoever reads holds a connection of one of them and asks meanwhile how far both servers are.
    That goes over `there` and `here`, whose users hold nothing else, so that readers never wait
    for each other in a circle.
    """

    def __init__(
        self, pool: RequestPool, primary: RequestPool, *, there: RequestPool, here: RequestPool
    ) -> None:
        self._pool, self._primary = pool, primary
        self._there, self._here = there, here
        self._replayed, self._written = -1, -1
        self._left_until = 0.0
        self._is_ours = False
        self._ask_written = _Together(lambda: here.fetchval(WRITTEN))
        self._ask_replayed = _Together(self._look)
        self.reads = {"primary": 0, "replica": 0}

    async def fresh(self) -> RequestPool:
        """The replica's pool where it has all that the primary has written, else the primary's."""
        pool = self._pool if await self._is_fresh() else self._primary
        self.reads["replica" if pool is self._pool else "primary"] += 1
        return pool

    def instead(self, pool: RequestPool, error: BaseException) -> RequestPool | None:
        """The pool for a statement that this one did not answer, if there is another."""
        if pool is self._primary or not isinstance(error, GONE):
            return None
        self.reads["replica"] -= 1
        self.reads["primary"] += 1
        if isinstance(error, AWAY) and not isinstance(error, ValueError):
            self._leave(error)
        return self._primary

    async def _is_fresh(self) -> bool:
        if time.monotonic() < self._left_until:
            return False
        written = await self._ask_written()
        if written < self._written:
            # Another server answers as the primary now.
            self._replayed, self._is_ours = -1, False
        self._written = written
        deadline = time.monotonic() + LAG_SECONDS
        try:
            async with asyncio.timeout(LAG_SECONDS * 2):
                while self._replayed < written:
                    self._replayed = max(self._replayed, await self._ask_replayed())
                    if self._replayed < written:
                        if time.monotonic() >= deadline:
                            raise TimeoutError
                        await asyncio.sleep(ASK_SECONDS)
        except (NoReplica, *GONE) as error:
            self._leave(error)
            return False
        return True

    async def _look(self) -> int:
        if not self._is_ours:
            ours, theirs = await asyncio.gather(
                self._here.fetchrow(IDENTITY), self._there.fetchrow(IDENTITY)
            )
            if tuple(ours) != tuple(theirs):
                raise NoReplica
            self._is_ours = True
        replayed: int | None = await self._there.fetchval(REPLAYED)
        if replayed is None:
            raise NoReplica
        return replayed

    def _leave(self, error: BaseException) -> None:
        """Nobody asks it for a while; what it is then may be another server."""
        self._replayed, self._is_ours = -1, False
        if time.monotonic() < self._left_until:
            return  # another reader has said so
        self._left_until = time.monotonic() + LEAVE_SECONDS
        _log.warning("replica.left", error=type(error).__name__)
