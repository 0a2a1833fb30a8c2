"""A rebuild goes through the log run by run: what it reads and keeps is bounded by a run."""

import asyncio
import gc
from collections.abc import Sequence

import asyncpg
import pytest

from adapters.postgres.copies import Copies
from adapters.postgres.incoming import Span, prepare, read
from adapters.postgres.rebuild import Rebuild
from adapters.postgres.rows import SealedRow
from adapters.postgres.tables import Pending
from api.house import House
from domain.kernel.event import Recorded
from projections import records
from tests.adapters.postgres.acts import HERE, do, patient, problem, rows

pytestmark = pytest.mark.anyio
RUN = 20
FETCHED = """SELECT (sum(pg_stat_get_xact_tuples_fetched(indexrelid))
  + pg_stat_get_xact_tuples_returned('event'::regclass))::int
  FROM pg_index WHERE indrelid = 'event'::regclass"""


async def problems(house: House, chart: str, numbers: Sequence[int]) -> None:
    """So many problems of a chart."""
    await asyncio.gather(*(do(house, problem(chart, number)) for number in numbers))


def alive() -> int:
    """Events and sealed rows that this process holds."""
    return sum(isinstance(one, Recorded | SealedRow) for one in gc.get_objects())


@pytest.mark.parametrize("length", [5 * RUN, 15 * RUN])
async def test_a_rebuild_never_holds_more_than_two_runs(
    house: House, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr("adapters.postgres.filling.RUN_EVENTS", RUN)
    monkeypatch.setattr("adapters.postgres.filling.SEGMENTS", 1)
    chart = (await do(house, patient(1))).streams[0]
    await problems(house, chart, range(length))
    gc.collect()
    before, held = alive(), list[int]()
    write = Copies.write

    async def counted(
        copies: Copies, connection: asyncpg.Connection, tenant: str, pending: Pending, run: int
    ) -> None:
        held.append(alive() - before)
        await write(copies, connection, tenant, pending, run)

    monkeypatch.setattr(Copies, "write", counted)
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        rebuild = Rebuild(pool, house.keys, records.PROJECTION, lambda _done, _total: None)
        answer = await rebuild.run([HERE])
    assert answer.rows["records_condition"] == length
    assert len(held) >= length // RUN
    # An event and its row, in the run that is written and in the one before.
    assert RUN <= max(held) <= 2 * 2 * RUN


async def test_a_run_reads_no_more_of_the_log_than_its_own_events(house: House) -> None:
    charts = [(await do(house, patient(number))).streams[0] for number in range(2)]
    for chart in charts:
        await problems(house, chart, range(5 * RUN))
    await rows(house.settings.dsn, "ANALYZE event")
    connection = await asyncpg.connect(house.settings.role_dsn("projector"))
    async with connection.transaction():
        await prepare(connection, HERE)
        known = [records.PROJECTION]
        found, reached = await read(connection, HERE, Span(0, 1 << 40, RUN), known, house.keys)
        fetched = await connection.fetchval(FETCHED)
    await connection.close()
    assert len(found) == RUN
    assert reached == found[-1].position
    # A merge looks one row ahead in each type, and the planner looks at the ends of the index.
    assert RUN <= fetched < 2 * RUN


async def test_no_sealed_body_is_compressed_in_vain(house: House) -> None:
    storage = """SELECT a.attstorage::text, count(*)::int FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'model'::regnamespace
      AND c.relkind = 'r' AND a.attname = 'body' GROUP BY 1"""
    [(kind, tables)] = await rows(house.settings.dsn, storage)
    assert kind == "e"
    assert tables > 10
