"""Sweeping: a dispatcher's rounds, when it is woken and every two seconds in any case."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog

from adapters.dispatch.carrying import MOST, Dispatcher
from adapters.dispatch.jobs import Jobs

SWEEP_SECONDS = 2.0
_log = structlog.get_logger("anamnesis.dispatch")


class Sweeper:
    """Carries effects out until it is stopped."""

    def __init__(self, dispatcher: Dispatcher, jobs: Jobs) -> None:
        self._dispatcher = dispatcher
        self._jobs = jobs
        self._wake = asyncio.Event()
        self._stopping = False

    async def run(self, tenants: Callable[[], Awaitable[Sequence[str]]]) -> None:
        """Whatever a connection meets is told and tried again."""
        listening = asyncio.create_task(self._jobs.run(self._wake.set), name="jobs")
        try:
            while not self._stopping:
                self._wake.clear()
                try:
                    for tenant in await tenants():
                        await self._swept(tenant)
                except Exception as error:  # it outlives whatever a connection or the log meets
                    _log.warning("dispatch.failed", error=type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SWEEP_SECONDS):
                        await self._wake.wait()
        finally:
            listening.cancel()
            await asyncio.wait({listening})

    def stop(self) -> None:
        """Let `run` end after the round that is under way."""
        self._stopping = True
        self._wake.set()

    async def _swept(self, tenant: str) -> None:
        more = True
        while more and not self._stopping:
            more = await self._dispatcher.carry(tenant) == MOST
