"""The projector: every event once, poison set aside, the rest goes on."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import asyncpg
import pytest

from adapters.keys.refused import KeyStoreUnavailable
from adapters.postgres.progress import PositionTimeout, Progress
from adapters.postgres.projector import Projector
from adapters.postgres.rows import open_rows
from api.house import House, open_house
from domain.audit import RecordReplay, trail_of
from domain.consent import WithdrawProxyAccess
from domain.identity import CloseAccount
from domain.kernel.command import Command
from domain.kernel.event import Recorded
from domain.kernel.perform import Request
from domain.kernel.readmodel import Projection, Row, Table, Write
from domain.kernel.refusal import NotFound
from domain.kernel.values import Concept
from domain.records import Condition, Fact, FileRecord
from domain.results import ReceiveResult, Report
from projections import records, registry
from projections.catalogue import PANELS, PERMISSIONS, PROJECTIONS, projection
from tests.adapters.postgres.acts import (
    HERE,
    THERE,
    account,
    damage,
    do,
    granting,
    operator,
    patient,
    problem,
    projector,
    rows,
)
from tests.story import NOW

pytestmark = pytest.mark.anyio
TYPES = {"timestamptz": "timestamp with time zone"}
TABLES = [table for known in PROJECTIONS for table in known.tables]
LETTERS = "SELECT consumer, position, chart::text, type, error FROM dead_letter ORDER BY 1, 2"
DAMAGED = "UPDATE event SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE position = $1"
CHECKPOINTS = "SELECT projection, position FROM checkpoint WHERE tenant = $1 ORDER BY 1"


async def opened(house: House, table: Table) -> list[Row]:
    """The rows of a panel's table, opened, in order."""
    connection = await asyncpg.connect(house.settings.dsn)
    try:
        found = await connection.fetch(f"SELECT * FROM model.{table.name} ORDER BY chart, id")
    finally:
        await connection.close()
    return await open_rows(HERE, table, found, house.keys)


async def everything(house: House) -> dict[str, list[object]]:
    """Every row of every table: documents opened, the others as they are."""
    known: dict[str, list[object]] = {}
    panels = {panel.table.name for panel in PANELS}
    for table in TABLES:
        if table.name in panels:
            known[table.name] = list(await opened(house, table))
            continue
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        sql = f"SELECT tenant, {columns} FROM model.{table.name} ORDER BY 1, 2, 3"
        known[table.name] = list(await rows(house.settings.dsn, sql))
    return known


async def history(house: House) -> list[str]:
    """Two charts with a little of everything; returns them."""
    charts, persons = [], []
    for number in range(2):
        chart, person = (await do(house, patient(number))).streams
        charts.append(chart)
        persons.append(person)
        for item in range(3):
            await do(house, problem(chart, item))
        report = Report(category="laboratory", concept=Concept(text="K"), status="final")
        await do(house, ReceiveResult(chart=chart, key=f"r{number}", report=report))
    await do(house, problem(charts[0], 1, "Influenza A"))
    await do(house, patient(0, name="Lovelace"))
    await do(house, account("bob", person=persons[1]))
    await do(house, granting(charts[0], persons[1]))
    await do(house, WithdrawProxyAccess(chart=charts[0], grantee=persons[1]))
    await do(house, granting(charts[1], persons[0]))
    trail = trail_of(operator(), NOW)
    await do(house, RecordReplay(trail=trail, selection="all", count=1))
    return charts


async def test_rows_appear_with_their_documents(house: House) -> None:
    chart = (await do(house, patient(1))).streams[0]
    await do(house, problem(chart, 1))
    async with projector(house) as moved:
        assert await moved.advance(HERE) == 4
        assert await moved.advance(HERE) == 0
    [row] = await opened(house, registry.CHART)
    assert (row.id, row.chart, row.position, row.state) == (chart, chart, 1, "open")
    assert row.body.demographics == patient(1).demographics
    [row] = await opened(house, records.CONDITION)
    assert (row.chart, row.position, row.body.fact) == (chart, 4, problem(chart, 1).fact)
    wanted = sorted((known.name, 4) for known in PROJECTIONS)
    assert await rows(house.settings.dsn, CHECKPOINTS, HERE) == wanted
    assert await rows(house.settings.dsn, CHECKPOINTS, THERE) == []


