"""The lane: who is served next, who waits how long, and what is given back."""

import asyncio
import contextlib
import gc
from dataclasses import dataclass, field, replace

import pytest

from api import lane as lanes
from api.bodies import BodyRoom
from api.lane import Lane, LaneLimits, Refused, Turn
from api.pages import PageTurn

pytestmark = pytest.mark.anyio
LIMITS = LaneLimits(in_service=2, per_caller=2, new=2, overload_s=0.001)


@dataclass(slots=True)
class Hands:
    """A clock that tests move by hand."""

    seconds: float = 0.0

    def lane(self, limits: LaneLimits = LIMITS) -> Lane:
        return Lane(limits, lambda: self.seconds)

    async def impatient(self, lane: Lane, key: str) -> Turn:
        """Wait while the time passes."""
        waiting = asyncio.create_task(lane.enter(key))
        await settled()
        self.seconds += 1.0
        return await waiting

    async def spend(self, lane: Lane, key: str, answered: int) -> None:
        """One request with an answer of so many bytes."""
        lane.leave(await lane.enter(key), answered)


@dataclass(slots=True)
class Line:
    """Requests that wait, in the order in which they are let in."""

    lane: Lane
    entered: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    def join(self, *keys: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._enter(key)) for key in keys]

    async def _enter(self, key: str) -> None:
        turn = await self.lane.enter(key)
        self.entered.append(key)
        self.turns.append(turn)

    async def served_one_by_one(self) -> list[str]:
        """Everybody in turn; the first in service leaves for the next."""
        await settled()
        while self.turns:
            self.lane.leave(self.turns.pop(0))
            await settled()
        return self.entered


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_are_in_service_than_there_are_places() -> None:
    lane = Hands().lane()
    line = Line(lane)
    waiting = line.join("a", "b", "c", "d")
    await settled()
    assert (lane.in_service, lane.waiting, line.entered) == (2, 2, ["a", "b"])
    await line.served_one_by_one()
    await asyncio.gather(*waiting)
    assert (lane.in_service, lane.waiting, line.entered) == (0, 0, ["a", "b", "c", "d"])


async def test_twenty_five_greedy_callers_do_not_keep_a_modest_one_waiting() -> None:
    hands = Hands()
    lane = hands.lane(replace(LIMITS, in_service=1))
    greedy = [f"greedy-{number}" for number in range(25)]
    for key in greedy:
        await hands.spend(lane, key, 20_000)
    line = Line(lane)
    waiting = line.join(*greedy, *greedy, "modest")
    order = await line.served_one_by_one()
    await asyncio.gather(*waiting)
    assert order.index("modest") == 1


async def test_callers_in_equal_want_take_turns() -> None:
    hands = Hands()
    lane = hands.lane(replace(LIMITS, in_service=1))
    line = Line(lane)
    waiting = line.join("a", "a", "a", "b", "b", "b")
    await settled()
    while line.turns:
        lane.leave(line.turns.pop(0), 10_000)
        await settled()
    await asyncio.gather(*waiting)
    assert line.entered == ["a", "b", "a", "b", "a", "b"]


async def test_one_caller_does_not_get_every_place() -> None:
    hands = Hands()
    lane = hands.lane(LaneLimits(in_service=4, per_caller=2, new=2))
    await hands.spend(lane, "a", 10_000)
    line = Line(lane)
    waiting = line.join("a", "a", "a", "b")
    await settled()
    assert line.entered == ["a", "a", "b"]
    await line.served_one_by_one()
    await asyncio.gather(*waiting)


async def test_dear_callers_share_their_places_and_cheap_ones_find_theirs() -> None:
    hands = Hands()
    lane = hands.lane(LaneLimits(in_service=4, per_caller=2, new=2, dear=1, dear_bytes=100_000))
    for key in ("dear-1", "dear-2"):
        await hands.spend(lane, key, 200_000)
    line = Line(lane)
    waiting = line.join("dear-1", "dear-2", "cheap-1", "cheap-2")
    await settled()
    assert line.entered == ["dear-1", "cheap-1", "cheap-2"]
    assert (await line.served_one_by_one())[-1] == "dear-2"
    await asyncio.gather(*waiting)


