"""F1, F2, M0.8: processes die at every await point of append, project and dispatch, one by one.

Each life goes one await point further than the one before, until one survives: then there is no
point at which nobody died. How far that is depends on the turns of the loop, hence a second pass.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx2
import pytest

from api.cli.rebuild import rebuilt
from api.dispatch import dispatching
from api.house import House, open_house
from projections.catalogue import PROJECTIONS
from tests.adapters.dispatch.posting import POSTING, Post, act
from tests.adapters.postgres.acts import HERE, ROOT, do, patient, problem, projector
from tests.faults.nursery import CLIENTS
from tests.faults.storm import Storm, storm
from tests.faults.test_kill_projector import clear_columns
from tests.faults.test_kill_worker import peered, undone
from tests.faults.working import Poster

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
PASSES = 20 if os.environ.get("ANAMNESIS_SOAK") else 1
LEFT = 5
"""So many workers die before an heir does what they left."""
FEWEST = 12
"""A life has more await points than this, or it did nothing."""


class Nursery:
    """A process that forks those that die."""

    def __init__(self, here: Storm, process: asyncio.subprocess.Process) -> None:
        self._here = here
        self._process = process

    async def life(self, role: str, point: int, **given: Any) -> tuple[bool, list[Any]]:
        """Whether it survived, and what it said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        told = {"role": role, "point": point, "dsn": self._here.dsn, **given,
                "folder": str(self._here.folder / "house")}  # fmt: skip
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        said = []
        async with asyncio.timeout(60):
            while True:
                line = json.loads(await self._process.stdout.readline())
                if isinstance(line, dict):
                    assert line["ended"] in (0, -9)
                    return line["ended"] == 0, said
                said.append(line)


@asynccontextmanager
async def nursery() -> AsyncIterator[tuple[Storm, Nursery, House]]:
    """The nursery of a server of its own, and the house of the survivors."""
    async with storm(5, {}) as here, open_house(here.house) as house:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.nursery",
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            yield here, Nursery(here, process), house
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await asyncio.wait_for(process.wait(), 60)


async def test_whoever_dies_while_it_appends_has_lost_nothing_it_acknowledged() -> None:
    async with nursery() as (here, born, house):
        deaths = acknowledged = first = 0
        for _ in range(PASSES):
            point, survived = 0, False
            while not survived:
                point, first = point + 1, first + CLIENTS
                survived, said = await born.life("wishing", point, first=first)
                deaths += not survived
                acknowledged += len(said)
                # The clients come again with the same wishes: the first outcome is theirs.
                before = {key: tuple(receipt) for key, _, *receipt in said}
                for number in range(first, first + CLIENTS):
                    receipt = await do(house, patient(number), key=f"patient {number}")
                    chart = receipt.streams[0]
                    problems = await do(house, problem(chart, number), key=f"problem {number}")
                    for key, now in (
                        (f"patient {number}", receipt),
                        (f"problem {number}", problems),
                    ):
                        place = (now.streams[0], now.first, now.last)
                        assert before.get(key, place) == place
                        here.told.append((now.streams[0], now.first or 0, now.last or 0))
        assert deaths >= FEWEST
        assert acknowledged > 0
        assert await here.lost() == []
        owner = await asyncpg.connect(here.dsn)
        counted = await owner.fetchrow(
            "SELECT count(*) FILTER (WHERE type = 'registry.chart-opened') AS charts,"
            " count(*) FILTER (WHERE type = 'records.record-filed') AS problems FROM event"
        )
        await owner.close()
        assert tuple(counted) == (first, first)
        assert await here.verified()


async def killed_at_each_point(born: Nursery, house: House, *, hasty: bool) -> int:
    """How often a projector died; before each life there is something to project."""
    deaths = number = 0
    async with projector(house) as heir:
        for _ in range(PASSES):
            point, survived = 0, False
            while not survived:
                point, number = point + 1, number + 1
                chart = (await do(house, patient(number))).streams[0]
                await do(house, problem(chart, number))
                survived, _ = await born.life("tailing", point, hasty=hasty)
                deaths += not survived
                await heir.advance(HERE)
    assert deaths >= FEWEST
    return number


async def differing(house: House) -> list[str]:
    """The tables that are not as a rebuild makes them."""
    found = []
    for projection in PROJECTIONS:
        tables = [(table.name, table.body is not None) for table in projection.tables]
        before = [await clear_columns(house, *table) for table in tables]
        await rebuilt(house, projection, lambda _done, _total: None)
        after = [await clear_columns(house, *table) for table in tables]
        found += [t[0] for t, a, b in zip(tables, before, after, strict=True) if a != b]
    return found


async def test_a_projector_that_dies_at_each_await_point_skips_and_doubles_nothing() -> None:
    async with nursery() as (_, born, house):
        patients = await killed_at_each_point(born, house, hasty=False)
        assert len(await clear_columns(house, "registry_chart", True)) == patients
        assert await differing(house) == []


async def test_a_projector_that_moves_its_checkpoint_before_its_rows_skips() -> None:
    async with nursery() as (_, born, house):
        patients = await killed_at_each_point(born, house, hasty=True)
        assert len(await clear_columns(house, "registry_chart", True)) < patients
        assert "registry_chart" in await differing(house)


async def test_a_worker_that_dies_at_each_await_point_loses_and_doubles_nothing() -> None:
    async with nursery() as (here, born, house), peered() as (peer, url):
        owner = await asyncpg.connect(here.dsn)
        async with dispatching(house, {}, (POSTING,)):
            await following(owner)
        deaths = number = 0
        for _ in range(PASSES):
            point, survived = 0, False
            while not survived:
                point, number = point + 1, number + 1
                await act(house, f"{number}")
                survived, _ = await born.life("working", point, url=url)
                deaths += not survived
                if survived or point % LEFT == 0:
                    await inherited(house, owner, url)
        assert deaths >= FEWEST
        states = await owner.fetch("SELECT state, count(*) FROM effect GROUP BY 1")
        sent = await owner.fetchval(
            "SELECT count(*) FROM event WHERE type = 'notifications.notice-sent'"
        )
        await owner.close()
        assert [tuple(row) for row in states] == [("done", number)]
        assert sent == number
        assert sorted(map(int, peer.taken.values())) == list(range(1, number + 1))
        assert peer.asked.total() > number, "nobody died between sending and settling"


async def inherited(house: House, owner: asyncpg.Connection, url: str) -> None:
    """What the dead left is carried out: else each life would have more to do than the last."""
    await owner.execute("UPDATE effect SET leased_until = clock_timestamp() WHERE state <> 'done'")
    async with httpx2.AsyncClient() as client:
        carriers = {Post.effect_name: Poster(client, url)}
        async with dispatching(house, carriers, (POSTING,)), asyncio.timeout(60):
            while True:
                if not await undone(owner):
                    break
                await asyncio.sleep(0.02)


async def following(owner: asyncpg.Connection) -> None:
    """A reaction begins at the head: somebody must have been there before the first act."""
    async with asyncio.timeout(60):
        while True:
            if await owner.fetchval("SELECT count(*) FROM outbox"):
                break
            await asyncio.sleep(0.02)
