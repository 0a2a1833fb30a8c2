"""kill -9 of every process of PostgreSQL under load: what was acknowledged is there afterwards.

F1 of the security figures: 50 kills here, 1,000 where ANAMNESIS_SOAK is set. The control commits
without waiting for the disk and must lose, or the storm would prove nothing.
"""

import os

import pytest

from tests.faults.storm import ANSWERS, storm

pytestmark = pytest.mark.anyio
KILLS = 1_000 if os.environ.get("ANAMNESIS_SOAK") else 50
MOST_CONTROLS = 20
UNSAFE = {"synchronous_commit": "off"}


async def test_no_acknowledged_event_is_lost_when_every_process_of_postgresql_is_killed() -> None:
    async with storm(1, {}) as here:
        async with here.load():
            for _ in range(KILLS):
                await here.kill()
        lost, streams = await here.lost(), {stream for stream, _, _ in here.told}
        acknowledged = len(here.told)
        assert len(lost) == 0
        assert len(streams) == acknowledged >= KILLS * ANSWERS
        assert await here.verified()


async def test_the_control_without_synchronous_commit_loses_what_it_acknowledged() -> None:
    async with storm(2, UNSAFE) as here:
        for _ in range(MOST_CONTROLS):
            async with here.load():
                await here.kill()
            if await here.lost():
                return
    raise AssertionError("nothing was lost: the kills prove nothing")