async def test_the_last_places_are_for_callers_of_little_use() -> None:
    hands = Hands()
    limits = LaneLimits(in_service=3, per_caller=3, reserved=1, patience_s=600, overload_s=600)
    lane = hands.lane(limits)
    for key in ("greedy-1", "greedy-2", "greedy-3"):
        await hands.spend(lane, key, 50_000)
    await hands.spend(lane, "modest", 2_000)
    line = Line(lane)
    waiting = line.join("greedy-1", "greedy-2", "greedy-3", "modest")
    await settled()
    assert line.entered == ["greedy-1", "greedy-2", "modest"]
    await line.served_one_by_one()
    await asyncio.gather(*waiting)


async def test_use_is_forgotten_in_time() -> None:
    hands = Hands()
    lane = hands.lane(replace(LIMITS, in_service=1))
    await hands.spend(lane, "early", 1_000_000)
    hands.seconds += 10 * lanes.HALF_LIFE_S
    await hands.spend(lane, "late", 10_000)
    line = Line(lane)
    waiting = line.join("first", "late", "early")
    assert await line.served_one_by_one() == ["first", "early", "late"]
    await asyncio.gather(*waiting)


async def test_a_full_queue_refuses_at_once_and_one_caller_cannot_fill_it() -> None:
    limits = LaneLimits(in_service=1, per_caller=1, waiting=3, waiting_per_caller=2)
    lane = Hands().lane(limits)
    line = Line(lane)
    waiting = line.join("a", "a", "a")
    await settled()
    with pytest.raises(Refused) as refused:
        await lane.enter("a")
    assert refused.value.reason == "queue-full"
    waiting += line.join("b")
    await settled()
    with pytest.raises(Refused):
        await lane.enter("c")
    await line.served_one_by_one()
    await asyncio.gather(*waiting)
    assert line.entered == ["a", "b", "a", "a"]


async def test_a_burst_may_wait_and_a_standing_queue_may_not() -> None:
    hands = Hands()
    lane = hands.lane(LaneLimits(in_service=1, per_caller=1, overload_s=0.001, patience_s=0.5))
    for key in ("b", "c", "d"):
        await hands.spend(lane, key, 50_000)
    turn = await lane.enter("a")
    burst = asyncio.create_task(lane.enter("b"))
    await asyncio.sleep(0.01)
    hands.seconds = 0.4
    await asyncio.sleep(0.01)
    assert not burst.done()
    hands.seconds = 0.51
    with pytest.raises(Refused) as refused:
        await burst
    assert refused.value.reason == "deadline"

    late = asyncio.create_task(lane.enter("c"))
    await settled()
    hands.seconds += 0.002
    with pytest.raises(Refused):
        await late

    hands.seconds += 10
    calm = asyncio.create_task(lane.enter("d"))
    await settled()
    hands.seconds += 0.4
    await asyncio.sleep(0.01)
    lane.leave(turn)
    lane.leave(await calm)
    assert (lane.in_service, lane.waiting) == (0, 0)


async def test_a_refusal_leaves_nothing_for_the_collector() -> None:
    lane = Lane(replace(LIMITS, patience_s=0.0))
    serving = [await lane.enter("a"), await lane.enter("a")]
    gc.collect()
    gc.disable()
    try:
        for _ in range(50):
            with contextlib.suppress(Refused):
                await lane.enter("late")
        assert lane.waiting == 0
        assert gc.collect() == 0
    finally:
        gc.enable()
    for turn in serving:
        lane.leave(turn)


