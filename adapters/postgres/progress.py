"""How far the read models are, and waiting for them: bounded, woken by the projector's NOTIFY."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg
import structlog

from adapters.postgres.away import AWAY

CHANNEL = "anamnesis_progress"
POLL_SECONDS = 0.05
WAIT_SECONDS = 5.0
"""How long a wait lasts unless its caller says."""
AGAIN_SECONDS = 0.5
CLOSE_SECONDS = 2.0
_log = structlog.get_logger("anamnesis.progress")
Connect = Callable[[], Awaitable[asyncpg.Connection]]


class PositionTimeout(Exception):
    """The read models have not reached the asked position in time. Ask again in a moment."""


class Progress:
    """One process' view of the checkpoints; `listen` makes waits end as soon as they can."""

    def __init__(
        self, pool: asyncpg.Pool, permissions: Sequence[str], seconds: float | None = None
    ):
        self._pool = pool
        self._permissions = tuple(permissions)
        self._seconds = seconds
        self._moved = asyncio.Event()
        self._reached: dict[tuple[str, str], int] = {}
        self._listener: asyncpg.Connection | None = None
        self.waits = 0

    @contextlib.asynccontextmanager
    async def listening(self, connect: Connect) -> AsyncIterator[None]:
        """Hear of progress while the context is open, on another connection when one is lost."""
        await self._listen(connect)
        task = asyncio.create_task(self._keep_listening(connect), name="progress-listener")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            if self._listener is not None:
                with contextlib.suppress(Exception):
                    await self._listener.close(timeout=CLOSE_SECONDS)

    async def _listen(self, connect: Connect) -> None:
        connection = await connect()
        await connection.add_listener(CHANNEL, self._heard)
        self._listener = connection

    async def _keep_listening(self, connect: Connect) -> None:
        while True:
            await asyncio.sleep(AGAIN_SECONDS)
            if self._listener is not None and not self._listener.is_closed():
                continue
            # What was told meanwhile was not heard: it has to be asked for once.
            self._reached.clear()
            try:
                await self._listen(connect)
            except AWAY as error:
                _log.warning("progress.deaf", error=type(error).__name__)

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        for line in str(payload).splitlines():
            tenant, position, *projections = line.split(" ")
            for projection in projections:
                self._note(tenant, projection, int(position))
        self._moved.set()
        self._moved = asyncio.Event()

    def _note(self, tenant: str, projection: str, position: int) -> None:
        known = self._reached.get((tenant, projection), 0)
        self._reached[tenant, projection] = max(known, position)

    async def reach(
        self, tenant: str, position: int, projections: Sequence[str], seconds: float | None = None
    ) -> None:
        """Return when these projections have reached the position. Raises PositionTimeout."""
        wait = self._seconds if seconds is None else seconds
        deadline = time.monotonic() + (WAIT_SECONDS if wait is None else wait)
        doubtful = not self._hears_of(tenant, projections)
        while self._behind(tenant, position, projections):
            left = deadline - time.monotonic()
            moved = self._moved
            if doubtful or left <= 0:
                await self._look(tenant, projections)
                if not self._behind(tenant, position, projections):
                    return
            if left <= 0:
                raise PositionTimeout
            self.waits += 1
            doubtful = not await _within(min(left, POLL_SECONDS), moved)

    async def reach_head(
        self,
        tenant: str,
        projections: Sequence[str] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Wait until read models, those of permissions unless named, have reached the head."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT set_config('anamnesis.tenant', $1, true)", tenant)
            head = await connection.fetchval(
                "SELECT position FROM log_head WHERE tenant = $1", tenant
            )
        await self.reach(tenant, head or 0, projections or self._permissions, seconds)

    async def reach_permissions(self, tenant: str, position: int) -> None:
        """Wait until the permission read models have reached a position."""
        await self.reach(tenant, position, self._permissions)

    def _hears_of(self, tenant: str, projections: Sequence[str]) -> bool:
        """Whether each of their steps is told to this process, so that nothing has to be asked."""
        listening = self._listener is not None and not self._listener.is_closed()
        return listening and all((tenant, name) in self._reached for name in projections)

    def _behind(self, tenant: str, position: int, projections: Sequence[str]) -> bool:
        return any(self._reached.get((tenant, name), 0) < position for name in projections)

    async def _look(self, tenant: str, projections: Sequence[str]) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT set_config('anamnesis.tenant', $1, true)", tenant)
            rows = await connection.fetch(
                "SELECT projection, position FROM checkpoint"
                " WHERE tenant = $1 AND projection = ANY($2::text[])",
                tenant,
                list(projections),
            )
        for row in rows:
            self._note(tenant, row["projection"], row["position"])


async def _within(seconds: float, moved: asyncio.Event) -> bool:
    """Whether there was progress in this time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await moved.wait()
            return True
    return False