async def test_projecting_everything_again_gives_the_same_rows(house: House) -> None:
    await history(house)
    async with projector(house) as moved:
        await moved.advance(HERE)
        before = await everything(house)
        assert [len(before[name]) for name in ("records_condition", "audit_trail")] == [6, 21]
        await rows(house.settings.dsn, "UPDATE checkpoint SET position = 0")
        assert await moved.advance(HERE) == 21
    assert await everything(house) == before


async def test_one_event_at_a_time_gives_the_same_rows_as_all_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await history(house)
    async with projector(house) as moved:
        await moved.advance(HERE)
        before = await everything(house)
        for table in TABLES:
            await rows(house.settings.dsn, f"TRUNCATE model.{table.name}")
        await rows(house.settings.dsn, "UPDATE checkpoint SET position = 0")
        monkeypatch.setattr("adapters.postgres.projector.BATCH", 1)
        assert await moved.advance(HERE) == 21
    assert await everything(house) == before


async def test_a_damaged_event_sets_one_chart_aside_where_it_is_needed_and_names_itself(
    house: House,
) -> None:
    charts = await history(house)
    filed = "SELECT min(position) FROM event WHERE type = 'records.record-filed'"
    [(position,)] = await rows(house.settings.dsn, filed)
    await damage(house.settings.dsn, DAMAGED, position)
    async with projector(house) as moved:
        await moved.advance(HERE)
        letters = [
            (name, position, charts[0], "records.record-filed", "BodyTampered")
            for name in ("records", "sources")
        ]
        assert await rows(house.settings.dsn, LETTERS) == letters
        found = await everything(house)
        assert {row.chart for row in found["records_condition"]} == {charts[1]}
        assert {row.chart for row in found["results_result"]} == set(charts)
        assert len(found["audit_trail"]) == 21
        # It stays aside, also for what comes later; the other chart goes on.
        await do(house, problem(charts[0], 9))
        await do(house, problem(charts[1], 9))
        await moved.advance(HERE)
    assert await rows(house.settings.dsn, LETTERS) == letters
    assert len(await opened(house, records.CONDITION)) == 4


async def test_a_damaged_header_is_set_aside_and_stops_nothing(house: House) -> None:
    charts = await history(house)
    broken = "UPDATE event SET header = 'no header' WHERE type = 'results.result-received'"
    await damage(house.settings.dsn, broken)
    async with projector(house) as moved:
        async with asyncio.timeout(10):
            await moved.advance(HERE)
    letters = await rows(house.settings.dsn, LETTERS)
    assert {(letter[0], letter[4]) for letter in letters} >= {("results", "UnreadableEvent")}
    assert {row.chart for row in await opened(house, records.CONDITION)} == set(charts)


CHART = "00000000-0000-4000-8000-000000000001"
NUL = Fact(condition=Condition(concept=Concept(text="Flu"), clinical_status="a\0b"))


def filing(chart: str, fact: Fact) -> FileRecord:
    """A fact as a careless source sends it."""
    return FileRecord(chart=chart, key="1", source=problem(chart, 1).source, fact=fact)


@pytest.mark.parametrize(
    ("wish", "consumer", "chart"),
    [
        (granting(CHART, "not an id"), "consent", CHART),
        (filing(CHART, NUL), "records", CHART),
        (filing("not an id", Fact()), "audit", None),
    ],
    ids=["an id that is none", "a character that no text column takes", "a chart that is none"],
)
async def test_a_row_that_its_table_cannot_hold_is_set_aside_and_stops_nothing(
    house: House, wish: Command[object], consumer: str, chart: str | None
) -> None:
    await do(house, wish)
    sound = (await do(house, patient(1))).streams[0]
    await do(house, problem(sound, 1))
    async with projector(house) as moved:
        await moved.advance(HERE)
    assert [row.chart for row in await opened(house, records.CONDITION)] == [sound]
    letters = await rows(house.settings.dsn, LETTERS)
    assert consumer in {name for name, *_ in letters}
    assert {(at, about, error) for _, at, about, _, error in letters} == {
        (1, chart, "UnstorableValue")
    }