async def test_who_is_late_by_their_own_limit_says_nothing_of_the_server() -> None:
    hands = Hands()
    limits = LaneLimits(in_service=4, per_caller=1, new=4, overload_s=0.001, patience_s=0.5)
    lane = hands.lane(limits)
    turn = await lane.enter("a")
    for _ in range(3):
        mine = asyncio.create_task(lane.enter("a"))
        await asyncio.sleep(0.01)
        hands.seconds += 0.4
        await asyncio.sleep(0.01)
        assert not mine.done()
        lane.leave(turn)
        turn = await mine
    lane.leave(turn)


async def test_who_is_cancelled_keeps_no_place() -> None:
    lane = Hands().lane(replace(LIMITS, in_service=1))
    turn = await lane.enter("a")
    cancelled = asyncio.create_task(lane.enter("b"))
    granted = asyncio.create_task(lane.enter("c"))
    await settled()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    lane.leave(turn)
    granted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await granted
    assert (lane.in_service, lane.waiting) == (0, 0)
    lane.leave(await lane.enter("d"))


async def page(lane: Lane, turn: Turn, rows: int = 0) -> None:
    """A page is read, of so many rows."""
    async with PageTurn(lane, turn) as its:
        if rows:
            await its.rows(rows)


async def test_a_dear_request_stands_back_while_a_cheap_one_is_served() -> None:
    hands = Hands()
    lane = hands.lane(
        LaneLimits(
            in_service=4,
            per_caller=2,
            new=2,
            dear_bytes=2 * lanes.PAGE_BYTES,
            pause_s=600,
            pauses_s=600,
        )
    )
    dear = await lane.enter("dear")
    for _ in range(3):
        await page(lane, dear)
    cheap = await lane.enter("cheap")
    pausing = asyncio.create_task(page(lane, dear))
    await settled()
    assert not pausing.done()
    await page(lane, cheap)
    lane.leave(cheap)
    await pausing
    lane.leave(dear)


async def test_the_pages_of_a_dear_caller_are_read_one_by_one() -> None:
    hands = Hands()
    lane = hands.lane(replace(LIMITS, dear_bytes=10_000))
    began: list[int] = []

    async def read(turn: Turn, number: int, go_on: asyncio.Event) -> None:
        async with PageTurn(lane, turn):
            began.append(number)
            await go_on.wait()

    for answered, at_once in ((9_000, [0, 1, 2]), (50_000, [0])):
        await hands.spend(lane, "reader", answered)
        turn, go_on = await lane.enter("reader"), asyncio.Event()
        reading = [asyncio.create_task(read(turn, number, go_on)) for number in range(3)]
        await settled()
        assert began == at_once
        go_on.set()
        await asyncio.gather(*reading)
        assert began == [0, 1, 2]
        began.clear()
        lane.leave(turn)


async def test_a_page_that_is_given_up_while_it_stands_back_holds_nothing() -> None:
    hands = Hands()
    lane = hands.lane(replace(LIMITS, dear_bytes=10_000, pause_s=600, pauses_s=600))
    for key, answered in (("reader", 50_000), ("other", 1_000)):
        await hands.spend(lane, key, answered)
    dear, other = await lane.enter("reader"), await lane.enter("other")
    given_up, next_one = (asyncio.create_task(page(lane, dear)) for _ in range(2))
    await settled()
    given_up.cancel()
    await settled()
    lane.leave(other)
    await asyncio.wait_for(next_one, 5)
    assert given_up.cancelled()
    lane.leave(dear)


async def test_a_dear_request_goes_on_after_a_bounded_pause() -> None:
    hands = Hands()
    lane = hands.lane(
        LaneLimits(in_service=4, per_caller=2, new=2, dear_bytes=2 * lanes.PAGE_BYTES, pause_s=0.01)
    )
    dear = await lane.enter("dear")
    for _ in range(3):
        await page(lane, dear)
    cheap = await lane.enter("cheap")
    pausing = asyncio.create_task(page(lane, dear))
    await settled()
    hands.seconds += 0.02
    await pausing
    lane.leave(cheap)
    lane.leave(dear)


