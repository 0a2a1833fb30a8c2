"""What partitions of the table of events cost: append and load, beside the same on one table."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg

from adapters.postgres.partitioning import partition
from api.house import House, unwatched
from bench.clients import Clients
from bench.clinic import Clinic
from bench.ground import TENANT, Ground
from bench.growth import load
from bench.measure import Contender, Line, Pace, Run, alternate, closed_loop, say

EVENTS = 20_000
PARTS = 16
CLIENTS = 64
LOADERS = 8
WHOLE, APART = "one table", f"{PARTS} partitions"
ACTS = {
    "append": (f"append, {CLIENTS} clients, {APART}", "events/s"),
    "load": (f"load a stream of one or two events, {LOADERS} at a time, {APART}", "loads/s"),
}


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """A line each for append and load; the reference is the table in one piece."""
    async with AsyncExitStack() as stack:
        acts: dict[str, dict[str, Contender]] = {act: {} for act in ACTS}
        for layout, name in ((WHOLE, "whole"), (APART, "apart")):
            house = await stack.enter_async_context(ground.house(name))
            await Clinic(house, EVENTS).grow(EVENTS)
            if layout == APART:
                say(f"  putting {EVENTS:,} events into {PARTS} partitions")
                await partition(house.settings.dsn, PARTS, unwatched)
            clients = await Clients.of(house, CLIENTS)
            acts["load"][layout] = await _loading(house)
            acts["append"][layout] = clients.appending(CLIENTS)
        for act, contenders in acts.items():
            runs = await alternate(contenders, pace)
            yield _line(*ACTS[act], runs)


def _line(name: str, unit: str, runs: dict[str, Run]) -> Line:
    return Line(
        name=name,
        value=runs[APART].rate,
        unit=unit,
        reference=runs[WHOLE].rate,
        reference_name=WHOLE,
        extra=runs[APART].durations,
    )


async def _loading(house: House) -> Contender:
    """Streams of all ages, again and again."""
    owner = await asyncpg.connect(house.settings.dsn)
    try:
        rows = await owner.fetch(
            "SELECT stream::text FROM event WHERE tenant = $1 AND position % 100 = 0", TENANT
        )
    finally:
        await owner.close()
    streams = [row["stream"] for row in rows]
    turn = 0

    async def one() -> int:
        nonlocal turn
        turn += 1
        await load(house, streams[turn % len(streams)])
        return 1

    async def contend(seconds: float) -> Run:
        return await closed_loop([one] * LOADERS, seconds)

    return contend