async def test_a_denial_that_names_no_chart_at_all_stops_nothing(house: House) -> None:
    actor = replace(operator(), reason=None)
    with pytest.raises(NotFound):
        await house.do(Request(command=filing("' OR 1=1", Fact()), actor=actor, key="k"))
    chart = (await do(house, patient(1))).streams[0]
    async with projector(house) as moved:
        assert await moved.advance(HERE) == 4
    assert [row.chart for row in await opened(house, registry.CHART)] == [chart]


def counting(known: Projection, seen: list[int]) -> Projection:
    """The projection, noting each position that it is given."""

    def project(recorded: Recorded) -> Iterator[Write]:
        seen.append(recorded.position)
        return known.project(recorded)

    return replace(known, project=project)


async def test_two_projectors_at_once_neither_double_nor_skip(house: House) -> None:
    seen: dict[str, list[int]] = {known.name: [] for known in PROJECTIONS}
    counted = [counting(known, seen[known.name]) for known in PROJECTIONS]
    charts = await history(house)
    working = True

    async def work(moved: Projector) -> None:
        while working:
            await moved.advance(HERE)
            await asyncio.sleep(0)
        await moved.advance(HERE)

    async with projector(house, counted) as first, projector(house, counted) as second:
        workers = [asyncio.create_task(work(moved)) for moved in (first, second)]
        await asyncio.gather(*(do(house, problem(c, n)) for c in charts for n in range(10, 40)))
        working = False
        await asyncio.gather(*workers)
    assert seen["audit"] == list(range(1, 82))
    of_records = "SELECT position FROM event WHERE type LIKE 'records.%' ORDER BY 1"
    assert seen["records"] == [p for (p,) in await rows(house.settings.dsn, of_records)]
    assert len(await opened(house, records.CONDITION)) == 66


async def test_a_checkpoint_held_elsewhere_is_left_to_its_holder(house: House) -> None:
    await do(house, patient(1))
    async with projector(house) as moved:
        await moved.advance(HERE)
        await do(house, patient(2))
        holder = await asyncpg.connect(house.settings.dsn)
        async with holder.transaction():
            await holder.execute("SELECT * FROM checkpoint WHERE projection = 'audit' FOR UPDATE")
            await moved.advance(HERE)
            found = dict(await rows(house.settings.dsn, CHECKPOINTS, HERE))
            assert (found["audit"], found["registry"]) == (3, 6)
        await holder.close()
        await moved.advance(HERE)
    assert dict(await rows(house.settings.dsn, CHECKPOINTS, HERE))["audit"] == 6


async def test_rows_and_checkpoint_are_written_together_or_not_at_all(house: House) -> None:
    dsn = house.settings.dsn
    await do(house, patient(1))
    await rows(
        dsn,
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'crash'; END $$",
    )
    crash = "CREATE TRIGGER crash BEFORE UPDATE ON checkpoint FOR EACH ROW EXECUTE FUNCTION fail()"
    await rows(dsn, crash)
    async with projector(house) as moved:
        with pytest.raises(asyncpg.RaiseError, match="crash"):
            await moved.advance(HERE)
        assert await rows(dsn, "SELECT count(*) FROM model.audit_trail") == [(0,)]
        await rows(dsn, "DROP TRIGGER crash ON checkpoint")
        assert await moved.advance(HERE) == 3
    assert await rows(dsn, "SELECT count(*) FROM model.audit_trail") == [(3,)]


async def test_a_projection_that_a_release_adds_is_filled_from_the_beginning(
    house: House,
) -> None:
    await do(house, patient(1))
    async with projector(house, [projection("audit")]) as older:
        await older.advance(HERE)
    async with projector(house) as newer:
        await newer.advance(HERE)
    assert len(await opened(house, registry.CHART)) == 1
    wanted = sorted((known.name, 3) for known in PROJECTIONS)
    assert await rows(house.settings.dsn, CHECKPOINTS, HERE) == wanted


async def test_an_empty_log_has_its_checkpoints_after_the_first_look(house: House) -> None:
    async with projector(house) as moved:
        assert await moved.advance(HERE) == 0
    known = [(name, 0) for name in sorted(one.name for one in PROJECTIONS)]
    assert await rows(house.settings.dsn, CHECKPOINTS, HERE) == known