async def test_the_pauses_of_a_dear_request_are_bounded_in_all() -> None:
    hands = Hands()
    lane = hands.lane(replace(LIMITS, dear_bytes=10_000, pause_s=2, pauses_s=3))
    await hands.spend(lane, "dear", 50_000)
    dear, cheap = await lane.enter("dear"), await lane.enter("cheap")
    for seconds in (2.1, 1.0, 0.0):
        pausing = asyncio.create_task(page(lane, dear))
        await settled()
        assert pausing.done() == (seconds == 0.0)
        hands.seconds += seconds
        lane._vacated.set()
        lane._vacated = asyncio.Event()
        await asyncio.wait_for(pausing, 5)
    lane.leave(cheap)
    lane.leave(dear)


async def test_new_callers_share_the_places_of_new_ones() -> None:
    hands = Hands()
    lane = hands.lane(LaneLimits(in_service=4, per_caller=2, new=2))
    await hands.spend(lane, "known", 10_000)
    line = Line(lane)
    waiting = line.join("new-1", "new-2", "new-3", "known")
    await settled()
    assert line.entered == ["new-1", "new-2", "known"]
    await line.served_one_by_one()
    await asyncio.gather(*waiting)


async def test_what_is_known_to_be_cheap_waits_for_no_place_of_dear_or_new_callers() -> None:
    hands = Hands()
    lane = hands.lane(LaneLimits(in_service=8, per_caller=2, new=1, dear=1, dear_bytes=100_000))
    for key in ("dear-1", "dear-2"):
        await hands.spend(lane, key, 200_000)
    line = Line(lane)
    waiting = line.join("dear-1", "new-1", "dear-2", "new-2")
    await settled()
    cheap = [await lane.enter(key, lane.limits.cheap_price) for key in ("new-3", "new-4", "dear-1")]
    costly = asyncio.create_task(lane.enter("new-5", lane.limits.cheap_price + 1))
    await settled()
    assert line.entered == ["dear-1", "new-1"]
    assert lane.waiting == 3
    for turn in cheap:
        lane.leave(turn)
    await line.served_one_by_one()
    lane.leave(await costly)
    await line.served_one_by_one()
    await asyncio.gather(*waiting)


async def test_a_request_is_dear_by_the_rows_that_it_has_read() -> None:
    hands = Hands()
    lane = hands.lane(LaneLimits(in_service=4, per_caller=2, new=2, pause_s=600, pauses_s=600))
    other = await lane.enter("other")
    turn = await lane.enter("reader")
    for rows, stands_back in ((5, False), (100, False), (100, True)):
        await page(lane, turn)
        pausing = asyncio.create_task(page(lane, turn, rows))
        await settled()
        assert pausing.done() != stands_back
    lane.leave(other)
    await pausing
    lane.leave(turn)


def test_bodies_that_wait_are_bounded_in_all_and_for_each() -> None:
    room = BodyRoom(10, 6)
    room.hold("a", 6)
    with pytest.raises(Refused):
        room.hold("a", 1)
    room.hold("b", 4)
    with pytest.raises(Refused):
        room.hold("c", 1)
    room.release("a", 6)
    room.hold("c", 6)


async def test_only_idle_callers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MOST_CALLERS", 3)
    hands = Hands()
    lane = hands.lane(replace(LIMITS, in_service=1, patience_s=0.001))
    turn = await lane.enter("serving")
    for number in range(10):
        with pytest.raises(Refused):
            await hands.impatient(lane, f"passing-{number}")
    monkeypatch.setattr(lanes, "MOST_CALLERS", 100)
    lane.leave(turn, 10_000)
    line = Line(lane)
    waiting = line.join("first", "serving", "passing-9")
    assert await line.served_one_by_one() == ["first", "passing-9", "serving"]
    await asyncio.gather(*waiting)
