"""Jobs: what wakes a dispatcher early. Losing every job costs time and nothing else.

The port has two adapters: one process by itself, and arq on Redis or Valkey, which wakes the
dispatchers of other processes. Payloads are JSON; arq's own default is pickle.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol, cast

import msgspec
import structlog
from arq import create_pool, func
from arq.connections import ArqRedis, RedisSettings
from arq.typing import WorkerCoroutine
from arq.worker import Worker
from redis.exceptions import RedisError

QUEUE: Final = "anamnesis:dispatch"
AGAIN_SECONDS = 1.0
POLL_SECONDS = 0.1
_LOST = (RedisError, OSError, asyncio.TimeoutError)
_log = structlog.get_logger("anamnesis.jobs")


class Jobs(Protocol):
    """Wakes dispatchers."""

    async def wake(self, at: datetime | None = None) -> None:
        """Have some dispatcher look, now or at a time. Never fails: it would look by itself."""

    async def run(self, woken: Callable[[], None]) -> None:
        """Call `woken` for each waking, until cancelled."""


class LocalJobs:
    """The dispatcher of this process alone."""

    def __init__(self) -> None:
        self._woken: Callable[[], None] = lambda: None

    async def wake(self, at: datetime | None = None) -> None:
        """See Jobs."""
        if at is None:
            self._woken()
            return
        seconds = max(0.0, (at - datetime.now(at.tzinfo)).total_seconds())
        asyncio.get_running_loop().call_later(seconds, lambda: self._woken())

    async def run(self, woken: Callable[[], None]) -> None:
        """See Jobs."""
        self._woken = woken
        await asyncio.Event().wait()


class ArqJobs:
    """arq on Redis or Valkey: any process that runs a dispatcher is woken."""

    def __init__(self, url: str) -> None:
        """`url` is redis://, rediss:// or unix://."""
        self._settings = RedisSettings.from_dsn(url)
        self._redis: ArqRedis | None = None

    async def wake(self, at: datetime | None = None) -> None:
        """See Jobs."""
        # One that is under way does not take in what came after it began: each has its own.
        ident = None if at is None else f"wake-{int(at.timestamp())}"
        try:
            if self._redis is None:
                self._redis = await create_pool(
                    self._settings, job_serializer=msgspec.json.encode, default_queue_name=QUEUE
                )
            await self._redis.enqueue_job("wake", _job_id=ident, _defer_until=at)
        except _LOST as error:
            _log.warning("jobs.unheard", error=type(error).__name__)
            await self.close()

    async def run(self, woken: Callable[[], None]) -> None:
        """See Jobs."""

        async def wake(_context: dict[Any, Any], *_given: Any, **_named: Any) -> None:
            woken()

        while True:
            try:
                await self._work(cast(WorkerCoroutine, wake))
            except _LOST as error:
                _log.warning("jobs.deaf", error=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _work(self, wake: WorkerCoroutine) -> None:
        """An arq worker until the connection is lost."""
        redis = await create_pool(self._settings, default_queue_name=QUEUE)
        worker = Worker(
            functions=[func(wake, name="wake", keep_result=0, max_tries=1)],
            queue_name=QUEUE,
            redis_pool=redis,
            handle_signals=False,
            poll_delay=POLL_SECONDS,
            health_check_interval=3600,
            job_serializer=msgspec.json.encode,
            job_deserializer=msgspec.json.decode,
        )
        try:
            await worker.async_run()
        finally:
            # Its own closing calls what redis warns of.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS):
                    await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
            with contextlib.suppress(*_LOST):
                await redis.aclose(close_connection_pool=True)

    async def close(self) -> None:
        """Let go of the connection."""
        redis, self._redis = self._redis, None
        if redis is not None:
            with contextlib.suppress(*_LOST):
                await redis.aclose(close_connection_pool=True)
