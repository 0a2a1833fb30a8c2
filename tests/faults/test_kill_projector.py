"""kill -9 of the projector under load: its read models are those of a rebuild, no row more or less.

F2 of the security figures: every kill meets the projector at some step between reading, writing
and moving its checkpoint, which are one transaction.
"""

import asyncio
import os
import random
import sys
from collections import Counter

import asyncpg
import pytest

from api.cli.rebuild import rebuilt
from api.house import House, open_house, projecting
from projections.catalogue import PROJECTIONS
from tests.adapters.postgres.acts import HERE, ROOT
from tests.faults.storm import Storm, storm

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
KILLS = 200 if os.environ.get("ANAMNESIS_SOAK") else 12
TAILING_S = (0.0, 0.3)
COUNTED = ("registry", "audit")


async def killed_again_and_again(here: Storm, chance: random.Random) -> None:
    for _ in range(KILLS):
        tailing = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.tailing", here.dsn, str(here.folder / "house"),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert tailing.stdout is not None
        assert await asyncio.wait_for(tailing.stdout.readline(), 60) == b"ready\n"
        await here.answered(1)
        await asyncio.sleep(chance.uniform(*TAILING_S))
        tailing.kill()
        assert await tailing.wait() == -9


async def clear_columns(house: House, table: str, body: bool) -> Counter[tuple[object, ...]]:
    """The rows of a table but for what is sealed anew each time, and the name that holds it."""
    connection = await asyncpg.connect(house.settings.dsn)
    try:
        rows = await connection.fetch(f"SELECT * FROM model.{table} WHERE tenant = $1", HERE)
    finally:
        await connection.close()
    sealed = {"body", "key"} if body else set()
    return Counter(
        tuple(repr(value) for name, value in row.items() if name not in sealed) for row in rows
    )


async def test_a_projector_that_is_killed_again_and_again_skips_and_doubles_nothing() -> None:
    async with storm(3, {}) as here:
        async with here.load():
            await killed_again_and_again(here, random.Random(3))
        async with open_house(here.house) as house:
            async with projecting(house):
                await house.progress.reach_head(HERE, COUNTED, seconds=60)
            for projection in PROJECTIONS:
                if projection.name not in COUNTED:
                    continue
                tables = [(table.name, table.body is not None) for table in projection.tables]
                before = [await clear_columns(house, *table) for table in tables]
                assert sum(map(len, before)) > 0
                await rebuilt(house, projection, lambda _done, _total: None)
                after = [await clear_columns(house, *table) for table in tables]
                different = [t for t, a, b in zip(tables, before, after, strict=True) if a != b]
                assert different == []
            patients = len({stream for stream, _, _ in here.told})
            charts = await clear_columns(house, "registry_chart", True)
            assert len(charts) >= patients
