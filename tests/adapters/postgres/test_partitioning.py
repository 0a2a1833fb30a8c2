"""The table of events in partitions by tenant: made under load, wherever it was, and guarded."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner

from adapters.postgres import partitioning
from adapters.postgres.migrate import LOCK
from adapters.postgres.partitioning import (
    CopyIncomplete,
    CopyOutdated,
    MigrationRuns,
    PartitionedAlready,
    PartitionsUnclear,
    partition,
)
from adapters.postgres.verification import verify
from api.cli import main
from api.cli.doctor import diagnoses
from api.house import House, open_house
from api.settings import Settings
from tests.adapters.postgres.acts import HERE, THERE, assert_sound, damage, do, patient, rows

pytestmark = pytest.mark.anyio
PARTS = 4
KIND = "SELECT relkind::text FROM pg_class WHERE oid = 'public.event'::regclass"
GUARDS = {
    "grants": "SELECT grantee, privilege_type FROM information_schema.role_table_grants"
    " WHERE table_name = '{0}' AND grantee <> 'postgres' ORDER BY 1, 2",
    "columns": "SELECT grantee, column_name, privilege_type"
    " FROM information_schema.column_privileges"
    " WHERE table_name = '{0}' AND grantee <> 'postgres' ORDER BY 1, 2, 3",
    "policies": "SELECT policyname, permissive, cmd, roles, qual, with_check FROM pg_policies"
    " WHERE tablename = '{0}' ORDER BY 1",
    "walls": "SELECT relrowsecurity, relforcerowsecurity, relowner FROM pg_class"
    " WHERE oid = '{0}'::regclass",
    "triggers": "SELECT tgname, tgenabled, tgtype FROM pg_trigger WHERE tgrelid = '{0}'::regclass",
    "indexes": "SELECT indexrelid::regclass::text, indisunique, indkey::text FROM pg_index"
    " WHERE indrelid = '{0}'::regclass ORDER BY 1",
    "storage": "SELECT attname, attstorage, attnotnull, attcollation::regcollation::text"
    " FROM pg_attribute WHERE attrelid = '{0}'::regclass AND attnum > 0 ORDER BY attnum",
    "checks": "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid = '{0}'::regclass AND contype = 'c' ORDER BY 1",
}


def unmoved(_done: int, _total: int) -> None:
    """Nobody watches."""


async def filed(house: House, count: int, first: int = 0) -> None:
    await asyncio.gather(
        *(do(house, patient(first + n), (HERE, THERE)[n % 2]) for n in range(count))
    )


async def test_it_is_made_while_commands_are_performed_on_the_same_connections(
    house: House, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitioning, "RUN", 50)
    await filed(house, 120)
    done = asyncio.Event()

    async def load() -> int:
        number = 1_000
        while not done.is_set():
            await filed(house, 8, number)
            number += 8
        return number - 1_000

    loading = asyncio.create_task(load())
    events = await partition(dsn, PARTS, unmoved)
    await filed(house, 8, 900)
    done.set()
    written = await loading
    assert written > 0
    await filed(house, 16, 500)
    lengths = [await assert_sound(dsn, tenant) for tenant in (HERE, THERE)]
    assert sum(lengths) == 3 * (120 + 8 + written + 16)
    assert sum(lengths) > sum(events.values()) >= 3 * 120
    assert await rows(dsn, KIND) == [("p",)]
    for tenant in (HERE, THERE):
        auditor = house.settings.role_dsn("auditor")
        assert (await verify(auditor, tenant, house.keys, unmoved, 1)).ok


async def test_each_event_is_in_the_partition_of_its_tenant(house: House, dsn: str) -> None:
    await filed(house, 10)
    before = await rows(dsn, "SELECT * FROM event ORDER BY tenant, position")
    assert sum((await partition(dsn, PARTS, unmoved)).values()) == len(before)
    assert await rows(dsn, "SELECT * FROM event ORDER BY tenant, position") == before
    where = await rows(
        dsn, "SELECT DISTINCT tenant, tableoid::regclass::text FROM event ORDER BY 1"
    )
    assert [tenant for tenant, _ in where] == [THERE, HERE]


async def test_an_interrupted_copy_goes_on_where_it_was(
    house: House, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitioning, "RUN", 10)
    await filed(house, 20)

    def interrupt(done: int, _total: int) -> None:
        if done >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await partition(dsn, PARTS, interrupt)
    assert await rows(dsn, KIND) == [("r",)]
    await filed(house, 4, 100)
    with pytest.raises(PartitionsUnclear):
        await partition(dsn, PARTS + 1, unmoved)
    told: list[tuple[int, int]] = []
    await partition(dsn, PARTS, lambda done, total: told.append((done, total)))
    assert told[0] == (30, 72)
    assert [await assert_sound(dsn, tenant) for tenant in (HERE, THERE)] == [36, 36]


async def test_a_copy_from_before_a_migration_is_not_gone_on_with(house: House, dsn: str) -> None:
    await filed(house, 4)

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await partition(dsn, PARTS, interrupt)
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute("INSERT INTO migration (name, checksum) VALUES ('9999_later', '')")
        with pytest.raises(CopyOutdated):
            await partition(dsn, PARTS, unmoved)
        await owner.execute("SELECT pg_advisory_lock($1)", LOCK)
        with pytest.raises(MigrationRuns):
            await partition(dsn, PARTS, unmoved)
        await owner.execute("SELECT pg_advisory_unlock($1)", LOCK)
        await owner.execute("DROP TABLE event_apart")
    finally:
        await owner.close()
    await partition(dsn, PARTS, unmoved)
    assert [await assert_sound(dsn, tenant) for tenant in (HERE, THERE)] == [6, 6]


async def test_it_has_every_guard_that_the_table_had_and_each_partition_is_closed(
    house: House, dsn: str
) -> None:
    await filed(house, 4)
    before = {name: await rows(dsn, sql.format("event")) for name, sql in GUARDS.items()}
    await partition(dsn, PARTS, unmoved)
    assert {name: await rows(dsn, sql.format("event")) for name, sql in GUARDS.items()} == before
    assert all(before.values())
    parts = [f"event_{number}" for number in range(PARTS)]
    for part in parts:
        assert await rows(dsn, GUARDS["grants"].format(part)) == []
        assert await rows(dsn, GUARDS["policies"].format(part)) == []
        for name in ("walls", "triggers", "storage"):
            assert await rows(dsn, GUARDS[name].format(part)) == before[name], part
    for name in ("event", *parts):
        for change in (f"DELETE FROM {name}", f"UPDATE {name} SET type = ''", f"TRUNCATE {name}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="immutable"):
                await rows(dsn, change)
    trigger = {one.check: one for one in await diagnoses(house.settings)}["immutability"]
    assert trigger.verdict == "ok"
    await damage(dsn, f"DROP TRIGGER event_is_immutable ON {parts[1]}")
    trigger = {one.check: one for one in await diagnoses(house.settings)}["immutability"]
    assert trigger.verdict == "failure"
    for role in ("api", "projector", "worker", "auditor", "tool"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await rows(house.settings.role_dsn(role), f"SELECT FROM {parts[0]}")


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM event WHERE tenant = $1 AND position = 4",
        "DELETE FROM event WHERE tenant = $1 AND position = 9",
        "UPDATE log_head SET position = 6 WHERE tenant = $1",
        "DELETE FROM log_head WHERE tenant = $1",
    ],
)
async def test_a_log_that_was_tampered_with_stays_as_it_is(
    house: House, dsn: str, tampering: str
) -> None:
    await filed(house, 6)
    await damage(dsn, tampering, HERE)
    before = await rows(dsn, "SELECT * FROM event ORDER BY tenant, position")
    with pytest.raises(CopyIncomplete):
        await partition(dsn, PARTS, unmoved)
    assert await rows(dsn, KIND) == [("r",)]
    assert await rows(dsn, "SELECT * FROM event ORDER BY tenant, position") == before


async def test_whoever_holds_the_table_is_waited_for_and_appends_go_on_meanwhile(
    house: House, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitioning, "HELD", "SET LOCAL lock_timeout = '1s'")
    monkeypatch.setattr(partitioning, "PAUSE_SECONDS", 0.1)
    await filed(house, 4)
    reader = await asyncpg.connect(dsn)
    reading = reader.transaction()
    await reading.start()
    await reader.fetch("SELECT FROM event")
    making = asyncio.create_task(partition(dsn, PARTS, unmoved))
    async with asyncio.timeout(60):
        for turn in range(6):
            await filed(house, 2, 100 + 2 * turn)
            await asyncio.sleep(0.3)
    assert not making.done()
    await reading.rollback()
    await reader.close()
    await making
    assert [await assert_sound(dsn, tenant) for tenant in (HERE, THERE)] == [24, 24]


@pytest.mark.parametrize("held", ["event", "event_apart", "event_apart_0", "event_apart_3"])
async def test_no_event_is_left_out_whatever_lock_a_try_to_switch_did_not_get(
    house: House, dsn: str, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    monkeypatch.setattr(partitioning, "HELD", "SET LOCAL lock_timeout = '300ms'")
    monkeypatch.setattr(partitioning, "PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(partitioning, "RUN", 10)
    await filed(house, 10)
    owner = await asyncpg.connect(dsn)
    await partitioning._prepare(owner, PARTS)
    reading = owner.transaction()
    await reading.start()
    await owner.fetch(f"SELECT FROM {held}")
    catch_up = partitioning._Copy.catch_up
    tries = 0

    async def and_more(copy: partitioning._Copy) -> None:
        # Events that come between a pass and the lock are copied while the lock is held.
        nonlocal tries
        await catch_up(copy)
        tries += 1
        await filed(house, 2, 100 * tries)
        if tries == 3:
            await reading.rollback()

    monkeypatch.setattr(partitioning._Copy, "catch_up", and_more)
    async with asyncio.timeout(60):
        events = await partition(dsn, PARTS, unmoved)
    await owner.close()
    assert tries >= 3
    lengths = [await assert_sound(dsn, tenant) for tenant in (HERE, THERE)]
    assert sum(lengths) == sum(events.values()) == 3 * (10 + 2 * tries)


async def test_a_copy_under_the_lock_that_is_undone_is_made_again(
    house: House, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitioning, "PAUSE_SECONDS", 0.0)
    await filed(house, 6)
    change, catch_up = partitioning._change_places, partitioning._Copy.catch_up
    tries = 0

    async def refused_once(connection: asyncpg.Connection) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncpg.LockNotAvailableError("somebody else was first")
        await change(connection)

    async def and_more(copy: partitioning._Copy) -> None:
        await catch_up(copy)
        if tries == 0:
            await filed(house, 4, 100)

    monkeypatch.setattr(partitioning, "_change_places", refused_once)
    monkeypatch.setattr(partitioning._Copy, "catch_up", and_more)
    events = await partition(dsn, PARTS, unmoved)
    assert tries == 2
    assert sum([await assert_sound(dsn, tenant) for tenant in (HERE, THERE)]) == 30
    assert sum(events.values()) == 30


async def test_the_command_says_what_it_did_and_what_is_wrong(
    settings: Settings, tmp_path: Path
) -> None:
    async with open_house(settings) as house:
        await filed(house, 4)
    environment = {
        "ANAMNESIS_DSN": settings.dsn,
        "ANAMNESIS_KEYS": str(settings.keys),
        "ANAMNESIS_OBJECTS": str(tmp_path / "objects"),
    }

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["partition", *words], env=environment)
        return done.exit_code, done.output

    code, said = await asyncio.to_thread(run, "--of", "1")
    assert (code, said) == (1, f"Error: {PartitionsUnclear.__doc__} [PartitionsUnclear 1]\n")
    code, said = await asyncio.to_thread(run, "--of", "2", "--json")
    assert (code, json.loads(said)) == (0, {"partitions": 2, "events": {HERE: 6, THERE: 6}})
    code, said = await asyncio.to_thread(run, "--of", "2")
    assert (code, said) == (1, f"Error: {PartitionedAlready.__doc__} [PartitionedAlready ]\n")
