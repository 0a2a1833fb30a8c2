"""Rotation: keys wrapped anew while others go on; what was sealed opens, by the new keys alone."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.keys import (
    KeyTree,
    RootFiles,
    RootKey,
    Rotation,
    SqliteKeyStore,
    WrappedKeyTampered,
    cache,
    compartments,
)
from adapters.keys import tenants as tenant_keys

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
async def rooted(tmp_path: Path) -> RootFiles:
    RootKey.load_or_create(tmp_path / "root.key")
    return RootFiles(tmp_path / "root.key")


@pytest.fixture
async def again(tmp_path: Path) -> AsyncIterator[SqliteKeyStore]:
    """Another process' store on the same file."""
    opened = SqliteKeyStore(tmp_path / "keys" / "keys.db")
    yield opened
    await opened.close()


def rows(tmp_path: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(tmp_path / "keys" / "keys.db")) as connection:
        return connection.execute(sql).fetchall()


async def test_a_new_root_opens_everything_and_the_old_one_nothing(
    rooted: RootFiles, store: SqliteKeyStore, again: SqliteKeyStore, tmp_path: Path
) -> None:
    running = KeyTree(rooted, store)
    sealed = (await running.compartment("a", "chart", "clinical")).seal(b"x", b"")
    old = RootKey.load(tmp_path / "root.key")

    changing = RootFiles(tmp_path / "root.key")
    changing.begin()
    changing.begin()
    for tenant in ("a", "b"):
        await Rotation(changing, again).root(tenant, lambda _count: None)
    # A tenant that a running process opens now is wrapped by the new root already.
    await running.compartment("late", "chart", "clinical")
    retired = changing.conclude(NOW)
    assert retired is not None
    assert retired.name == "root.key.retired-2026-11-28T12-00-00Z"
    assert changing.conclude(NOW) is None
    retired.rename(tmp_path / "elsewhere.key")

    for tree in (running, KeyTree(RootFiles(tmp_path / "root.key"), again)):
        key = await tree.compartment("a", "chart", "clinical")
        assert key.open(sealed, b"") == b"x"
        await tree.compartment("late", "chart", "clinical")
    with pytest.raises(WrappedKeyTampered):
        await KeyTree(old, again).compartment("a", "chart", "clinical")


async def test_a_process_that_began_before_finds_the_new_root_by_itself(
    rooted: RootFiles, store: SqliteKeyStore, again: SqliteKeyStore, tmp_path: Path
) -> None:
    other = KeyTree(RootFiles(tmp_path / "root.key"), again)
    await KeyTree(rooted, store).compartment("a", "chart", "clinical")
    rooted.begin()
    await Rotation(rooted, store).root("a", lambda _count: None)
    rooted.conclude(NOW)
    assert await other.compartment("a", "chart", "clinical")


async def test_a_new_version_wraps_all_compartments_and_derives_what_it_did(
    rooted: RootFiles, store: SqliteKeyStore, again: SqliteKeyStore, tmp_path: Path
) -> None:
    running = KeyTree(rooted, store)
    secret = await running.tenant_secret("a", "reservation")
    keys = [await running.compartment("a", f"chart-{n}", "clinical") for n in range(2_500)]
    item = await running.item("a", "chart-7", "clinical")
    gone = keys[3]
    await running.destroy("a", gone.id, "event", 1)
    told: list[int] = []
    assert await Rotation(rooted, again).tenant("a", told.append) == 2_499
    assert len(told) > 1
    assert told == sorted(told)
    assert told[-1] == 2_499
    newest = "SELECT id FROM key WHERE kind = 'tenant' ORDER BY epoch DESC LIMIT 1"
    below = f"SELECT count(*) FROM key WHERE kind = 'compartment' AND parent = ({newest})"
    assert rows(tmp_path, below) == [(2_499,)]
    assert rows(tmp_path, "SELECT count(*) FROM key WHERE kind = 'tenant'") == [(2,)]

    fresh = KeyTree(rooted, again)
    assert await fresh.tenant_secret("a", "reservation") == secret
    found = await fresh.by_ids("a", [item.id, *(key.id for key in keys if key is not gone)])
    commitments = {key.id: key.commitment for key in (*keys, item)}
    assert all(found[ident].commitment == commitments[ident] for ident in found)
    erased = rows(tmp_path, f"SELECT wrapped FROM key WHERE id = '{gone.id}'")[0][0]
    assert set(erased) == {0}


