"""The key store in PostgreSQL: no byte of what is destroyed, whole copies, one key for racers."""

import asyncio
import multiprocessing
import os
import stat
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from adapters.backup import copied
from adapters.embedded import EmbeddedPostgres, start_postgres
from adapters.keys import (
    KeyDestructionIncomplete,
    KeyStoreInTheLog,
    KeyStoreOccupied,
    KeyStoreUnavailable,
    KeyTree,
    PostgresKeyStore,
    RootKey,
    SqliteKeyStore,
    Tombstone,
)
from adapters.keys.postgres import copy_in, copy_out, destroying
from tests.adapters.keys.records import COMPARTMENT, SIGNATURES

pytestmark = pytest.mark.anyio
SETTINGS = {"wal_recycle": "off", "min_wal_size": "32MB"}
"""As docs/guides/operations.md asks for them."""
ORDER = Tombstone("compartment", "clinic", "event", 7)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server that holds keys and nothing else."""
    with start_postgres(tmp_path_factory.mktemp("keys"), settings=SETTINGS) as started:
        yield started


@pytest.fixture
async def kept(server: EmbeddedPostgres) -> AsyncIterator[PostgresKeyStore]:
    """A store on it."""
    store = PostgresKeyStore(server.create_database("kept"))
    await store.prepare()
    yield store
    await store.close()
    server.drop_database("kept")


def bytes_on_disk(server: EmbeddedPostgres) -> bytes:
    data = server.folder / "data"
    return b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())


async def test_no_byte_of_a_destroyed_key_stays_in_any_file_of_the_server(
    kept: PostgresKeyStore, server: EmbeddedPostgres, tmp_path: Path
) -> None:
    tree = KeyTree(RootKey.load_or_create(tmp_path / "root.key"), kept)
    charts = [f"chart {n}" for n in range(12)]
    keys = await asyncio.gather(
        *(tree.item("clinic", chart, "clinical") for chart in charts for _ in range(10))
    )
    rows = await kept.load("clinic", [key.id for key in keys])
    gone = [row for row in rows.values() if row.owner in charts[::3]]
    assert len(gone) == 4 * 11
    owner = await asyncpg.connect(server.dsn(database="kept"))
    await owner.execute("ANALYZE")
    await owner.execute("CHECKPOINT")
    await owner.close()
    disk = bytes_on_disk(server)
    assert all(row.wrapped in disk for row in gone)
    for row in gone:
        if row.kind == "compartment":
            await tree.destroy("clinic", row.id, "event", 1)
    disk = bytes_on_disk(server)
    assert [row.id for row in gone if row.wrapped[-28:] in disk or row.wrapped[33:61] in disk] == []
    left = await kept.load("clinic", [row.id for row in rows.values() if row not in gone])
    assert {row.id: row.wrapped for row in left.values() if row.kind == "item"} == {
        row.id: row.wrapped for row in rows.values() if row not in gone and row.kind == "item"
    }


async def test_who_still_sees_the_past_makes_a_destruction_incomplete(
    kept: PostgresKeyStore, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(destroying, "UNSEEN_SECONDS", 0.2)
    await kept.put(COMPARTMENT)
    other = await asyncpg.connect(server.dsn(database="kept"))
    reading = other.transaction(isolation="repeatable_read")
    await reading.start()
    await other.fetch("SELECT * FROM wrapped")
    with pytest.raises(KeyDestructionIncomplete):
        await kept.destroy(ORDER, SIGNATURES)
    assert (await kept.load("clinic", ["compartment"]))["compartment"].destroyed
    await reading.rollback()
    # Nor may there be a transaction that sees nothing yet and is older: the server would keep what
    # it might see.
    await other.execute("BEGIN; SELECT pg_current_xact_id()")
    with pytest.raises(KeyDestructionIncomplete):
        await kept.destroy(ORDER, SIGNATURES)
    await other.execute("ROLLBACK")
    await other.close()
    assert await kept.destroy(ORDER, SIGNATURES) == {"compartment"}
    assert COMPARTMENT.wrapped not in bytes_on_disk(server)


async def test_a_copy_is_the_file_of_the_other_kind_and_goes_back(
    kept: PostgresKeyStore, server: EmbeddedPostgres, tmp_path: Path
) -> None:
    root = RootKey.load_or_create(tmp_path / "root.key")
    tree = KeyTree(root, kept)
    keys = [await tree.item("clinic", f"chart {n}", "clinical") for n in range(5)]
    sealed = [key.seal(b"fact", b"") for key in keys]
    (gone,) = await kept.places("clinic", "chart 4")
    await tree.destroy("clinic", gone.id, "event", 1)

    copy = tmp_path / "copy.sqlite3"
    assert await copy_out(kept, copy) == 11  # the tenant's key, five compartments, five items
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    file = SqliteKeyStore(copy)
    ids = [key.id for key in keys]
    assert await file.load("clinic", ids) == await kept.load("clinic", ids)
    opened = KeyTree(root, file)
    key = await opened.by_id("clinic", ids[0])
    assert key.open(sealed[0], b"") == b"fact"
    (also,) = await kept.places("clinic", "chart 3")
    await opened.destroy("clinic", also.id, "event", 2)
    await file.close()

    store = PostgresKeyStore(server.create_database("again"))
    await store.prepare()
    assert await copy_in(copy, store) == 11
    assert await copy_in(copy, store) == 0
    restored = KeyTree(root, store)
    assert (await restored.by_id("clinic", ids[0])).open(sealed[0], b"") == b"fact"
    told = await restored.kept("clinic", [gone.id, also.id])
    assert [one.tombstone and one.tombstone.position for one in told.values() if one] == [1, 2]
    # What the file destroyed meanwhile is destroyed where the rest of it is known already.
    assert await copy_in(copy, kept) == 0
    (later,) = await kept.places("clinic", "chart 3")
    assert (later.destroyed, set(later.wrapped)) == (True, {0})
    await store.close()
    server.drop_database("again")


async def test_a_file_that_lost_what_the_store_destroyed_brings_nothing_back(
    kept: PostgresKeyStore, tmp_path: Path
) -> None:
    old = SqliteKeyStore(tmp_path / "old.sqlite3")
    await old.put(COMPARTMENT)
    await old.close()
    await kept.put(COMPARTMENT)
    await kept.destroy(ORDER, SIGNATURES)
    assert await copy_in(tmp_path / "old.sqlite3", kept) == 0
    assert set((await kept.load("clinic", ["compartment"]))["compartment"].wrapped) == {0}


async def test_a_store_that_has_keys_of_its_own_takes_none_and_the_file_stays_good(
    kept: PostgresKeyStore, tmp_path: Path
) -> None:
    root = RootKey.load_or_create(tmp_path / "root.key")
    file = SqliteKeyStore(tmp_path / "keys.sqlite3")
    sealed = (key := await KeyTree(root, file).item("clinic", "chart", "clinical")).seal(b"x", b"")
    await file.close()
    # A process that ran too early made the tenant's key.
    await KeyTree(root, kept).tenant_secret("clinic", "opaque-id")
    with pytest.raises(KeyStoreOccupied):
        await copy_in(tmp_path / "keys.sqlite3", kept)
    assert await kept.load("clinic", [key.id]) == {}
    again = SqliteKeyStore(tmp_path / "keys.sqlite3")
    assert (await KeyTree(root, again).by_id("clinic", key.id)).open(sealed, b"") == b"x"
    await again.close()


async def test_a_file_that_is_no_key_store_is_said_to_be_none(
    kept: PostgresKeyStore, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"no database at all" * 100)
    with pytest.raises(KeyStoreUnavailable, match="DatabaseError"):
        await copy_in(tmp_path / "file", kept)


async def test_an_interrupted_copy_leaves_no_key_behind(
    kept: PostgresKeyStore, tmp_path: Path
) -> None:
    await kept.put(COMPARTMENT)

    async def interrupted() -> None:
        with copied(tmp_path, "now") as draft:
            await copy_out(kept, draft)
            assert COMPARTMENT.wrapped in draft.read_bytes()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await interrupted()
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_a_store_on_the_logs_own_server_is_refused(
    kept: PostgresKeyStore, server: EmbeddedPostgres, dsn: str
) -> None:
    await kept.apart_from(dsn)
    with pytest.raises(KeyStoreInTheLog):
        await kept.apart_from(server.dsn())


async def test_a_server_that_is_away_is_unavailable(tmp_path: Path) -> None:
    store = PostgresKeyStore(f"postgresql://keys@/keys?host={tmp_path}&port=5432")
    with pytest.raises(KeyStoreUnavailable, match="FileNotFoundError"):
        await store.put(COMPARTMENT)
    with pytest.raises(KeyStoreUnavailable):
        await store.epochs("clinic", "tenant", "", "")


def create_in_a_process(given: tuple[str, str]) -> list[str]:
    async def create() -> list[str]:
        dsn, folder = given
        store = PostgresKeyStore(dsn)
        tree = KeyTree(RootKey.load_or_create(Path(folder) / "root.key"), store)
        owners = [f"chart {n}" for n in range(50)]
        keys = await asyncio.gather(*(tree.compartment("clinic", o, "clinical") for o in owners))
        await store.close()
        return [key.id for key in keys]

    return asyncio.run(create())


def test_processes_that_race_for_one_compartment_get_one_key(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    dsn = server.create_database("raced")
    asyncio.run(_prepared(dsn))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=spawn) as processes:
        answers = list(processes.map(create_in_a_process, [(dsn, str(tmp_path))] * 3))
    server.drop_database("raced")
    assert answers[0] == answers[1] == answers[2]
    assert len(set(answers[0])) == 50


async def _prepared(dsn: str) -> None:
    store = PostgresKeyStore(dsn)
    await store.prepare()
    await store.close()
