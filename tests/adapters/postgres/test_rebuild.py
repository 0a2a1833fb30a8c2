"""Rebuilding a read model: the same rows, under reads and writes, healed, and nothing half done."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import asyncpg
import pytest

from adapters.postgres.reads import ReadTransaction
from adapters.postgres.rebuild import (
    HOLD,
    Rebuild,
    RebuildUnderWay,
    Rebuilt,
    bring_up_to_date,
    outdated,
)
from adapters.postgres.rows import open_rows
from api.house import House
from domain.consent import WithdrawProxyAccess
from domain.identity import CloseAccount
from domain.kernel.event import Recorded
from domain.kernel.readmodel import Projection, Put, Select, Table, Write
from domain.registry import RegisterPerson
from projections import records
from projections.catalogue import PROJECTIONS, projection
from tests.adapters.postgres.acts import (
    HERE,
    THERE,
    account,
    damage,
    do,
    granting,
    patient,
    problem,
    projector,
    rows,
)

pytestmark = pytest.mark.anyio
NAMES = [known.name for known in PROJECTIONS]
CONDITIONS = 'SELECT chart::text, id::text, "position" FROM model.records_condition ORDER BY 1, 2'


def silent(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


async def rebuilt(house: House, which: Projection) -> Rebuilt:
    """Rebuild for all tenants with the projector's role."""
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        return await Rebuild(pool, house.keys, which, silent).run(await house.tenants())


async def opened(house: House, table: Table) -> list[object]:
    """Every row of a table: clear columns, and bodies opened where it has any."""
    owner = await asyncpg.connect(house.settings.dsn)
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    clear = await owner.fetch(f"SELECT tenant, {columns} FROM model.{table.name} ORDER BY 1, 2, 3")
    found: list[object] = [tuple(row) for row in clear]
    if table.body is not None and {"chart", "at"} <= {column.name for column in table.columns}:
        for tenant in (HERE, THERE):
            sealed = await owner.fetch(
                f"SELECT * FROM model.{table.name} WHERE tenant = $1 ORDER BY chart, id", tenant
            )
            found += await open_rows(tenant, table, sealed, house.keys)
    await owner.close()
    return found


async def guards(house: House, table: str) -> list[object]:
    """Policies, grants, indexes and switches of a table, without names that a copy changes."""
    dsn = house.settings.dsn
    return [
        sorted(await rows(dsn, sql, table))
        for sql in (
            "SELECT policyname::text, cmd, roles::text, qual FROM pg_policies WHERE tablename = $1",
            "SELECT grantee::text, privilege_type::text FROM"
            " information_schema.role_table_grants WHERE table_name = $1",
            "SELECT regexp_replace(indexdef, 'INDEX \\S+ ON', 'INDEX ON') FROM pg_indexes"
            " WHERE tablename = $1",
            "SELECT relrowsecurity, relforcerowsecurity, relowner::regrole::text"
            " FROM pg_class WHERE oid = ('model.' || $1::text)::regclass",
        )
    ]


async def people(house: House) -> tuple[str, str]:
    """Patients, problems, accounts and grants in both tenants; the account and chart of one."""
    for tenant in (HERE, THERE):
        charts = [(await do(house, patient(n), tenant)).streams for n in range(3)]
        for number in range(12):
            await do(house, problem(charts[number % 3][0], number), tenant)
            await do(house, problem(charts[number % 3][0], number, "Corrected"), tenant)
        for number, (chart, person) in enumerate(charts):
            opened_account = await do(house, account(f"login {number}", person), tenant)
            guest = (await do(house, RegisterPerson(key=str(number)), tenant)).streams[0]
            await do(house, granting(chart, guest), tenant)
        await do(house, WithdrawProxyAccess(chart=chart, grantee=guest), tenant)
        await do(house, CloseAccount(account=opened_account.streams[0], reason="moved"), tenant)
    chart, person = (await do(house, patient(0), HERE)).streams
    receipt = await do(house, account("login 0", person), HERE)
    for tenant in (HERE, THERE):
        [(head,)] = await rows(
            house.settings.dsn, "SELECT position FROM log_head WHERE tenant = $1", tenant
        )
        await house.progress.reach(tenant, head, NAMES, seconds=30)
    return receipt.streams[0], chart