async def test_a_running_projector_serves_every_tenant(living_house: House) -> None:
    for tenant in (HERE, THERE):
        receipt = await do(living_house, patient(1), tenant)
        await living_house.progress.reach(tenant, receipt.last or 0, ["registry"])
    found = "SELECT tenant, count(*) FROM model.registry_chart GROUP BY 1 ORDER BY 1"
    assert await rows(living_house.settings.dsn, found) == [(THERE, 1), (HERE, 1)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_a_migrated_table_has_exactly_the_declared_columns(dsn: str, table: Table) -> None:
    found = await rows(
        dsn,
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname",
        f"model.{table.name}",
    )
    declared = {column.name: TYPES.get(column.type, column.sql) for column in table.columns}
    documents = {"key": "uuid", "body": "bytea"} if table.body else {}
    assert dict(found) == {"tenant": "text", **declared, **documents}
    keys = await rows(
        dsn,
        "SELECT a.attname FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (n, at)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n"
        " WHERE i.indrelid = $1::text::regclass AND i.indisprimary ORDER BY k.at",
        f"model.{table.name}",
    )
    assert [name for (name,) in keys] == ["tenant", *(column.name for column in table.key)]


async def test_a_projector_that_loses_its_connections_goes_on(living_house: House) -> None:
    chart = (await do(living_house, patient(1))).streams[0]
    admin = await asyncpg.connect(living_house.settings.dsn)
    killed = last = 0
    for number in range(60):
        last = (await do(living_house, problem(chart, number))).last or 0
        if number % 3 == 0:
            killed += await admin.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE usename = 'anamnesis_projector' AND datname = current_database()"
            )
    await admin.close()
    assert killed > 0
    await living_house.progress.reach(HERE, last, ["records", "audit"])
    assert len(await opened(living_house, records.CONDITION)) == 60


async def test_an_actor_too_long_for_an_index_is_set_aside_and_its_chart_stays_in_the_trail(
    house: House,
) -> None:
    chart = (await do(house, patient(1))).streams[0]
    actor = replace(operator(), id=os.urandom(9_000).hex())
    await house.do(Request(command=problem(chart, 1), actor=actor, key="k"))
    await do(house, problem(chart, 2))
    async with projector(house) as moved:
        await moved.advance(HERE)
        await do(house, problem(chart, 3))
        await moved.advance(HERE)
    letter = ("audit", 4, chart, "records.record-filed", "ProgramLimitExceededError")
    assert await rows(house.settings.dsn, LETTERS) == [letter]
    trail = 'SELECT "position" FROM model.audit_trail ORDER BY 1'
    assert await rows(house.settings.dsn, trail) == [(1,), (2,), (3,), (5,), (6,)]
    assert len(await opened(house, records.CONDITION)) == 3


def change_keys(house: House, statement: str, *values: str) -> None:
    """Change the key store's file as its owner can."""
    connection = sqlite3.connect(house.settings.keys / "keys.sqlite3")
    with connection:
        assert connection.execute(statement, values).rowcount != 0
    connection.close()


ZEROS = """UPDATE key SET wrapped = zeroblob(93)
  WHERE kind = 'compartment' AND owner = ? AND class = 'clinical'"""


async def test_a_damaged_key_sets_its_chart_aside_and_stops_nothing(house: House) -> None:
    charts = [(await do(house, patient(number))).streams[0] for number in range(2)]
    for chart in charts:
        await do(house, problem(chart, 1))
    change_keys(house, ZEROS, charts[0])
    async with open_house(house.settings) as cold, projector(cold) as moved:
        assert await moved.advance(HERE) == 8
        assert [row.chart for row in await opened(cold, records.CONDITION)] == [charts[1]]
    letters = await rows(house.settings.dsn, LETTERS)
    assert ("records", 7, charts[0], "records.record-filed", "WrappedKeyTampered") in letters
    assert {letter[2] for letter in letters} == {charts[0]}


