"""Histories of eight clients with lost connections are linearizable, and the checker can say no.

F24 of the security figures: 200 histories here, 5,000 where ANAMNESIS_SOAK is set.
"""

import asyncio
import os
import random
import time
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.writer import LogUnavailable, Writer
from tests.adapters.postgres.acts import HERE, sealed
from tests.faults.linear import Op, is_linearizable

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
HISTORIES = 5_000 if os.environ.get("ANAMNESIS_SOAK") else 200
CLIENTS, EACH = 8, 5
PATIENCE_S = 0.02
VERSION = "SELECT version FROM stream_head WHERE tenant = $1 AND stream = $2::uuid"


def ok(called: float, returned: float, expected: int) -> Op:
    return Op("append", called, returned, expected, True, expected + 1)


def conflict(called: float, returned: float, expected: int, told: int) -> Op:
    return Op("append", called, returned, expected, False, told)


def lost(called: float, expected: int) -> Op:
    return Op("append", called, float("inf"), expected)


def read(called: float, returned: float, told: int) -> Op:
    return Op("read", called, returned, told=told)


GOOD = {
    "nothing": [],
    "one after the other": [ok(0, 1, 0), ok(2, 3, 1), read(4, 5, 2)],
    "at the same time": [ok(0, 9, 0), ok(0, 9, 1), conflict(0, 9, 0, 1), read(0, 9, 0)],
    "a conflict in the middle": [ok(0, 3, 0), conflict(1, 6, 0, 1), ok(4, 8, 1), read(7, 9, 2)],
    "lost and done": [lost(0, 0), read(5, 6, 1)],
    "lost and never done": [lost(0, 0), read(5, 6, 0)],
    "lost and done late": [lost(0, 0), read(1, 2, 0), read(3, 4, 1)],
}
BAD = {
    "two winners": [ok(0, 9, 0), ok(0, 9, 0)],
    "a lost update": [ok(0, 1, 0), read(2, 3, 0)],
    "a read of the future": [read(0, 1, 1), ok(2, 3, 0)],
    "back in time": [ok(0, 1, 0), ok(2, 3, 1), read(4, 5, 2), read(6, 7, 1)],
    "a conflict without a cause": [conflict(0, 1, 0, 0)],
    "a conflict that tells the past": [ok(0, 1, 0), ok(2, 3, 1), conflict(4, 5, 0, 1)],
    "lost and done twice": [lost(0, 0), read(5, 6, 2)],
    "lost, never done and done": [lost(0, 0), read(1, 2, 1), read(3, 4, 0)],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_can_have_happened_is_linearizable(name: str) -> None:
    assert is_linearizable(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_have_happened_is_not(name: str) -> None:
    assert not is_linearizable(BAD[name])


class Recorded:
    """Clients at one stream, what they were told, and connections that are cut meanwhile."""

    def __init__(self, dsn: str, writers: list[Writer], chance: random.Random) -> None:
        self._dsn = dsn
        self._writers = writers
        self._chance = chance
        self.stream = str(uuid4())
        self.ops: list[Op] = []

    async def run(self) -> None:
        """A history with one cut of every connection of the writers somewhere in it."""
        readers = [await asyncpg.connect(self._dsn) for _ in range(CLIENTS)]
        try:
            clients = [self._client(n, reader) for n, reader in enumerate(readers)]
            await asyncio.gather(*clients, self._cut())
        finally:
            for reader in readers:
                await reader.close()

    async def _cut(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, 0.01))
        owner = await asyncpg.connect(self._dsn)
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'anamnesis_api' AND datname = current_database()"
        )
        await owner.close()

    async def _client(self, number: int, reader: asyncpg.Connection) -> None:
        version = 0
        for _ in range(EACH):
            if self._chance.random() < 0.3:
                version = await self._read(reader)
            else:
                version = await self._append(self._writers[number % len(self._writers)], version)

    async def _read(self, reader: asyncpg.Connection) -> int:
        called = time.monotonic()
        found = await reader.fetchval(VERSION, HERE, self.stream) or 0
        self.ops.append(Op("read", called, time.monotonic(), told=found))
        return int(found)

    async def _append(self, writer: Writer, expected: int) -> int:
        """Some clients do not wait for their answer, and are told nothing."""
        called, impatient = time.monotonic(), self._chance.random() < 0.1
        asked = asyncio.ensure_future(writer.append(sealed(self.stream, expected)))
        done, _ = await asyncio.wait({asked}, timeout=PATIENCE_S if impatient else None)
        if not done:
            asked.cancel()
        try:
            answer = await asked
        except (LogUnavailable, asyncio.CancelledError):
            self.ops.append(Op("append", called, float("inf"), expected))
            return expected
        returned = time.monotonic()
        if answer.status == "appended":
            self.ops.append(Op("append", called, returned, expected, True, expected + 1))
            return expected + 1
        assert answer.status == "version"
        told = answer.version
        assert told is not None
        self.ops.append(Op("append", called, returned, expected, False, told))
        return told


async def test_histories_of_eight_clients_with_lost_connections_are_linearizable(
    dsn: str,
) -> None:
    role = dsn.replace("postgres@", "anamnesis_api@")
    writers = [Writer(lambda: asyncpg.connect(role)) for _ in range(2)]
    told = appended = 0
    try:
        for seed in range(HISTORIES):
            history = Recorded(dsn, writers, random.Random(seed))
            await history.run()
            assert is_linearizable(history.ops), f"seed {seed}: {history.ops}"
            told += sum(op.told is None for op in history.ops)
            appended += sum(op.succeeded for op in history.ops)
    finally:
        for writer in writers:
            await writer.close()
    assert appended > HISTORIES
    assert told > 0