@pytest.mark.parametrize("name", NAMES)
async def test_a_rebuild_gives_the_same_opened_rows_and_guards(
    living_house: House, name: str
) -> None:
    await people(living_house)
    which = projection(name)
    before = [await opened(living_house, table) for table in which.tables]
    guarded = [await guards(living_house, table.name) for table in which.tables]
    answer = await rebuilt(living_house, which)
    assert [await opened(living_house, table) for table in which.tables] == before
    assert [await guards(living_house, table.name) for table in which.tables] == guarded
    counted = await rows(living_house.settings.dsn, "SELECT sum(position)::int FROM log_head")
    assert answer.poisoned == 0
    assert answer.events == counted[0][0]
    left = "SELECT tablename::text FROM pg_tables WHERE tablename LIKE '%rebuilt%'"
    assert await rows(living_house.settings.dsn, left) == []


async def test_reads_and_writes_go_on_during_rebuilds_without_one_failure(
    living_house: House,
) -> None:
    reader, chart = await people(living_house)
    stop = asyncio.Event()
    sizes: list[int] = []

    async def reading() -> None:
        while not stop.is_set():
            reads = ReadTransaction(living_house.api, living_house.keys, HERE, reader)
            page = await reads.page(Select(panel=records.conditions, chart=chart, first=100))
            await reads.close()
            sizes.append(len(page.rows))

    async def writing() -> int:
        last = 0
        for number in range(100, 140):
            last = (await do(living_house, problem(chart, number))).last or last
        return last

    readers = [asyncio.create_task(reading()) for _ in range(4)]
    writer = asyncio.create_task(writing())
    for _ in range(4):
        await rebuilt(living_house, records.PROJECTION)
    last = await writer
    await living_house.progress.reach(HERE, last, NAMES, seconds=30)
    stop.set()
    await asyncio.gather(*readers)
    assert len(sizes) > 20
    assert 4 <= min(sizes) <= max(sizes) <= 44
    final = await opened(living_house, records.CONDITION)
    await rebuilt(living_house, records.PROJECTION)
    assert await opened(living_house, records.CONDITION) == final
    held = await rows(living_house.settings.dsn, CONDITIONS)
    assert len([row for row in held if row[0] == chart]) == 44


async def test_what_is_written_while_the_copy_is_filled_is_caught_up(living_house: House) -> None:
    _, chart = await people(living_house)
    filed: list[asyncio.Task[object]] = []

    def progress(_done: int, _total: int) -> None:
        filed.append(asyncio.create_task(do(living_house, problem(chart, 1000 + len(filed)))))

    dsn = living_house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        which = records.PROJECTION
        await Rebuild(pool, living_house.keys, which, progress).run(await living_house.tenants())
    assert len(filed) >= 2
    await asyncio.gather(*filed)
    [(head,)] = await rows(living_house.settings.dsn, "SELECT max(position) FROM log_head")
    await living_house.progress.reach(HERE, head, NAMES, seconds=30)
    held = await rows(living_house.settings.dsn, CONDITIONS)
    assert len([row for row in held if row[0] == chart]) == 4 + len(filed)


