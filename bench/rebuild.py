"""Rebuilding a read model from an encrypted log, beside COPY of the rows that come out of it."""

import io
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path

import asyncpg

from adapters.postgres.filling import SHARED_FROM
from adapters.postgres.rebuild import Rebuild, Rebuilt
from api.house import House
from bench.clinic import Clinic
from bench.ground import TENANT, Ground
from bench.measure import Contender, Line, Pace, Run, alternate, say
from projections import records

EVENTS_PER_SECOND = 65_536
"""How long a log is rebuilt from, per second of a turn: 3 s make 196,608 events."""
LENGTHS = (4, 2, 1)
"""Memory is measured at parts of the log, too: at a quarter, at a half, and at all of it."""
LOGS = {"rebuild, clinical log": 1, "rebuild, 95 % looks": 20}
REFERENCE = "COPY of the same rows into the same tables with their indexes, one process"
READING = "SELECT header, context, body FROM event WHERE tenant = $1"
PORTION = 5_000


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """A line for each kind of log, in events projected per second."""
    for number, (name, share) in enumerate(LOGS.items()):
        async with ground.house(f"rebuilding{number}") as house:
            yield await _line(name, house, share, pace)


async def _line(name: str, house: House, share: int, pace: Pace) -> Line:
    events = int(EVENTS_PER_SECOND * pace.seconds)
    clinic = Clinic(house, events, share)
    written, peaks = 0, {}
    for part in LENGTHS:
        written += await clinic.grow(events // part - written)
        peak = Peak()
        built = await _rebuilt(house, peak)
        peaks[str(written)] = peak.megabytes
    runs = await alternate({name: _rebuilding(house), REFERENCE: await _copying(house)}, pace)
    rate, rows = runs[name].rate, sum(built.rows.values())
    return Line(
        name=name,
        value=rate,
        unit="events/s",
        reference=runs[REFERENCE].rate * built.projected / rows,
        reference_name=REFERENCE,
        extra={
            "log_events": built.events,
            "log_events_per_s": round(rate * built.events / built.projected),
            "rows": rows,
            "processes": house.workers.count if built.projected >= SHARED_FROM else 1,
            "peak_mb_by_length": peaks,
            "only_reading_per_s": round(await _only_reading(house)),
        },
    )


class Peak:
    """The most memory that a worker process had, as the system counts it."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.megabytes = 0

    def __call__(self, _done: int, _total: int) -> None:
        """Look at the processes that work now."""
        for child in active_children():
            with suppress(OSError):
                status = Path(f"/proc/{child.pid}/status").read_text()
                found = re.search(r"VmHWM:\s+(\d+) kB", status)
                self.megabytes = max(self.megabytes, int(found[1]) // 1024 if found else 0)


async def _rebuilt(house: House, peak: Peak) -> Rebuilt:
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        rebuild = Rebuild(pool, house.keys, records.PROJECTION, peak, house.workers)
        return await rebuild.run([TENANT])


def _rebuilding(house: House) -> Contender:
    async def rebuilding(_seconds: float) -> Run:
        began = time.perf_counter()
        built = await _rebuilt(house, Peak())
        return Run(built.projected / (time.perf_counter() - began))

    return rebuilding


async def _copying(house: House) -> Contender:
    """Writes the rows that a rebuild made, as bytes that were read beforehand."""
    kept: dict[str, bytes] = {}
    owner = await asyncpg.connect(house.settings.dsn)
    for table in records.PROJECTION.tables:
        into = io.BytesIO()
        await owner.copy_from_table(table.name, schema_name="model", output=into, format="binary")
        kept[table.name] = into.getvalue()
    await owner.close()

    async def copying(_seconds: float) -> Run:
        connection = await asyncpg.connect(house.settings.dsn)
        began, rows = time.perf_counter(), 0
        for name, stored in kept.items():
            copy = f"{name}__copied"
            await connection.execute("SELECT model.clone_table($1, $2)", name, copy)
            answer = await connection.copy_to_table(
                copy, schema_name="model", source=io.BytesIO(stored), format="binary"
            )
            rows += int(answer.split()[1])
        took = time.perf_counter() - began
        for name in kept:
            await connection.execute(f"DROP TABLE model.{name}__copied")
        await connection.close()
        return Run(rows / took)

    return copying


async def _only_reading(house: House) -> float:
    """Events per second that one connection reads and nobody opens."""
    connection = await asyncpg.connect(house.settings.dsn)
    began, count = time.perf_counter(), 0
    async with connection.transaction():
        cursor = await connection.cursor(READING, TENANT)
        while found := await cursor.fetch(PORTION):
            count += len(found)
    took = time.perf_counter() - began
    await connection.close()
    say(f"  only reading: {count / took:,.0f}/s")
    return count / took
