"""Rows come from a replica, and never from one that is older than what permitted them."""

import asyncio
import itertools
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from adapters.postgres.replica import Replica
from adapters.postgres.transaction import Transaction
from api.cli.doctor import diagnoses
from api.house import POOL_SIZE
from tests.api.test_amending import RELABEL, WITHDRAW, amend, entries, staff
from tests.api.world import Seedbed, World, looks
from tests.replica.conftest import Mirrored, Standby, mirrored

pytestmark = pytest.mark.anyio
LABS = "{ record { labReports(first: 5) { edges { node { id code { text } } } } } }"
HERE = "riverside"
WHERE = "SELECT pg_is_in_recovery() AS id, now() AS at, true AS shown"


async def caught_up(mirror: Mirrored) -> None:
    """The replica has what the primary has; whatever was asked until then is forgotten."""
    async with asyncio.timeout(30):
        while True:
            mirror.since()
            await entries(mirror.world, "rosa")
            if not mirror.since()["primary"]:
                return


@pytest.mark.usefixtures("patient")
async def test_what_is_read_comes_from_the_replica_and_is_on_record(mirror: Mirrored) -> None:
    world = mirror.world
    await caught_up(mirror)
    before = await world.head()
    people = [key for key in world.people if key in world.seeded.charts]
    for key in people:
        assert await entries(world, key) is not None
        await world.data(key, LABS)
    read = mirror.since()
    assert read["replica"] >= len(people)
    assert read["replica"] > read["primary"]
    assert len(looks(await world.since(before))) >= len(people) / 2


@pytest.mark.usefixtures("leaves")
async def test_an_entry_that_was_withdrawn_is_not_shown_although_the_replica_has_it(
    mirror: Mirrored, standby: Standby
) -> None:
    world = mirror.world
    await staff(world)
    await caught_up(mirror)
    first, second, *_ = await entries(world, "rosa")
    await standby.pause()
    mirror.since()
    done = await amend(world, "hana", WITHDRAW, record=first["id"])
    assert done["__typename"] == "RecordAmended"
    seen = [entry["id"] for entry in await entries(world, "rosa", position=done["position"])]
    assert first["id"] not in seen
    assert second["id"] in seen
    assert mirror.since()["primary"] > 0
    await standby.resume()


@pytest.mark.usefixtures("leaves")
async def test_who_changes_something_sees_it_at_once_while_the_replica_follows(
    mirror: Mirrored,
) -> None:
    world = mirror.world
    await staff(world)
    await caught_up(mirror)
    for turn, entry in enumerate((await entries(world, "rosa"))[:5]):
        wish = {"record": entry["id"], "labels": ["PSY"], "idempotencyKey": f"label {turn}"}
        done = await amend(world, "hana", RELABEL, expectedVersion=entry["version"], **wish)
        seen = await entries(world, "rosa", position=done["position"])
        assert ["PSY"] in [now["labels"] for now in seen if now["id"] == entry["id"]]


@pytest.mark.usefixtures("leaves")
async def test_a_replica_that_goes_away_and_comes_back_is_no_outage(
    mirror: Mirrored, standby: Standby
) -> None:
    world = mirror.world
    await caught_up(mirror)
    expected = await entries(world, "rosa")
    await asyncio.to_thread(standby.stop)
    for _ in range(3):
        assert await entries(world, "rosa") == expected
    assert mirror.since()["primary"] > 0
    await asyncio.to_thread(standby.start)
    await caught_up(mirror)
    assert await entries(world, "rosa") == expected


@pytest.mark.usefixtures("patient")
async def test_a_read_in_the_way_of_what_the_replica_must_replay_goes_on_at_the_primary(
    mirror: Mirrored,
) -> None:
    world, house = mirror.world, mirror.world.house
    await caught_up(mirror)
    reads = Transaction(house.rows, HERE, world.people["rosa"][1])
    rows = "SELECT id, at, true AS shown FROM model.records_condition"
    assert (await reads.fetch(WHERE, []))[0]["id"] is True
    before = {row["id"] for row in await reads.fetch(rows, [])}
    owner = await asyncpg.connect(house.settings.dsn)
    try:
        async with owner.transaction():
            await owner.execute("LOCK TABLE model.records_condition IN ACCESS EXCLUSIVE MODE")
        # Its session ends; the statement after that is answered all the same.
        await asyncio.sleep(1)
        assert (await reads.fetch(WHERE, []))[0]["id"] is False
        assert {row["id"] for row in await reads.fetch(rows, [])} == before != set()
    finally:
        await reads.close()
        await owner.close()


async def test_only_a_replica_of_this_very_database_is_read(
    seedbed: Seedbed, standby: Standby, tmp_path: Path
) -> None:
    others = {
        "itself": seedbed.postgres.dsn(),
        "another": standby.dsn(seedbed.postgres.dsn()),
        "none": standby.dsn("postgresql:///nothing"),
    }
    for name, dsn in others.items():
        async with AsyncExitStack() as stack:
            folder = tmp_path / name
            folder.mkdir()
            mirror = await mirrored(stack, seedbed, dsn, standby, folder)
            assert await entries(mirror.world, "rosa")
            assert mirror.since()["replica"] == 0


async def test_the_doctor_knows_the_replica(mirror: Mirrored) -> None:
    found = {one.check: one for one in await diagnoses(mirror.world.house.settings)}
    assert found["replica"].verdict == "ok"
    assert found["replica"].seen.endswith("bytes behind")


async def test_readers_of_both_servers_do_not_wait_for_each_other_in_a_circle(
    mirror: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    world: World = mirror.world
    assert world.house.replica is not None
    asked_written, turns = world.house.replica._ask_written, itertools.count()

    async def by_turns(_replica: Replica) -> bool:
        """As if the replica were behind each other time; both servers are asked all the same."""
        await asked_written()
        return next(turns) % 2 == 0

    monkeypatch.setattr(Replica, "_is_fresh", by_turns)
    mirror.since()
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(world.ask("rosa", LABS) for _ in range(60)))
    assert {answer.status_code for answer in answers} == {200}
    read = mirror.since()
    assert min(read.values()) > POOL_SIZE
