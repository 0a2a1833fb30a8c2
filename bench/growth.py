"""What a longer log costs: append, load, project and read, at 10,000 events and ten times as many.

Each figure stands beside the same at 10,000 events: one that bends grows with the log, another one
keeps its ratio. `--seconds 30` goes to a million, `--seconds 300` to ten.
"""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import median

import asyncpg

from adapters.postgres.projector import Projector
from adapters.postgres.reads import ReadTransaction
from adapters.postgres.rebuild import Rebuild
from api.house import House, tailing_pool, unwatched
from bench.clients import Clients
from bench.clinic import Clinic
from bench.ground import TENANT, Ground
from bench.measure import Line, Pace, say
from bench.portal import Resident, one_patient
from bench.wishes import fresh_id, reported, stamped
from domain.kernel.command import Filed, Stream
from domain.kernel.log import Append, Draft, Expected
from domain.kernel.readmodel import Select
from projections import records

FIRST = 10_000
PER_SECOND = 40_000
"""A log's length per second of a turn, beside a stream of 10,000 events that it begins with."""
CLIENTS = 64
APPEND_SECONDS = 3.0
"""More would make the log longer than it is meant to be."""
NEW = 1_024
LOADS = 200
LONG = 10_000
NAMES = {
    "append": ("append, 64 clients", "events/s"),
    "project": ("project the newest 1,024 events", "events/s"),
    "load": ("load a stream of one or two events", "ms (p50)"),
    "long": ("load a stream of 10,000 events", "ms (p50)"),
    "again": ("load it again, with its baseline", "ms (p50)"),
    "read": ("read a page of 20 entries of a chart", "ms (p50)"),
}


@dataclass(frozen=True, slots=True)
class Grown:
    """The figures of a log of one length."""

    events: int
    figures: Mapping[str, float]


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """A line per figure and length; the reference is the same figure at 10,000 events."""
    most = int(PER_SECOND * pace.seconds)
    async with ground.house("growing") as house:
        clinic = Clinic(house, most)
        resident, written = await one_patient(house), 0
        stream = await _long_stream(house)
        first: Grown | None = None
        length = FIRST
        while first is None or length <= most:
            written += await clinic.grow(length - written)
            now = await _measured(house, clinic, (stream, resident), pace)
            first = first or now
            for line in _lines(now, first):
                yield line
            length *= 10


def _lines(now: Grown, first: Grown) -> list[Line]:
    return [
        Line(
            name=f"{NAMES[name][0]}, log of {now.events:,} events",
            value=value,
            unit=NAMES[name][1],
            reference=first.figures[name],
            reference_name=f"log of {first.events:,} events",
        )
        for name, value in now.figures.items()
    ]


async def _measured(house: House, clinic: Clinic, known: tuple[str, Resident], pace: Pace) -> Grown:
    stream, resident = known
    owner = await asyncpg.connect(house.settings.dsn)
    try:
        await owner.execute("ANALYZE")
        events = await owner.fetchval("SELECT position FROM log_head WHERE tenant = $1", TENANT)
        # Of all ages alike: what was written last is in every cache.
        rows = await owner.fetch(
            "SELECT stream::text FROM event WHERE tenant = $1 AND position = ANY($2::bigint[])",
            *(TENANT, [*range(LONG + 1, events, max(1, (events - LONG) // LOADS))]),
        )
    finally:
        await owner.close()
    say(f"  measuring at {events:,} events")
    await _caught_up(house)
    streams = [row["stream"] for row in rows]
    loads = iter(streams)
    return Grown(
        events,
        {
            "project": await _projecting(house, clinic),
            "load": await _timed(len(streams), lambda: load(house, next(loads))),
            "long": await _timed(5, lambda: load(house, stream, whole=True)),
            "again": await _timed(LOADS, lambda: load(house, stream)),
            "read": await _timed(LOADS, lambda: _read(house, resident)),
            "append": await _appending(house, pace),
        },
    )


async def _appending(house: House, pace: Pace) -> float:
    clients = await Clients.of(house, CLIENTS)
    return (await clients.appending(CLIENTS)(min(pace.seconds, APPEND_SECONDS))).rate


async def _timed(count: int, act: Callable[[], Awaitable[None]]) -> float:
    """The median of so many, in milliseconds."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        await act()
        took.append((time.perf_counter() - began) * 1_000)
    return median(took)


async def load(house: House, stream: str, *, whole: bool = False) -> None:
    """As `perform` loads before it decides."""
    wanted = [Stream(fold=Filed, id=stream)]
    recalled = await house.log.recall(TENANT, os.urandom(16), b"", wanted, whole=whole)
    if not recalled.streams[0].version:
        raise LookupError(stream)


async def _read(house: House, resident: Resident) -> None:
    """As a resolver reads, but for its looks."""
    transaction = ReadTransaction(house.reads, house.keys, TENANT, resident.account)
    chart = resident.chart
    try:
        page = await transaction.page(Select(panel=records.conditions, chart=chart, first=20))
    finally:
        await transaction.close()
    if not page.rows:
        raise LookupError(chart)


async def _caught_up(house: House) -> None:
    """The read models of records are at the head."""
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        rebuild = Rebuild(pool, house.keys, records.PROJECTION, unwatched, house.workers)
        await rebuild.run([TENANT])


async def _projecting(house: House, clinic: Clinic) -> float:
    """Events a second of a projector that meets new ones at the end of the log."""
    rates = []
    async with tailing_pool(house.settings.role_dsn("projector")) as pool:
        projector = Projector(pool, house.keys, [records.PROJECTION])
        for _ in range(5):
            count = await clinic.grow(NEW)
            began = time.perf_counter()
            await projector.advance(TENANT)
            rates.append(count / (time.perf_counter() - began))
    return median(rates)


async def _long_stream(house: House) -> str:
    """A stream of 10,000 events; its id."""
    stream, chart = fresh_id(), fresh_id()
    for version in range(0, LONG, 100):
        drafts = [Draft(stream=stream, event=reported(), chart=chart, owner=chart)] * 100
        await house.log.append(
            Append(
                tenant=TENANT,
                command=os.urandom(16),
                fingerprint=os.urandom(32),
                context=stamped(),
                drafts=tuple(drafts),
                expected=(Expected(stream=stream, version=version),),
            )
        )
    return stream
