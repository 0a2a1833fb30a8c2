"""The trail: events by chart, actor, stream and time, compared with a walk over the whole log."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from adapters.keys.refused import KeyRefused
from adapters.postgres.trail import Trail
from api.house import House
from domain.audit import Selection
from domain.kernel.event import Recorded
from projections.catalogue import PROJECTIONS
from tests.adapters.postgres.acts import (
    HERE,
    THERE,
    account,
    damage,
    do,
    granting,
    patient,
    problem,
)

pytestmark = pytest.mark.anyio
NAMES = [known.name for known in PROJECTIONS]


@dataclass(frozen=True)
class Walked:
    """A trail, and every event of its log."""

    house: House
    trail: Trail
    events: list[Recorded]


@pytest.fixture
async def walked(living_house: House) -> Walked:
    """A small log of several charts, all of it in the trail."""
    for tenant in (HERE, THERE):
        last = 0
        for number in range(4):
            chart, person = (await do(living_house, patient(number), tenant)).streams
            for item in range(5):
                last = (await do(living_house, problem(chart, item), tenant)).last or last
            await do(living_house, account(f"login {number}", person), tenant)
            last = (await do(living_house, granting(chart, person), tenant)).last or last
        await living_house.progress.reach(tenant, last, NAMES, seconds=30)
    trail = Trail(living_house.auditor, living_house.keys, HERE)
    events = await trail.events(range(1, await trail.head() + 1))
    return Walked(living_house, trail, events)


async def test_each_selection_finds_what_a_walk_over_the_log_finds(walked: Walked) -> None:
    events = walked.events
    chart = next(e.header.chart for e in events if e.header.chart)
    stream, middle = events[9].header.stream, events[len(events) // 2].committed_at
    cases: tuple[tuple[Selection, Callable[[Recorded], bool]], ...] = (
        (Selection(), lambda e: e.position > 0),
        (Selection(chart=chart), lambda e: e.header.chart == chart),
        (Selection(actor="op"), lambda e: e.context.actor == "op"),
        (Selection(actor="nobody"), lambda e: e.position < 0),
        (Selection(stream=stream), lambda e: e.header.stream == stream),
        (Selection(since=middle), lambda e: e.committed_at >= middle),
        (Selection(until=middle), lambda e: e.committed_at < middle),
        (Selection(upto=11), lambda e: e.position <= 11),
        (
            Selection(chart=chart, since=middle, upto=30),
            lambda e: e.header.chart == chart and e.committed_at >= middle and e.position <= 30,
        ),
    )
    for selection, chosen in cases:
        expected = [e.position for e in events if chosen(e)]
        assert await walked.trail.positions(selection) == expected
        backwards = await walked.trail.positions(selection, newest_first=True)
        assert backwards == expected[::-1]
        assert (
            await walked.trail.positions(selection, limit=3, after=5)
            == [position for position in expected if position > 5][:3]
        )


@pytest.mark.parametrize("size", [1, 4, 1000])
async def test_pages_from_the_newest_hold_each_event_once(walked: Walked, size: int) -> None:
    chart = next(e.header.chart for e in walked.events if e.header.chart)
    selection = Selection(chart=chart, upto=25)
    found: list[Recorded] = []
    before, more = None, True
    while more:
        page, more = await walked.trail.newest(selection, size, before)
        assert len(page) <= size
        found += page
        before = page[-1].position
    known = [e for e in walked.events if e.header.chart == chart and e.position <= 25]
    assert found == known[::-1]


async def test_the_trail_of_a_tenant_knows_nothing_of_another(walked: Walked) -> None:
    there = Trail(walked.house.auditor, walked.house.keys, THERE)
    everything = await there.events(range(1, await there.head() + 1))
    assert {e.header.tenant for e in everything} == {THERE}
    charts = {e.header.chart for e in everything if e.header.chart}
    for chart in charts:
        assert await walked.trail.positions(Selection(chart=chart)) == []
    nowhere = Trail(walked.house.auditor, walked.house.keys, "nowhere")
    assert await nowhere.head() == 0
    assert await nowhere.positions(Selection()) == []
    assert await nowhere.newest(Selection(), 10, None) == ([], False)


async def test_events_that_do_not_exist_are_left_out(walked: Walked) -> None:
    head = await walked.trail.head()
    assert await walked.trail.events([]) == []
    assert [e.position for e in await walked.trail.events([head + 1, head, 0, 1])] == [1, head]


async def test_an_event_that_was_changed_does_not_open(walked: Walked) -> None:
    await damage(
        walked.house.settings.dsn,
        "UPDATE event SET body = set_byte(body, 40, (get_byte(body, 40) + 1) % 256)"
        " WHERE tenant = $1 AND position = 3",
        HERE,
    )
    with pytest.raises(KeyRefused):
        await walked.trail.events([3])
    assert [e.position for e in await walked.trail.events([2, 4])] == [2, 4]


async def test_a_moment_between_two_commits_parts_the_log(walked: Walked) -> None:
    for event in walked.events[::7]:
        after = event.committed_at + timedelta(microseconds=1)
        until = await walked.trail.positions(Selection(until=after))
        since = await walked.trail.positions(Selection(since=after))
        assert until[-1] >= event.position
        assert until + since == [e.position for e in walked.events]
