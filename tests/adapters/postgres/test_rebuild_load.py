"""Releases with a new version of a read model, while patients read and others write."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg
import pytest

from adapters.postgres.projector import Projector
from adapters.postgres.rebuild import bring_up_to_date
from api.house import House
from demo.seed import Seeded
from domain.kernel.readmodel import Projection
from projections.catalogue import PROJECTIONS
from tests.adapters.postgres.acts import HERE, account, do, patient, problem, rows
from tests.api.world import World, inhabited

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
CONDITIONS = """query Conditions { record { conditions(first: 100) {
  edges { node { code { text } } } } } }"""
READERS, RELEASES, WRITES, READS = 4, 3, 12, 12
"""Writes and complete rounds of reads that every release must have seen."""


@dataclass(slots=True)
class Load:
    """What was written so far, and what each answer said of it."""

    chart: str
    written: int = 0
    token: str | None = None
    reads: int = 0
    stopped: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    failed: list[object] = field(default_factory=list)


def released(version: int) -> list[Projection]:
    """Every projection, each so many versions further."""
    return [replace(known, version=known.version + version) for known in PROJECTIONS]


@asynccontextmanager
async def release(house: House, known: Sequence[Projection]) -> AsyncIterator[None]:
    """A process of a release: it keeps the read models that it has brought up to date."""
    dsn, tenants = house.settings.role_dsn("projector"), await house.tenants()
    async with asyncpg.create_pool(dsn, min_size=1, max_size=3) as pool:
        projector = Projector(pool, house.keys, known)
        keeping = asyncio.create_task(projector.run(tenants, lambda: asyncpg.connect(dsn)))
        try:
            await bring_up_to_date(pool, house.keys, tenants, known, lambda _done, _total: None)
            yield
        finally:
            projector.stop()
            await keeping


async def writing(world: World, load: Load) -> None:
    """One more problem, and the first one corrected, again and again."""
    ids = await world.ids("ada")
    while not load.stopped:
        number = load.written + 1
        await do(world.house, problem(load.chart, 1000 + number % 60, f"other {number}"))
        receipt = await do(world.house, problem(load.chart, 0, str(number)))
        load.token, load.written = ids.position_token(receipt.last or 0), number


async def reading(world: World, load: Load) -> None:
    """No answer fails, lacks what was written before it was asked, or is older than the last."""
    before = 0
    while not load.stopped:
        written, token = load.written, load.token
        answer = await world.ask("ada", CONDITIONS, position=token)
        body = answer.json()
        if answer.status_code != 200 or "errors" in body:
            load.failed.append(body)
            load.moved.set()
            continue
        edges = body["data"]["record"]["conditions"]["edges"]
        texts = [edge["node"]["code"]["text"] for edge in edges]
        newest = max((int(text) for text in texts if text.isdecimal()), default=0)
        if newest < max(before, written) or len(texts) < min(written, 60) + (written > 0):
            load.failed.append((before, written, texts))
        before, load.reads = newest, load.reads + 1
        load.moved.set()


async def more(load: Load) -> None:
    """Wait until so much more was written and read."""
    written, reads = load.written + WRITES, load.reads + READS
    while (load.written < written or load.reads < reads) and not load.failed:
        load.moved.clear()
        await load.moved.wait()


async def test_no_read_fails_or_goes_back_while_releases_rebuild_every_read_model(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.postgres.filling.RUN_EVENTS", 40)
    # How fast the machine is decides nothing: whoever waits for a position waits for it.
    monkeypatch.setattr("adapters.postgres.progress.WAIT_SECONDS", 120.0)
    chart, person = (await do(house, patient(1))).streams
    opened = await do(house, account("ada", person=person))
    load = Load(chart)
    nobody = Seeded(accounts={}, charts={}, reports={})
    async with inhabited(house, nobody, tmp_path) as world, AsyncExitStack() as processes:
        await processes.enter_async_context(release(house, PROJECTIONS))
        await house.progress.reach(HERE, opened.last or 0, [known.name for known in PROJECTIONS])
        world.people["ada"] = (HERE, opened.streams[0])
        clients = [asyncio.create_task(reading(world, load)) for _ in range(READERS)]
        clients.append(asyncio.create_task(writing(world, load)))
        await more(load)
        for version in range(1, RELEASES + 1):
            await processes.enter_async_context(release(house, released(version)))
            await more(load)
        load.stopped = True
        await asyncio.gather(*clients)
    assert load.failed == []
    versions = "SELECT projection, version FROM checkpoint WHERE tenant = $1 ORDER BY 1"
    newest = sorted((known.name, known.version) for known in released(RELEASES))
    assert await rows(house.settings.dsn, versions, HERE) == newest