async def test_what_an_interrupted_rotation_left_is_wrapped_by_the_next_run(
    rooted: RootFiles, store: SqliteKeyStore, again: SqliteKeyStore, tmp_path: Path
) -> None:
    running = KeyTree(rooted, store)
    for number in range(1_500):
        await running.compartment("a", f"chart-{number}", "clinical")

    def interrupted(_count: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        await Rotation(rooted, again).tenant("a", interrupted)
    assert await Rotation(rooted, again).tenant("a", lambda _count: None, new=False) == 500
    assert rows(tmp_path, "SELECT count(*) FROM key WHERE kind = 'tenant'") == [(2,)]


async def test_keys_are_made_and_opened_while_they_are_wrapped_anew(
    rooted: RootFiles, store: SqliteKeyStore, again: SqliteKeyStore, monkeypatch
) -> None:
    monkeypatch.setattr(tenant_keys, "LOOK_SECONDS", 0.0)
    running = KeyTree(rooted, store, capacity=10)
    made = [(await running.compartment("a", f"c{n}", "clinical")).id for n in range(200)]
    stop = asyncio.Event()

    async def go_on() -> int:
        count = 0
        while not stop.is_set():
            count += 1
            made.append((await running.compartment("a", f"new{count}", "clinical")).id)
            await running.by_id("a", made[count % 200])
        return count

    going = asyncio.create_task(go_on())
    for _ in range(3):
        await Rotation(rooted, again).tenant("a", lambda _count: None)
    stop.set()
    assert await going > 0
    found = await KeyTree(rooted, again).by_ids("a", made)
    assert all(hasattr(found[ident], "commitment") for ident in made)


async def test_a_damaged_key_stops_the_rotation_and_nothing_of_its_portion_is_changed(
    rooted: RootFiles, store: SqliteKeyStore, again: SqliteKeyStore, tmp_path: Path
) -> None:
    running = KeyTree(rooted, store)
    key = await running.compartment("a", "chart", "clinical")
    await running.compartment("a", "other", "clinical")
    with closing(sqlite3.connect(tmp_path / "keys" / "keys.db")) as connection, connection:
        connection.execute("UPDATE key SET owner = 'somebody' WHERE id = ?", (key.id,))
    before = rows(tmp_path, "SELECT id, wrapped FROM key WHERE kind = 'compartment' ORDER BY id")
    with pytest.raises(WrappedKeyTampered):
        await Rotation(rooted, again).tenant("a", lambda _count: None)
    after = rows(tmp_path, "SELECT id, wrapped FROM key WHERE kind = 'compartment' ORDER BY id")
    assert before == after


async def test_a_compartment_gets_a_new_epoch_after_a_year_and_after_much_use(
    rooted: RootFiles, store: SqliteKeyStore, again: SqliteKeyStore, monkeypatch
) -> None:
    first = await KeyTree(rooted, store).compartment("a", "chart", "clinical")
    year = 366 * 86_400
    soon = KeyTree(rooted, again, now=lambda: time.time() + year - 60)
    assert (await soon.compartment("a", "chart", "clinical")).id == first.id
    later = KeyTree(rooted, again, now=lambda: time.time() + year + 60)
    second = await later.compartment("a", "chart", "clinical")
    assert second.id != first.id
    assert (await KeyTree(rooted, store).compartment("a", "chart", "clinical")).id == second.id
    assert await KeyTree(rooted, store).by_id("a", first.id)

    monkeypatch.setattr(cache, "MOST_SEALED", 3)
    monkeypatch.setattr(compartments, "MOST_SEALED", 3)
    tree = KeyTree(rooted, store)
    for _ in range(3):
        key = await tree.compartment("a", "chart", "clinical")
        assert key.id == second.id
        key.seal(b"x", b"")
    assert tree.cached_compartment("a", "chart", "clinical") is None
    third = await tree.compartment("a", "chart", "clinical")
    assert third.id not in (first.id, second.id)
