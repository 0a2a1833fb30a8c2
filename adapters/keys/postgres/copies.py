"""A whole key store between a file and PostgreSQL: moving in, backing up, restoring.

The file is that of the key store in SQLite, so that a backup opens with either.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from adapters.keys.postgres import statements as sql
from adapters.keys.postgres.destroying import ordered_elsewhere
from adapters.keys.postgres.store import PostgresKeyStore
from adapters.keys.putting import unavailable
from adapters.keys.refused import KeyStoreOccupied, KeyStoreUnavailable
from adapters.keys.table import connect

PORTION: Final = 5_000
Rows = list[tuple[object, ...]]

COMMITMENT: Final = 7
"""Its place among the columns of a key."""
_FROM_TOP: Final = "CASE kind WHEN 'tenant' THEN 0 WHEN 'compartment' THEN 1 ELSE 2 END"
KEY_COLUMNS: Final = "id, tenant, kind, owner, class, epoch, parent, commitment, created_at"
DESTROYED_COLUMNS: Final = "id, tenant, ordered, event_id, position, destroyed_at, signature"


async def copy_out(store: PostgresKeyStore, path: Path) -> int:
    """Write the whole store into a new file of mode 0600, as it is at one moment; how many keys.

    Raises KeyStoreUnavailable.
    """
    with _file(path) as file:
        # Whoever interrupts this leaves one file with keys in it and not three.
        file.execute("PRAGMA journal_mode = MEMORY")
        count = 0
        file.execute("BEGIN")
        async with store.server.moment() as at:
            async for row in at.cursor(
                f"SELECT {KEY_COLUMNS}, wrapped FROM key JOIN wrapped USING (id)"
            ):
                file.execute(_put("key", f"{KEY_COLUMNS}, wrapped"), tuple(row))
                count += 1
                if not count % PORTION:
                    await asyncio.sleep(0)
            async for row in at.cursor(f"SELECT {DESTROYED_COLUMNS} FROM destroyed"):
                file.execute(_put("destroyed", DESTROYED_COLUMNS), tuple(row))
        file.execute("COMMIT")
        file.execute("PRAGMA journal_mode = WAL")
    return count


async def copy_in(path: Path, store: PostgresKeyStore) -> int:
    """Put what a file has into the store; how many keys it did not have.

    What it has stays as it is, and what it or the file destroyed is destroyed. Interrupted, the
    next run puts the rest. Raises KeyStoreUnavailable, and KeyStoreOccupied where the store has
    other keys in the place of the file's: nothing of that portion is kept.
    """
    count = 0
    with _file(path) as file:
        for rows in _portions(file, f"SELECT {DESTROYED_COLUMNS} FROM destroyed"):
            await ordered_elsewhere(store.server, rows)
        # From the top: a tenant's key that is another one ends this before anything hangs on it.
        for rows in _portions(file, f"SELECT {KEY_COLUMNS}, wrapped FROM key ORDER BY {_FROM_TOP}"):
            count += await _filled(store, rows)
    return count


async def _filled(store: PostgresKeyStore, rows: Rows) -> int:
    columns = [list(column) for column in zip(*rows, strict=True)]
    try:
        async with store.server.transaction() as at:
            count = sql.count(await at.execute(sql.FILL_KEYS, *columns))
            same = await at.fetchval(sql.SAME, columns[0], columns[COMMITMENT])
            if same != len(rows):
                raise KeyStoreOccupied
    except KeyStoreUnavailable as error:
        if error.subject == "UniqueViolationError":
            raise KeyStoreOccupied from error
        raise
    return count


@contextmanager
def _file(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(connect(path)) as file:
            yield file
    except sqlite3.Error as error:
        raise unavailable(error) from error


def _portions(file: sqlite3.Connection, statement: str) -> Iterator[Rows]:
    found = file.execute(statement)
    while rows := found.fetchmany(PORTION):
        yield rows


def _put(table: str, columns: str) -> str:
    holes = ", ".join("?" * (columns.count(",") + 1))
    return f"INSERT INTO {table} ({columns}) VALUES ({holes})"
