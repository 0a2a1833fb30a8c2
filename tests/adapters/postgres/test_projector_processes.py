"""Two projector processes on one database: every row is written once, also when one is killed."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import asyncpg
import pytest

from adapters.postgres.rebuild import Rebuild
from api.house import House
from projections.catalogue import PROJECTIONS
from tests.adapters.postgres.acts import HERE, rows
from tests.projections.histories import history
from tests.projections.test_histories import LETTERS, Found, found, happen

pytestmark = pytest.mark.anyio
KEEPER = (sys.executable, "-m", "tests.adapters.postgres.keeper")
HISTORIES, ROUNDS = 12, 10
NOTED = "CREATE TABLE noted (position bigint)"
NOTE = """CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = public AS $$ BEGIN
  INSERT INTO noted VALUES (new.position);
  RETURN NULL; END $$"""
NOTING = """CREATE TRIGGER noting AFTER INSERT OR UPDATE ON model.audit_trail
  FOR EACH ROW EXECUTE FUNCTION note()"""
WRITTEN = "SELECT position, count(*) FROM noted GROUP BY 1 ORDER BY 1"


@asynccontextmanager
async def keeper(house: House) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that keeps the read models of the house's database."""
    folder = house.settings.keys.parent
    process = await asyncio.create_subprocess_exec(
        *KEEPER,
        house.settings.dsn,
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    try:
        yield process
    finally:
        if process.returncode is None:
            await process.communicate(b"")


async def everything(house: House) -> list[Found]:
    """Every row of every read model, opened."""
    return [await found(house, known) for known in PROJECTIONS]


async def advanced(house: House) -> None:
    """Wait until the read models have reached the head."""
    [(head,)] = await rows(house.settings.dsn, "SELECT max(position) FROM log_head")
    await house.progress.reach(HERE, head, [known.name for known in PROJECTIONS], seconds=60)


async def happens(house: House, number: int) -> None:
    """Some histories are appended."""
    told = [history(f"round {number} {n}") for n in range(HISTORIES)]
    await happen(house, told, Random(number), shredded=False)


async def rebuilt(house: House) -> None:
    """What one projector alone makes of the log, in place of what the two made."""
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        for known in PROJECTIONS:
            rebuild = Rebuild(pool, house.keys, known, lambda _done, _total: None)
            await rebuild.run([HERE])


async def test_two_processes_write_every_row_once_and_one_takes_over_when_the_other_is_killed(
    house: House,
) -> None:
    dsn = house.settings.dsn
    for statement in (NOTED, NOTE, NOTING):
        await rows(dsn, statement)
    async with keeper(house) as killed, keeper(house):
        for number in range(ROUNDS):
            await happens(house, number)
            if number == ROUNDS // 2:
                killed.kill()
        await advanced(house)
        await killed.wait()
    [(head,)] = await rows(dsn, "SELECT position FROM log_head WHERE tenant = $1", HERE)
    assert await rows(dsn, WRITTEN) == [(position, 1) for position in range(1, head + 1)]
    assert killed.returncode == -9
    both, letters = await everything(house), await rows(dsn, LETTERS)
    await rebuilt(house)
    assert await everything(house) == both
    assert await rows(dsn, LETTERS) == letters
