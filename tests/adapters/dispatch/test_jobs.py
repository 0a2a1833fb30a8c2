"""Jobs only wake: arq on a real Valkey, flushed, stopped, and without it."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from adapters.dispatch import ArqJobs, Jobs, LocalJobs
from adapters.embedded import EmbeddedValkey, start_valkey

pytestmark = pytest.mark.anyio


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with start_valkey(tmp_path / "valkey") as server:
        yield server


class Ear:
    """Counts wakings."""

    def __init__(self) -> None:
        self.count = 0
        self._heard = asyncio.Event()

    def woken(self) -> None:
        self.count += 1
        self._heard.set()

    async def heard(self, seconds: float = 5.0) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
                self._heard.clear()
                return True
        return False


async def woken_by(jobs: Jobs, sender: Jobs | None = None) -> None:
    """Now, again, and at a time."""
    ear, sender = Ear(), sender or jobs
    running = asyncio.create_task(jobs.run(ear.woken))
    await asyncio.sleep(0.1)
    try:
        for at in (None, None, datetime.now(UTC) + timedelta(seconds=0.3)):
            await sender.wake(at)
            assert await ear.heard()
        assert not await ear.heard(0.3)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_a_process_wakes_itself() -> None:
    await woken_by(LocalJobs())


async def test_arq_wakes_another_process(valkey: EmbeddedValkey) -> None:
    sender = ArqJobs(valkey.url())
    await woken_by(ArqJobs(valkey.url()), sender)
    await sender.close()


async def test_a_flush_of_everything_only_loses_wakings(valkey: EmbeddedValkey) -> None:
    sender, jobs, ear = ArqJobs(valkey.url()), ArqJobs(valkey.url()), Ear()
    await sender.wake(datetime.now(UTC) + timedelta(seconds=0.2))
    async with Redis(unix_socket_path=str(valkey.socket_path)) as redis:
        await redis.flushall()
    running = asyncio.create_task(jobs.run(ear.woken))
    assert not await ear.heard(0.5)
    await sender.wake()
    assert await ear.heard()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await sender.close()


async def test_without_a_server_waking_fails_quietly(tmp_path: Path) -> None:
    jobs = ArqJobs(f"unix://{tmp_path}/nothing.sock")
    await asyncio.wait_for(jobs.wake(), 30)
