"""F20: the database's clock jumps by a day and back: 503, no event dated wrongly, healed by itself.

libfaketime moves the server's clock while it runs; ours is right all the time.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from adapters.embedded import EmbeddedPostgres, start_postgres
from adapters.embedded.postgres import wheel_binaries
from adapters.postgres.migrate import add_tenant, migrate
from tests.adapters.postgres.acts import HERE, do, patient
from tests.api.world import World, living_world, sow
from tests.conftest import TENANTS
from tests.faults.test_network import READ, Asked

pytestmark = [pytest.mark.anyio, pytest.mark.peers]
LIBRARY = "faketime/libfaketime.so.1"
SEEN_SECONDS = 5.0
HEALED_SECONDS = 60.0


class Clock:
    """What the server takes for the time, read anew each time it looks."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.jump(0)

    def jump(self, days: int) -> None:
        """By so many days from the real time."""
        self._file.write_text(f"{days:+}d\n")


@contextmanager
def timeless(folder: Path) -> Iterator[tuple[EmbeddedPostgres, Clock]]:
    """A server whose clock can be moved."""
    found = [*Path("/usr/lib").glob(f"*/{LIBRARY}")]
    assert found, "libfaketime is not installed: .ci/peers installs it"
    clock = Clock(folder / "clock")
    given = os.environ.get("ANAMNESIS_PG_BINARIES")
    real = Path(given) if given else wheel_binaries()
    start_postgres(folder / "pg", binaries=real).stop()
    faking = folder / "bin"
    faking.mkdir()
    for program in real.iterdir():
        (faking / program.name).symlink_to(program)
    (faking / "postgres").unlink()
    (faking / "postgres").write_text(
        f"""#!/bin/sh
export LD_PRELOAD={found[0]} FAKETIME_TIMESTAMP_FILE={folder}/clock FAKETIME_NO_CACHE=1
export FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1
exec {real}/postgres "$@"
"""
    )
    (faking / "postgres").chmod(0o755)
    started = start_postgres(folder / "pg", binaries=faking)
    with started:
        template = started.create_database("template_anamnesis")
        migrate(template)
        for tenant in TENANTS:
            add_tenant(template, tenant)
        yield started, clock


async def dated(dsn: str) -> list[datetime]:
    """When each event was committed, by position."""
    owner = await asyncpg.connect(dsn)
    rows = await owner.fetch(
        "SELECT committed_at FROM event WHERE tenant = $1 ORDER BY position", HERE
    )
    await owner.close()
    return [row["committed_at"] for row in rows]


async def until(world: World, asked: Asked, status: int, seconds: float) -> None:
    """Ask until this is the answer."""
    async with asyncio.timeout(seconds):
        while True:
            if await asked.ask(world, READ) == status:
                return
            await asyncio.sleep(0.1)


async def jumped(world: World, clock: Clock, days: int) -> None:
    """There and back: refused meanwhile, then as before."""
    asked = Asked()
    await until(world, asked, 200, 1)
    clock.jump(days)
    await until(world, asked, 503, SEEN_SECONDS)
    assert asked.hinted
    clock.jump(0)
    await until(world, asked, 200, HEALED_SECONDS)
    assert asked.statuses == {200, 503}


async def test_a_clock_that_jumps_by_a_day_dates_nothing_and_answers_are_503() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="clock-") as name,
        timeless(Path(name)) as (postgres, clock),
    ):
        folder = Path(name)
        (folder / "bed").mkdir()
        bed = await sow(postgres, folder / "bed")
        async with living_world(bed, folder) as world:
            for number, days in enumerate((1, -1)):
                await jumped(world, clock, days)
                receipt = await do(world.house, patient(number))
                at = (await dated(world.house.settings.dsn))[(receipt.last or 0) - 1]
                assert abs(datetime.now(UTC) - at) < timedelta(seconds=30)
            times = await dated(world.house.settings.dsn)
            assert times == sorted(times)
            assert times[-1] - times[0] < timedelta(hours=1)
