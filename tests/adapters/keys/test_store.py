"""The key store's file: durable before it answers, shared by processes, bare of what was destroyed.

The event loop is asyncio's; rows are read through connections of the tests' own.
"""

import asyncio
import multiprocessing
import os
import sqlite3
import stat
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.keys import (
    KeyDestructionIncomplete,
    KeyTree,
    RootKey,
    SqliteKeyStore,
    Tombstone,
)
from tests.adapters.keys.records import COMPARTMENT, SIGNATURES

pytestmark = pytest.mark.anyio


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keys.db"


def bytes_on_disk(tmp_path: Path) -> bytes:
    return b"".join(path.read_bytes() for path in file_of(tmp_path).parent.iterdir())


async def test_the_files_are_private(store: SqliteKeyStore, tmp_path: Path) -> None:
    await store.put(COMPARTMENT)
    files = list(file_of(tmp_path).parent.iterdir())
    assert {path.name for path in files} == {"keys.db", "keys.db-wal", "keys.db-shm"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(file_of(tmp_path).parent.stat().st_mode) == 0o700


async def test_a_put_is_committed_before_it_returns(store: SqliteKeyStore, tmp_path: Path) -> None:
    await store.put(COMPARTMENT)
    second = sqlite3.connect(file_of(tmp_path))
    assert second.execute("SELECT id, wrapped FROM key").fetchall() == [("compartment", b"w" * 93)]
    second.close()


async def test_commits_wait_for_the_disk(store: SqliteKeyStore) -> None:
    def settings() -> tuple[str, int, int]:
        ask = store._connection.execute
        return (
            ask("PRAGMA journal_mode").fetchone()[0],
            ask("PRAGMA synchronous").fetchone()[0],
            ask("PRAGMA secure_delete").fetchone()[0],
        )

    assert await store._run(settings) == ("wal", 2, 1)


async def test_closing_finishes_what_was_put(tmp_path: Path) -> None:
    store = SqliteKeyStore(file_of(tmp_path))
    putting = asyncio.create_task(store.put(COMPARTMENT))
    await asyncio.sleep(0)
    await store.close()
    assert await putting == COMPARTMENT


def test_a_file_that_is_no_key_store_is_let_go(tmp_path: Path) -> None:
    file = tmp_path / "keys.db"
    file.write_bytes(b"no database at all" * 100)
    threads = set(threading.enumerate())
    with pytest.raises(sqlite3.DatabaseError) as refused:
        SqliteKeyStore(file)
    assert refused.traceback  # which keeps every frame of the opening alive
    assert str(file) not in map(os.path.realpath, Path("/proc/self/fd").iterdir())
    assert set(threading.enumerate()) <= threads


async def test_destroying_takes_all_below_and_leaves_a_tombstone(
    store: SqliteKeyStore, tmp_path: Path
) -> None:
    item = replace(COMPARTMENT, id="item", kind="item", epoch=0, parent="compartment")
    await store.put(COMPARTMENT)
    await store.put(item)
    order = Tombstone("compartment", "clinic", "event", 7)
    assert await store.destroy(order, SIGNATURES) == {"compartment", "item"}
    assert await store.destroy(replace(order, position=8), SIGNATURES) == {"compartment", "item"}
    second = sqlite3.connect(file_of(tmp_path))
    tombstones = second.execute("SELECT id, tenant, event_id, position FROM destroyed ORDER BY id")
    assert tombstones.fetchall() == [
        ("compartment", "clinic", "event", 8),
        ("item", "clinic", "event", 8),
    ]
    second.close()


async def test_no_byte_of_a_destroyed_key_stays_in_any_file(
    tree: KeyTree, store: SqliteKeyStore, tmp_path: Path
) -> None:
    charts = [f"chart {n}" for n in range(60)]
    keys = await asyncio.gather(
        *(tree.item("clinic", chart, "clinical") for chart in charts for _ in range(10))
    )
    rows = await store.load("clinic", [key.id for key in keys])
    gone = [row for row in rows.values() if row.owner in charts[::3]]
    assert len(gone) == 20 * 11
    assert all(row.wrapped[-28:] in bytes_on_disk(tmp_path) for row in gone)
    for row in gone:
        if row.kind == "compartment":
            await tree.destroy("clinic", row.id, "event", 1)
    disk = bytes_on_disk(tmp_path)
    assert [row.id for row in gone if row.wrapped[-28:] in disk or row.wrapped[33:61] in disk] == []
    kept = [row for row in rows.values() if row not in gone]
    assert all(row.wrapped in disk for row in kept)


async def test_an_open_reader_makes_destruction_incomplete_until_repeated(
    store: SqliteKeyStore, tmp_path: Path
) -> None:
    await store.put(COMPARTMENT)
    await store._run(store._connection.execute, "PRAGMA busy_timeout = 20")
    reader = sqlite3.connect(file_of(tmp_path), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM key").fetchone()
    order = Tombstone("compartment", "clinic", "event", 7)
    with pytest.raises(KeyDestructionIncomplete):
        await store.destroy(order, SIGNATURES)
    assert (await store.load("clinic", ["compartment"]))["compartment"].destroyed
    reader.close()
    assert await store.destroy(order, SIGNATURES) == {"compartment"}
    assert COMPARTMENT.wrapped not in bytes_on_disk(tmp_path)


def create_in_a_process(folder: str) -> list[str]:
    async def create() -> list[str]:
        store = SqliteKeyStore(Path(folder) / "keys" / "keys.db")
        tree = KeyTree(RootKey.load_or_create(Path(folder) / "root.key"), store)
        owners = [f"chart {n}" for n in range(50)]
        keys = await asyncio.gather(*(tree.compartment("clinic", o, "clinical") for o in owners))
        sealed = [key.seal(b"fact", b"") for key in keys]
        await store.close()
        return [f"{key.id} {body[1:33].hex()}" for key, body in zip(keys, sealed, strict=True)]

    return asyncio.run(create())


def test_processes_that_race_for_one_compartment_get_one_key(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=spawn) as processes:
        answers = list(processes.map(create_in_a_process, [str(tmp_path)] * 3))
    assert answers[0] == answers[1] == answers[2]
    assert len(set(answers[0])) == 50
