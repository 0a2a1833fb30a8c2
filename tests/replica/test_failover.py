"""F19: with a synchronous standby, what was acknowledged outlives the primary's machine."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from adapters.backup import base_backup
from adapters.embedded import EmbeddedPostgres, start_postgres
from adapters.postgres.away import AWAY
from adapters.postgres.migrate import add_tenant, migrate
from adapters.postgres.verification import verify
from adapters.postgres.writer import LogUnavailable
from api.house import House, open_house
from api.settings import Settings
from domain.kernel.perform import Receipt
from tests.adapters.postgres.acts import HERE, assert_sound, do, patient, rows
from tests.faults.storm import children
from tests.replica.conftest import Standby

pytestmark = pytest.mark.anyio
CLIENTS = 8
ENOUGH = 200
SYNCHRONOUS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


@pytest.fixture
def first(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A primary of the test's own, that may be killed."""
    binaries = os.environ.get("ANAMNESIS_PG_BINARIES")
    with start_postgres(tmp_path / "first", binaries=Path(binaries) if binaries else None) as made:
        migrate(made.dsn())
        add_tenant(made.dsn(), HERE)
        yield made


async def followed(first: EmbeddedPostgres, folder: Path) -> Standby:
    """A standby that each commit waits for."""
    await base_backup(first.binaries, first.dsn(), folder / "data", lambda *_: None)
    (folder / "data" / "standby.signal").touch()
    standby = Standby(folder, first)
    standby.start()
    owner = await asyncpg.connect(first.dsn())
    try:
        await owner.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await owner.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(30):
            while True:
                if await owner.fetchval(SYNCHRONOUS) == 1:
                    return standby
                await asyncio.sleep(0.05)
    finally:
        await owner.close()


async def killed(first: EmbeddedPostgres, house: House) -> list[Receipt]:
    """What was acknowledged before the primary was killed in the midst of it."""
    told: list[Receipt] = []
    enough = asyncio.Event()

    async def client(number: int) -> None:
        for turn in range(10_000):
            try:
                told.append(await do(house, patient(number * 10_000 + turn)))
            except (LogUnavailable, *AWAY):
                return
            if len(told) >= ENOUGH:
                enough.set()

    clients = [asyncio.create_task(client(number)) for number in range(CLIENTS)]
    async with asyncio.timeout(60):
        await enough.wait()
    for pid in (first.pid, *children(first.pid)):
        os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*clients)
    return told


async def test_nothing_that_was_acknowledged_is_lost_when_the_standby_takes_over(
    first: EmbeddedPostgres, tmp_path: Path
) -> None:
    folder = tmp_path / "second"
    folder.mkdir(mode=0o700)
    standby = await followed(first, folder)
    try:
        settings = Settings.in_folder(tmp_path / "house", first.dsn(), profile="demo")
        async with open_house(settings) as house:
            told = await killed(first, house)
        assert len(told) >= ENOUGH
        await standby.does("SELECT pg_promote()")
        second = replace(settings, dsn=standby.dsn(first.dsn()))
        found = dict(
            await rows(
                second.dsn, "SELECT position, stream::text FROM event WHERE tenant = $1", HERE
            )
        )
        lost = [
            one
            for one in told
            if one.first is None or one.last is None
            or not {*one.streams} & {found.get(at) for at in range(one.first, one.last + 1)}
        ]  # fmt: skip
        assert lost == []
        async with open_house(second) as house:
            assert (await do(house, patient(1_000_000))).last == len(found) + 3
            auditor = second.role_dsn("auditor")
            assert (await verify(auditor, HERE, house.keys, lambda *_: None, 1)).ok
        await assert_sound(second.dsn)
    finally:
        standby.stop()
