"""The lane: who is served next, who waits how long, and what is given back."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from api import lane as lanes
from api.bodies import BodyRoom
from api.lane import Lane, LaneLimits, Left, Refused, Turn

pytestmark = pytest.mark.anyio
LIMITS = LaneLimits(in_service=2, per_caller=2, overload_s=0.001)


@dataclass(slots=True)
class Hands:
    """Clocks that tests move by hand."""

    seconds: float = 0.0
    cpu_s: float = 0.0

    def lane(self, limits: LaneLimits = LIMITS) -> Lane:
        return Lane(limits, lambda: self.seconds, lambda: self.cpu_s)

    async def impatient(self, lane: Lane, key: str) -> Turn:
        """Wait while the time passes."""
        waiting = asyncio.create_task(lane.enter(key, staying))
        await settled()
        self.seconds += 1.0
        return await waiting

    async def spend(self, lane: Lane, key: str, cpu_s: float) -> None:
        """One request that costs so much."""
        turn = await lane.enter(key, staying)
        self.cpu_s += cpu_s
        lane.leave(turn)


@dataclass(slots=True)
class Line:
    """Requests that wait, in the order in which they are let in."""

    lane: Lane
    entered: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    def join(self, *keys: str) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._enter(key)) for key in keys]

    async def _enter(self, key: str) -> None:
        turn = await self.lane.enter(key, staying)
        self.entered.append(key)
        self.turns.append(turn)

    async def served_one_by_one(self) -> list[str]:
        """Everybody in turn; the first in service leaves for the next."""
        await settled()
        while self.turns:
            self.lane.leave(self.turns.pop(0))
            await settled()
        return self.entered


async def staying() -> None:
    """A client that does not leave."""
    await asyncio.Event().wait()


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
        await hands.spend(lane, key, 0.02)
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
        hands.cpu_s += 0.01
        lane.leave(line.turns.pop(0))
        await settled()
    await asyncio.gather(*waiting)
    assert line.entered == ["a", "b", "a", "b", "a", "b"]


async def test_one_caller_does_not_get_every_place() -> None:
    lane = Hands().lane(LaneLimits(in_service=4, per_caller=2))
    line = Line(lane)
    waiting = line.join("a", "a", "a", "b")
    await settled()
    assert line.entered == ["a", "a", "b"]
    await line.served_one_by_one()
    await asyncio.gather(*waiting)


async def test_dear_callers_share_their_places_and_cheap_ones_find_theirs() -> None:
    hands = Hands()
    lane = hands.lane(LaneLimits(in_service=4, per_caller=2, dear=1, dear_s=0.03))
    for key in ("dear-1", "dear-2"):
        await hands.spend(lane, key, 0.2)
    line = Line(lane)
    waiting = line.join("dear-1", "dear-2", "cheap-1", "cheap-2")
    await settled()
    assert line.entered == ["dear-1", "cheap-1", "cheap-2"]
    assert (await line.served_one_by_one())[-1] == "dear-2"
    await asyncio.gather(*waiting)


async def test_a_cheap_request_beside_dear_ones_is_not_taken_for_dear() -> None:
    hands = Hands()
    lane = hands.lane(LaneLimits(in_service=4, per_caller=2, dear=1, dear_s=0.03))
    dear, cheap = await lane.enter("dear", staying), await lane.enter("cheap", staying)
    hands.cpu_s += 0.05
    lane.leave(cheap)
    hands.cpu_s += 0.2
    lane.leave(dear)
    line = Line(lane)
    waiting = line.join("dear", "dear", "cheap", "cheap")
    await settled()
    assert line.entered == ["dear", "cheap", "cheap"]
    await line.served_one_by_one()
    await asyncio.gather(*waiting)


async def test_use_is_forgotten_in_time() -> None:
    hands = Hands()
    lane = hands.lane(replace(LIMITS, in_service=1))
    await hands.spend(lane, "early", 1.0)
    hands.seconds += 10 * lanes.HALF_LIFE_S
    await hands.spend(lane, "late", 0.01)
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
        await lane.enter("a", staying)
    assert refused.value.reason == "queue-full"
    waiting += line.join("b")
    await settled()
    with pytest.raises(Refused):
        await lane.enter("c", staying)
    await line.served_one_by_one()
    await asyncio.gather(*waiting)
    assert line.entered == ["a", "a", "b", "a"]


async def test_a_burst_may_wait_and_a_standing_queue_may_not() -> None:
    hands = Hands()
    lane = hands.lane(LaneLimits(in_service=1, per_caller=1, overload_s=0.001, patience_s=0.5))
    turn = await lane.enter("a", staying)
    burst = asyncio.create_task(lane.enter("b", staying))
    await settled()
    hands.seconds = 0.4
    await asyncio.sleep(0.01)
    assert not burst.done()
    hands.seconds = 0.51
    with pytest.raises(Refused) as refused:
        await burst
    assert refused.value.reason == "deadline"

    kept = asyncio.create_task(lane.enter("b", staying))
    await settled()
    hands.seconds += 0.4
    late = asyncio.create_task(lane.enter("c", staying))
    await settled()
    hands.seconds += 0.11
    with pytest.raises(Refused):
        await late
    with pytest.raises(Refused):
        await kept
    lane.leave(turn)
    assert (lane.in_service, lane.waiting) == (0, 0)


async def test_who_leaves_or_is_cancelled_keeps_no_place() -> None:
    lane = Hands().lane(replace(LIMITS, in_service=1))
    turn = await lane.enter("a", staying)
    gone = asyncio.Event()

    async def left() -> None:
        await gone.wait()

    leaving = asyncio.create_task(lane.enter("b", left))
    cancelled = asyncio.create_task(lane.enter("c", staying))
    granted = asyncio.create_task(lane.enter("d", staying))
    await settled()
    gone.set()
    with pytest.raises(Left):
        await leaving
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    lane.leave(turn)
    granted.cancel()
    with pytest.raises(asyncio.CancelledError):
        await granted
    assert (lane.in_service, lane.waiting) == (0, 0)
    lane.leave(await lane.enter("e", staying))


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
    turn = await lane.enter("serving", staying)
    hands.cpu_s += 1.0
    for number in range(10):
        with pytest.raises(Refused):
            await hands.impatient(lane, f"passing-{number}")
    lane.leave(turn)
    line = Line(lane)
    waiting = line.join("first", "serving", "passing-9")
    assert await line.served_one_by_one() == ["first", "passing-9", "serving"]
    await asyncio.gather(*waiting)
