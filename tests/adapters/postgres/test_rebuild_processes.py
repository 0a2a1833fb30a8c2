"""A long log is rebuilt by several processes: the same rows as by one, and nothing half done."""

from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children
from random import Random

import asyncpg
import pytest

from adapters.postgres.copies import CopiesGone, bare_copies
from adapters.postgres.incoming import prepare
from adapters.postgres.rebuild import Rebuild, Rebuilt
from api.house import House
from domain.kernel.readmodel import Projection
from projections import records
from projections.catalogue import projection
from tests.adapters.postgres.acts import HERE, do, problem, projector, rows
from tests.projections.histories import history
from tests.projections.test_histories import LETTERS, found, happen

pytestmark = pytest.mark.anyio
HISTORIES = 150
ASIDE = "SELECT count(DISTINCT chart)::int FROM dead_letter"


@pytest.fixture(autouse=True)
def every_log_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are started for a short log, too."""
    monkeypatch.setattr("adapters.postgres.filling.SHARED_FROM", 1)


async def projected(house: House) -> None:
    """Histories of which some are poisoned, projected live."""
    told = [history(f"shared {number}") for number in range(HISTORIES)]
    await happen(house, told, Random(1))
    async with projector(house) as live:
        await live.advance(HERE)


async def rebuilt(house: House, known: Projection, progress: object = None) -> Rebuilt:
    """Rebuild by two processes."""

    def moved(_done: int, _total: int) -> None:
        if callable(progress):
            progress()

    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        rebuild = Rebuild(pool, house.keys, known, moved, house.workers)
        return await rebuild.run(await house.tenants())


async def test_processes_fill_the_rows_that_one_projector_wrote(house: House) -> None:
    await projected(house)
    letters = await rows(house.settings.dsn, LETTERS)
    assert await rows(house.settings.dsn, ASIDE) != [(0,)]
    for name in ("records", "care", "audit"):
        known = projection(name)
        before = await found(house, known)
        answer = await rebuilt(house, known)
        assert await found(house, known) == before
        assert sum(answer.rows.values()) >= sum(map(len, before.values())) > 0
    assert await rows(house.settings.dsn, LETTERS) == letters


async def test_a_killed_process_ends_the_rebuild_and_leaves_the_old_rows(house: House) -> None:
    await projected(house)
    before = await found(house, records.PROJECTION)
    killed: list[int] = []

    def kill() -> None:
        for child in active_children():
            killed.append(child.pid or 0)
            child.kill()

    with pytest.raises(BrokenProcessPool):
        await rebuilt(house, records.PROJECTION, kill)
    assert killed
    assert await found(house, records.PROJECTION) == before
    await rebuilt(house, records.PROJECTION)
    assert await found(house, records.PROJECTION) == before


async def test_who_is_left_from_another_rebuild_writes_nothing_into_new_copies(
    house: House,
) -> None:
    chart = history("gone").chart
    await do(house, problem(chart, 1))
    connection = await asyncpg.connect(house.settings.role_dsn("projector"))
    left = await bare_copies(connection, records.PROJECTION)
    fresh = await bare_copies(connection, records.PROJECTION)
    async with connection.transaction():
        await prepare(connection, HERE)
        with pytest.raises(CopiesGone):
            await left.hold(connection)
    async with connection.transaction():
        await prepare(connection, HERE)
        await fresh.hold(connection)
    await connection.close()
