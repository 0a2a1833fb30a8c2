"""The switch and autovacuum, which takes the lock of VACUUM on old tables and on large new ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from adapters.postgres.rebuild import LOCK_MILLISECONDS, Rebuild, Rebuilt
from api.house import House
from projections import records
from tests.adapters.postgres.acts import HERE, do, patient, problem, projector, rows

pytestmark = pytest.mark.anyio
TABLE = "model.records_condition"
LOCKS = """SELECT l.granted FROM pg_locks l WHERE l.relation = $1::text::regclass
  AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_backend_pid()"""
KEPT = "SELECT position FROM checkpoint WHERE projection = 'records' FOR UPDATE NOWAIT"
TOAST = "SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = $1::text::regclass"
WAITING = "SELECT 1 FROM pg_locks WHERE relation = $1::text::regclass AND NOT granted"
CONDITIONS = f"SELECT count(*) FROM {TABLE}"


@asynccontextmanager
async def rebuilding(house: House) -> AsyncIterator["asyncio.Task[Rebuilt]"]:
    """A rebuild that is under way; it has ended when the context is left."""
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool, asyncio.timeout(20):
        rebuild = Rebuild(pool, house.keys, records.PROJECTION, lambda _done, _total: None)
        task = asyncio.create_task(rebuild.run([HERE]))
        try:
            yield task
            await task
        finally:
            task.cancel()
            await asyncio.wait({task})


async def seen(connection: asyncpg.Connection, sql: str, wanted: object) -> None:
    """Ask until the first row begins with this."""
    found = None
    while found is not wanted:
        found = await connection.fetchval(sql, TABLE)


async def vacuuming(connection: asyncpg.Connection, table: str) -> None:
    """Take the lock of a vacuum, soon or not at all."""
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '50ms'")
        await connection.execute(f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE")


async def filed(house: House) -> None:
    """One problem, projected."""
    await do(house, problem((await do(house, patient(1))).streams[0], 1))
    async with projector(house) as live:
        await live.advance(HERE)


async def test_the_switch_waits_for_a_vacuum_before_it_holds_up_anybody(house: House) -> None:
    await filed(house)
    vacuum = await asyncpg.connect(house.settings.dsn)
    onlooker = await asyncpg.connect(house.settings.dsn)
    under_way = vacuum.transaction()
    await under_way.start()
    await vacuum.execute(f"LOCK TABLE {TABLE} IN SHARE UPDATE EXCLUSIVE MODE")
    async with rebuilding(house) as task:
        await seen(onlooker, f"{LOCKS} AND NOT l.granted", False)
        async with onlooker.transaction():
            await onlooker.execute("SELECT set_config('anamnesis.tenant', $1, true)", HERE)
            assert await onlooker.fetchval(KEPT) is not None
            assert await onlooker.fetchval(CONDITIONS) == 1
        assert not task.done()
        await under_way.rollback()
    assert task.result().rows["records_condition"] == 1
    await vacuum.close()
    await onlooker.close()


async def test_no_vacuum_comes_between_the_switch_and_its_tables(house: House) -> None:
    await filed(house)
    vacuum = await asyncpg.connect(house.settings.dsn)
    reader = await asyncpg.connect(house.settings.dsn)
    reading = reader.transaction()
    await reading.start()
    assert await reader.fetchval(CONDITIONS) == 1
    async with rebuilding(house) as task:
        await seen(vacuum, f"{LOCKS} AND l.granted", True)
        for table in (TABLE, f"{TABLE}__rebuilt"):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await vacuuming(vacuum, table)
        assert not task.done()
        await reading.rollback()
    assert task.result().rows["records_condition"] == 1
    assert await rows(house.settings.dsn, f"{CONDITIONS} WHERE id IS NOT NULL") == [(1,)]
    await vacuum.close()
    await reader.close()


async def test_the_switch_outwaits_whoever_is_at_a_toast_table(house: House) -> None:
    await filed(house)
    vacuum = await asyncpg.connect(house.settings.dsn)
    onlooker = await asyncpg.connect(house.settings.dsn)
    toast = await vacuum.fetchval(TOAST, TABLE)
    under_way = vacuum.transaction()
    await under_way.start()
    await vacuum.fetchval(f"SELECT count(*) FROM {toast}")
    async with rebuilding(house) as task:
        while not await onlooker.fetchval(WAITING, toast):
            assert not task.done()
        await asyncio.sleep(3 * LOCK_MILLISECONDS / 1_000)
        assert not task.done()
        await under_way.rollback()
    assert task.result().rows["records_condition"] == 1
    await vacuum.close()
    await onlooker.close()
