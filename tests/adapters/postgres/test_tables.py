"""The same rows are left of the same writes, however they are cut into runs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import asyncpg
import pytest

from adapters.postgres.copies import bare_copies
from adapters.postgres.incoming import prepare
from adapters.postgres.rows import SealedRow
from adapters.postgres.tables import Pending
from api.house import House
from domain.kernel.readmodel import Drop
from projections.catalogue import projection
from tests.adapters.postgres.acts import HERE

pytestmark = pytest.mark.anyio
SOURCES = projection("sources")
[MAP] = SOURCES.tables
STREAMS = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(4)]
ORIGINS = [bytes([n]) * 16 for n in range(4)]
AT = datetime(2026, 1, 1, tzinfo=UTC)
LEFT = 'SELECT origin, stream::text, "position" FROM model.{} ORDER BY 1'
Writes = Sequence[SealedRow | Drop]


def drawn(random: Random) -> Writes:
    """Rows that several streams state under the same keys, and deletions by stream."""
    return [
        Drop(MAP, {"stream": random.choice(STREAMS)})
        if random.random() < 0.3
        else _row(random.choice(ORIGINS), random.choice(STREAMS), position)
        for position in range(1, 30)
    ]


def _row(origin: bytes, stream: str, position: int) -> SealedRow:
    values = (HERE, origin, stream, None, "Claim", 1, position, AT, "", b"", b"")
    return SealedRow(MAP, (str(origin),), values)


def told(writes: Writes) -> list[tuple[object, ...]]:
    """What is left of the writes, one after the other."""
    kept: dict[object, tuple[object, ...]] = {}
    for write in writes:
        if isinstance(write, Drop):
            kept = {key: row for key, row in kept.items() if row[1] != write.where["stream"]}
        else:
            _, origin, stream, _, _, _, position, *_ = write.values
            kept[origin] = (origin, stream, position)
    return sorted(kept.values(), key=str)


def runs(writes: Writes, random: Random) -> list[tuple[int, Pending]]:
    """The writes cut into runs, each with the position that it begins after."""
    places = sorted({0, *random.sample(range(1, len(writes)), random.randrange(6))})
    cut = []
    for start, end in zip(places, [*places[1:], len(writes)], strict=True):
        pending = Pending()
        pending.add(writes[start:end])
        cut.append((start, pending))
    return cut


async def test_runs_of_any_length_leave_what_the_writes_leave_one_by_one(house: House) -> None:
    connection = await asyncpg.connect(house.settings.role_dsn("projector"))
    try:
        for seed in range(60):
            await assert_alike(connection, Random(seed))
    finally:
        await connection.close()


async def assert_alike(connection: asyncpg.Connection, random: Random) -> None:
    """By the projector's writing, and by the copies of a rebuild that are filled in any order."""
    writes = drawn(random)
    copies = await bare_copies(connection, SOURCES)
    async with connection.transaction():
        await prepare(connection, HERE)
        await connection.execute(f"DELETE FROM model.{MAP.name}")
        for _, pending in runs(writes, random):
            await pending.write(connection, HERE, {})
        for start, pending in random.sample(cut := runs(writes, random), len(cut)):
            await copies.write(connection, HERE, pending, start)
    await copies.finish(connection)
    async with connection.transaction():
        await prepare(connection, HERE)
        for table in (MAP.name, copies.names[MAP.name]):
            left = await connection.fetch(LEFT.format(table))
            assert [tuple(row) for row in left] == told(writes), table
