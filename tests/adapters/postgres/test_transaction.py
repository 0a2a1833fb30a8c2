"""The transaction of an operation's reads, given back whole whenever it is interrupted."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from adapters.postgres import transaction
from adapters.postgres.transaction import Transaction
from api.house import House
from tests.adapters.postgres.acts import HERE

pytestmark = pytest.mark.anyio
NOBODY = "00000000-0000-4000-8000-000000000000"
ROWS = "SELECT 1 AS id, now() AS at, true AS shown"


@contextmanager
def halted(backend: int) -> Iterator[None]:
    """A server process that answers nothing for a while."""
    os.kill(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend, signal.SIGCONT)


@pytest.fixture
async def complaints() -> AsyncIterator[list[str]]:
    """What the event loop was told of; asyncpg tells it of connections left in a transaction."""
    told: list[str] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: told.append(context["message"]))
    yield told
    loop.set_exception_handler(before)


async def opening(house: House) -> asyncio.Task[list[asyncpg.Record]]:
    """A read whose transaction does not open, as the server process is halted."""
    assert house.reads.get_idle_size() == 1
    reads = Transaction(house.reads, HERE, NOBODY)
    reading = asyncio.create_task(_read(reads))
    while True:
        await asyncio.sleep(0)
        if not house.reads.get_idle_size():
            return reading


async def _read(reads: Transaction) -> list[asyncpg.Record]:
    try:
        return await reads.fetch(ROWS, [])
    finally:
        await reads.close()


async def test_who_is_cancelled_while_it_opens_and_again_while_it_closes_leaves_nothing(
    house: House, complaints: list[str]
) -> None:
    backend = await house.reads.fetchval("SELECT pg_backend_pid()")
    with halted(backend):
        reading = await opening(house)
        for _ in range(2):
            reading.cancel()
            for _ in range(20):
                await asyncio.sleep(0)
        assert reading.done()
    async with asyncio.timeout(30):
        await house.reads.close()  # Ends when every connection has been given back.
    assert complaints == []


async def test_a_connection_that_does_not_even_roll_back_is_used_by_nobody(
    house: House, complaints: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "CLOSE_SECONDS", 0.05)
    backend = await house.reads.fetchval("SELECT pg_backend_pid()")
    with halted(backend):
        reading = await opening(house)
        reading.cancel()
        await asyncio.wait({reading})
        assert await house.reads.fetchval("SELECT pg_backend_pid()") != backend
    assert reading.cancelled()
    assert complaints == []


async def test_statements_of_every_kind_that_come_at_once_share_one_connection(
    house: House, complaints: list[str]
) -> None:
    reads = Transaction(house.reads, HERE, NOBODY)
    which = "SELECT pg_backend_pid() AS id, now() AS at, true AS shown"
    answers = await asyncio.gather(
        reads.fetch_alone(which, []), reads.fetch(which, []), reads.fetch_alone(which, [])
    )
    await reads.close()
    assert len({records[0]["id"] for records in answers}) == 1
    async with asyncio.timeout(30):
        await house.reads.close()  # Ends when every connection has been given back.
    assert complaints == []
