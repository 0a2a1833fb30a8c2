"""Who was told to come later and comes at once goes unheard for as long as the hint says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import pytest

from api import hints
from api.hints import MOST_REFUSALS, Hints
from api.lane import LaneLimits
from tests.api.test_admission import Gate, gate
from tests.api.world import World

ALICE, BOB = 1, 2


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def counted(clock: Clock, chance: float = 0.0) -> Hints:
    return Hints(1.0, clock, lambda: chance)


def refuse(told: Hints, caller: int, times: int = MOST_REFUSALS) -> None:
    for _ in range(times):
        told.refused(caller)


def test_who_is_refused_again_and_again_goes_unheard_for_the_time_of_the_hint() -> None:
    clock = Clock()
    told = counted(clock)
    refuse(told, ALICE, MOST_REFUSALS - 1)
    assert not told.is_unheard(ALICE)
    told.refused(ALICE)
    clock.now = 0.99
    assert told.is_unheard(ALICE)
    assert not told.is_unheard(BOB)
    clock.now = 1.0
    assert not told.is_unheard(ALICE)


def test_who_comes_back_is_heard_once_and_unheard_again_when_refused() -> None:
    clock = Clock()
    told = counted(clock)
    refuse(told, ALICE)
    clock.now = 1.5
    assert not told.is_unheard(ALICE)
    told.refused(ALICE)
    assert told.is_unheard(ALICE)


def test_who_heeds_the_hint_begins_anew() -> None:
    clock = Clock()
    told = counted(clock)
    refuse(told, ALICE)
    clock.now = 2.5
    refuse(told, ALICE, MOST_REFUSALS - 1)
    assert not told.is_unheard(ALICE)
    for _ in range(10):
        clock.now += 1.1
        told.refused(BOB)
    assert not told.is_unheard(BOB)


def test_not_all_come_back_in_the_same_moment() -> None:
    clock = Clock()
    late = counted(clock, chance=0.9)
    refuse(late, ALICE)
    clock.now = 1.4
    assert late.is_unheard(ALICE)
    clock.now = 1.46
    assert not late.is_unheard(ALICE)


def test_only_the_newest_callers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "MOST_CALLERS", 3)
    told = counted(Clock())
    for caller in range(5):
        refuse(told, caller)
    assert [told.is_unheard(caller) for caller in range(5)] == [False, False, True, True, True]


LIMITS = LaneLimits(in_service=1, per_caller=1, patience_s=0.05, overload_s=0.01)
URL = "http://gate.test/graphql"


@dataclass(frozen=True, slots=True)
class Flood:
    """Rosa is served for long, and Omar asks until nobody listens to him."""

    here: Gate
    headers: dict[str, str]
    serving: asyncio.Task[httpx2.Response]

    async def ask(self, content: bytes | AsyncIterator[bytes] = b"{}") -> httpx2.Response:
        return await self.here.client.post(URL, content=content, headers=self.headers)

    def refused(self, reason: str) -> int:
        return self.here.admission.refused.get(("known", reason), 0)

    async def end(self) -> None:
        self.here.inside.go.set()
        assert (await self.serving).status_code == 200


@asynccontextmanager
async def flooded(world: World) -> AsyncIterator[Flood]:
    async with gate(world, LIMITS) as here:
        flood = Flood(here, {"authorization": f"Bearer {world.token('omar')}"}, here.post("rosa"))
        await here.inside.arrived.acquire()
        for _ in range(100):
            assert (await flood.ask()).status_code == 503
            if flood.refused("unheard"):
                break
        assert flood.refused("unheard") == 1
        yield flood


@pytest.mark.anyio
async def test_an_unheard_request_gets_the_same_answer_and_nobody_looks_at_it(world: World) -> None:
    sent = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        await sent.wait()

    async with flooded(world) as flood:
        heard = flood.refused("deadline")
        assert heard >= MOST_REFUSALS
        # Whoever looked at it would wait for the end of its body.
        refused = await asyncio.wait_for(flood.ask(endless()), 5)
        sent.set()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["errors"][0]["extensions"]["code"] == "OVERLOADED"
        assert (flood.refused("deadline"), flood.refused("unheard")) == (heard, 2)
        await flood.end()


@pytest.mark.anyio
async def test_others_are_heard_meanwhile(world: World) -> None:
    async with flooded(world) as flood:
        heard = flood.refused("deadline")
        assert (await flood.here.post("jun")).status_code == 503
        assert flood.refused("deadline") == heard + 1
        await flood.end()


@pytest.mark.anyio
async def test_everybody_is_heard_as_soon_as_there_is_no_overload(world: World) -> None:
    async with flooded(world) as flood:
        await flood.end()
        await asyncio.sleep(2 * LIMITS.patience_s)
        assert (await flood.ask()).text == "served"


@pytest.mark.anyio
async def test_strangers_and_full_queues_of_ones_own_say_nothing_of_the_server(
    world: World,
) -> None:
    limits = LaneLimits(in_service=4, per_caller=1, waiting_per_caller=1, patience_s=0.05)
    async with gate(world, limits) as here:
        overload = here.admission.known.overload
        flood = {"authorization": "Bearer nobody"}
        strangers = [
            asyncio.create_task(here.client.post(URL, content=b"{}", headers=flood))
            for _ in range(60)
        ]
        own = {"authorization": f"Bearer {world.token('omar')}"}
        mine = [
            asyncio.create_task(here.client.post(URL, content=b"{}", headers=own))
            for _ in range(12)
        ]
        await asyncio.sleep(0.3)
        assert not overload.is_on()
        here.inside.go.set()
        await asyncio.gather(*strangers, *mine)
        assert not [at for at in here.admission.refused if at[1] == "unheard"]
        assert here.admission.refused["known", "queue-full"] >= MOST_REFUSALS
        assert (await here.post("rosa")).text == "served"