async def test_a_row_that_cannot_be_sealed_is_set_aside_and_stops_nothing(house: House) -> None:
    person = (await do(house, patient(1))).streams[1]
    broken, sound = [(await do(house, account(who, person))).streams[0] for who in "ab"]
    await house.keys.compartment(HERE, broken, "clinical")
    change_keys(house, ZEROS, broken)
    async with open_house(house.settings) as cold, projector(cold) as moved:
        await moved.advance(HERE)
    letter = ("identity", 4, None, "identity.account-opened", "WrappedKeyTampered")
    assert await rows(house.settings.dsn, LETTERS) == [letter]
    accounts = "SELECT account::text FROM model.identity_account"
    assert await rows(house.settings.dsn, accounts) == [(sound,)]


async def test_an_unreachable_key_store_sets_nothing_aside_and_is_tried_again(
    house: House,
) -> None:
    person = (await do(house, patient(1))).streams[1]
    await do(house, account("a", person))
    change_keys(house, "ALTER TABLE key RENAME TO gone")
    async with projector(house) as moved:
        with pytest.raises(KeyStoreUnavailable):
            await moved.advance(HERE)
        assert await rows(house.settings.dsn, LETTERS) == []
        change_keys(house, "ALTER TABLE gone RENAME TO key")
        assert await moved.advance(HERE) == 4
    assert await rows(house.settings.dsn, LETTERS) == []


@pytest.mark.parametrize("size", [1, 2, 5_000])
async def test_a_poisoned_withdrawal_without_a_chart_holds_its_projection_alone(
    house: House, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("adapters.postgres.projector.BATCH", size)
    dsn = house.settings.dsn
    chart, person = (await do(house, patient(1))).streams
    who = (await do(house, account("a", person))).streams[0]
    await do(house, CloseAccount(account=who, reason="moved"))
    await do(house, account("b", person))
    await damage(dsn, DAMAGED, 5)
    held = {known.name: 6 for known in PROJECTIONS} | {"identity": 4}
    async with projector(house) as moved, asyncio.timeout(20):
        await moved.advance(HERE)
        assert dict(await rows(dsn, CHECKPOINTS, HERE)) == held
        await do(house, problem(chart, 1))
        await moved.advance(HERE)
        held = {known.name: 7 for known in PROJECTIONS} | {"identity": 4}
        assert dict(await rows(dsn, CHECKPOINTS, HERE)) == held
        assert await rows(dsn, LETTERS) == []
        fresh = Progress(house.api, PERMISSIONS, seconds=0.1)
        with pytest.raises(PositionTimeout):
            await fresh.reach_permissions(HERE, 5)
        await damage(dsn, DAMAGED, 5)  # the bit is turned back
        await moved.advance(HERE)
        await fresh.reach_permissions(HERE, 7)
    accounts = "SELECT count(*) FROM model.identity_account"
    assert await rows(dsn, accounts) == [(1,)]


async def test_a_checkpoint_of_another_release_is_left_alone(house: House) -> None:
    dsn = house.settings.dsn
    chart = (await do(house, patient(1))).streams[0]
    async with projector(house) as moved:
        await moved.advance(HERE)
        newer = "UPDATE checkpoint SET version = version + 1 WHERE projection = 'records'"
        await rows(dsn, newer)
        await do(house, problem(chart, 1))
        await moved.advance(HERE)
    found = dict(await rows(dsn, CHECKPOINTS, HERE))
    assert (found["records"], found["registry"]) == (3, 4)
    assert await opened(house, records.CONDITION) == []


async def test_a_projector_outlives_a_connection_that_fails_in_any_way(house: House) -> None:
    async def connect() -> asyncpg.Connection:
        raise RuntimeError("a driver's mistake")

    receipt = await do(house, patient(1))
    async with projector(house) as moved:
        running = asyncio.create_task(moved.run([HERE], connect))
        await house.progress.reach(HERE, receipt.last or 0, ["registry"])
        moved.stop()
        await running


async def test_a_change_waits_for_few_messages_to_the_database(house: House) -> None:
    chart = (await do(house, patient(1))).streams[0]
    sent: list[str] = []
    async with projector(house) as moved:
        await moved.advance(HERE)
        async with moved._pool.acquire() as connection:
            connection.add_query_logger(lambda query: sent.append(query.query.split()[0]))
        await do(house, problem(chart, 1))
        await moved.advance(HERE)
    writes = sent.count("INSERT")
    assert writes > 0
    assert sent == ["BEGIN;", *["SELECT"] * 3, *["INSERT"] * writes, "WITH"]
