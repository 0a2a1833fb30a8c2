"""F1: processes that append are killed: what they acknowledged is there, a repeated wish is one.

A process that is started again wishes everything from the first number on once more, under the same
keys, as clients do that got no answer.
"""

import asyncio
import json
import os
import random
import sys

import asyncpg
import pytest

from api.house import open_house
from tests.adapters.postgres.acts import HERE, ROOT
from tests.faults.storm import Storm, storm

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
SOAK = bool(os.environ.get("ANAMNESIS_SOAK"))
KILLS = 300 if SOAK else 12
SEED = int(os.environ.get("ANAMNESIS_SEED", "20261128"))
CLIENTS = 8
PATIENTS = """SELECT count(*) AS events, count(DISTINCT stream) AS charts FROM event
  WHERE tenant = $1 AND type = 'registry.chart-opened'"""
Told = tuple[str, int, int]


async def lived(here: Storm, name: str, seconds: float, *words: str) -> list[tuple[Told, int]]:
    """What a process said until it was killed, with the number that it was about."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.appender", here.dsn, str(here.folder / "house"), name,
        "0", str(CLIENTS), *words,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert await child.stdout.readline() == b'"ready"\n'
    killing = asyncio.get_running_loop().call_later(seconds, child.kill)
    told = []
    async for line in child.stdout:
        if line.endswith(b"\n"):
            stream, first, last, number = json.loads(line)
            told.append(((stream, first, last), number))
    killing.cancel()
    await child.wait()
    return told


async def test_what_killed_processes_acknowledged_is_there_once_and_for_all() -> None:
    chance = random.Random(SEED)
    async with storm(SEED, {}) as here:
        async with open_house(here.house):
            pass
        known: dict[int, Told] = {}
        for _ in range(KILLS):
            for told, number in await lived(here, "api", chance.uniform(0.05, 0.6)):
                assert known.setdefault(number, told) == told
                here.told.append(told)
        assert len(known) > KILLS
        assert await here.lost() == []
        owner = await asyncpg.connect(here.dsn)
        events, charts = await owner.fetchrow(PATIENTS, HERE)
        await owner.close()
        assert events == charts >= len(known)
        assert await here.verified()


async def test_a_process_that_acknowledges_too_early_loses() -> None:
    async with storm(SEED, {}) as here:
        async with open_house(here.house):
            pass
        told = await lived(here, "early", 0.5, "early")
        owner = await asyncpg.connect(here.dsn)
        _, charts = await owner.fetchrow(PATIENTS, HERE)
        await owner.close()
        assert len(told) > charts
