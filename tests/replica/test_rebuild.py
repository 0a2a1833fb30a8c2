"""A rebuild reads the log from a replica and writes to the primary: the same rows."""

import asyncpg
import pytest

from adapters.postgres.filling import Workers
from adapters.postgres.incoming import Span, prepare
from adapters.postgres.logsource import LogSource
from adapters.postgres.rebuild import Rebuild
from api.house import House, unwatched, workers_of
from projections import records
from tests.adapters.postgres.acts import HERE
from tests.projections.test_histories import found
from tests.replica.conftest import Mirrored, Standby

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def every_log_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are started for a short log, too."""
    monkeypatch.setattr("adapters.postgres.filling.SHARED_FROM", 1)


async def rebuilt(house: House, workers: Workers) -> None:
    async with asyncpg.create_pool(workers.dsn, min_size=1, max_size=1) as pool:
        rebuild = Rebuild(pool, house.keys, records.PROJECTION, unwatched, workers)
        await rebuild.run(await house.tenants())


async def scanned(standby: Standby, house: House) -> int:
    """How many rows of events sessions of the replica have fetched."""
    connection = await asyncpg.connect(standby.dsn(house.settings.dsn))
    try:
        count: int = await connection.fetchval(
            "SELECT coalesce(sum(idx_tup_fetch), 0)::bigint FROM pg_stat_user_tables"
            " WHERE relname LIKE 'event%'"
        )
        return count
    finally:
        await connection.close()


async def test_processes_read_the_replica_and_write_the_rows_that_were_there(
    mirror: Mirrored, standby: Standby
) -> None:
    house = mirror.world.house
    assert house.workers.reading == house.settings.replica_dsn("projector")
    before, read = await found(house, records.PROJECTION), await scanned(standby, house)
    await rebuilt(house, workers_of(house.settings))
    assert await found(house, records.PROJECTION) == before != {}
    assert await scanned(standby, house) > read


async def test_a_replica_that_does_not_answer_does_not_end_a_rebuild(mirror: Mirrored) -> None:
    house = mirror.world.house
    before = await found(house, records.PROJECTION)
    nowhere = "postgresql://anamnesis_projector@127.0.0.1:9/nothing"
    known = workers_of(house.settings)
    await rebuilt(house, Workers(known.dsn, known.open_keys, reading=nowhere))
    assert await found(house, records.PROJECTION) == before


async def test_a_server_that_is_no_replica_is_not_read(mirror: Mirrored, standby: Standby) -> None:
    house = mirror.world.house
    primary = await asyncpg.connect(house.settings.role_dsn("projector"))
    try:
        for dsn in (house.settings.dsn, standby.dsn(standby.primary.dsn())):
            log = LogSource(dsn)
            async with primary.transaction():
                await prepare(primary, HERE)
                span = Span(0, 10, 100)
                _, reached = await log.read(primary, HERE, span, [records.PROJECTION], house.keys)
            assert reached == 10
            assert log._replica is None
    finally:
        await primary.close()


async def test_no_event_is_left_out_where_the_replica_is_behind(
    mirror: Mirrored, standby: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = mirror.world.house
    await standby.pause()
    monkeypatch.setattr("adapters.postgres.logsource.LAG_SECONDS", 0.0)
    await mirror.world.newcomer("late")
    head = await mirror.world.head()
    log = LogSource(house.settings.replica_dsn("projector"))
    primary = await asyncpg.connect(house.settings.role_dsn("projector"))
    try:
        async with primary.transaction():
            await prepare(primary, HERE)
            span = Span(head - 2, head, 100)
            _, reached = await log.read(primary, HERE, span, [records.PROJECTION], house.keys)
        assert reached == head
    finally:
        await primary.close()
        await standby.resume()