async def test_an_interrupted_rebuild_leaves_the_old_rows_and_can_be_done_again(
    living_house: House,
) -> None:
    _, chart = await people(living_house)
    before = await opened(living_house, records.CONDITION)

    def interrupted(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    dsn = living_house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        rebuild = Rebuild(pool, living_house.keys, records.PROJECTION, interrupted)
        with pytest.raises(KeyboardInterrupt):
            await rebuild.run(await living_house.tenants())
    assert await opened(living_house, records.CONDITION) == before
    receipt = await do(living_house, problem(chart, 500))
    await living_house.progress.reach(HERE, receipt.last or 0, NAMES, seconds=30)
    await rebuilt(living_house, records.PROJECTION)
    assert len(await opened(living_house, records.CONDITION)) == len(before) + 2  # clear and opened


async def test_of_rebuilds_at_once_none_loses_a_row(
    living_house: House,
) -> None:
    await people(living_house)
    before = await opened(living_house, records.CONDITION)
    which = records.PROJECTION
    answers = await asyncio.gather(
        *(rebuilt(living_house, which) for _ in range(3)), return_exceptions=True
    )
    # Who comes when the others have ended is not refused.
    assert {type(answer) for answer in answers} <= {RebuildUnderWay, Rebuilt}
    assert Rebuilt in map(type, answers)
    assert await opened(living_house, records.CONDITION) == before
    assert (await rebuilt(living_house, which)).poisoned == 0


async def test_a_rebuild_is_refused_while_another_holds_the_read_model(house: House) -> None:
    which = records.PROJECTION
    other = await asyncpg.connect(house.settings.dsn)
    assert await other.fetchval(HOLD, f"rebuild {which.name}")
    with pytest.raises(RebuildUnderWay):
        await rebuilt(house, which)
    await other.close()
    assert (await rebuilt(house, which)).poisoned == 0


async def test_a_rebuild_heals_what_a_poisoned_event_had_set_aside(house: House) -> None:
    charts = [(await do(house, patient(n))).streams[0] for n in range(2)]
    for number in range(6):
        await do(house, problem(charts[number % 2], number))

    def poisoned(recorded: Recorded) -> Iterator[Write]:
        if recorded.header.chart == charts[0]:
            raise ZeroDivisionError
        return records.project(recorded)

    broken = replace(records.PROJECTION, project=poisoned)
    async with projector(house, [broken]) as moving:
        await moving.advance(HERE)
    dead = "SELECT DISTINCT chart::text, error FROM dead_letter"
    assert await rows(house.settings.dsn, dead) == [(charts[0], "ZeroDivisionError")]
    still = await rebuilt(house, broken)
    assert still.poisoned == 1
    assert await rows(house.settings.dsn, dead) == [(charts[0], "ZeroDivisionError")]
    healed = await rebuilt(house, records.PROJECTION)
    assert (healed.poisoned, healed.rows["records_condition"]) == (0, 6)
    assert await rows(house.settings.dsn, dead) == []


LETTERS = "SELECT consumer, position, chart::text, error FROM dead_letter ORDER BY 1, 2"


def refused_for(chart: str) -> Projection:
    """The records, whose rows of one chart PostgreSQL does not take."""

    def project(recorded: Recorded) -> Iterator[Write]:
        for write in records.project(recorded):
            if recorded.header.chart == chart and isinstance(write, Put):
                yield replace(write, values={**write.values, "state": None})
            else:
                yield write

    return replace(records.PROJECTION, project=project)


async def test_a_row_that_is_refused_is_set_aside_by_a_rebuild(house: House) -> None:
    charts = [(await do(house, patient(n))).streams[0] for n in range(2)]
    for number in range(6):
        await do(house, problem(charts[number % 2], number))
    answer = await rebuilt(house, refused_for(charts[0]))
    assert (answer.poisoned, answer.rows["records_condition"]) == (1, 3)
    assert await rows(house.settings.dsn, LETTERS) == [
        ("records", 7, charts[0], "NotNullViolationError")
    ]


async def test_an_interrupted_rebuild_leaves_the_dead_letters_as_they_were(house: House) -> None:
    chart = (await do(house, patient(1))).streams[0]
    await do(house, problem(chart, 1))

    def interrupted(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        rebuild = Rebuild(pool, house.keys, refused_for(chart), interrupted)
        with pytest.raises(KeyboardInterrupt):
            await rebuild.run(await house.tenants())
    assert await rows(house.settings.dsn, LETTERS) == []


async def test_a_rebuild_ends_before_a_poisoned_withdrawal_without_a_chart(house: House) -> None:
    person = (await do(house, patient(1))).streams[1]
    who = (await do(house, account("a", person))).streams[0]
    await do(house, CloseAccount(account=who, reason="moved"))
    broken = "UPDATE event SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE position = 5"
    await damage(house.settings.dsn, broken)
    async with asyncio.timeout(20):
        await rebuilt(house, projection("identity"))
    place = "SELECT position FROM checkpoint WHERE projection = 'identity' AND tenant = $1"
    assert await rows(house.settings.dsn, place, HERE) == [(4,)]


async def test_processes_that_start_together_rebuild_or_wait_and_none_fails(
    house: House,
) -> None:
    chart = (await do(house, patient(1))).streams[0]
    await do(house, problem(chart, 1))
    async with projector(house) as moved:
        await moved.advance(HERE)
    await rows(house.settings.dsn, "UPDATE checkpoint SET version = 0 WHERE projection = 'records'")
    tenants, dsn = await house.tenants(), house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool, asyncio.timeout(20):
        wish = (pool, house.keys, tenants, PROJECTIONS, silent)
        assert await outdated(pool, tenants, PROJECTIONS) == [records.PROJECTION]
        await asyncio.gather(*(bring_up_to_date(*wish) for _ in range(3)))
        assert await outdated(pool, tenants, PROJECTIONS) == []
    assert len(await opened(house, records.CONDITION)) == 2  # clear and opened


async def test_an_older_release_does_not_rebuild_what_a_newer_one_wrote(house: House) -> None:
    await do(house, patient(1))
    async with projector(house) as moved:
        await moved.advance(HERE)
    await rows(house.settings.dsn, "UPDATE checkpoint SET version = 9")
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        assert await outdated(pool, await house.tenants(), PROJECTIONS) == []
