"""Where wrapped keys lie: the port, and its SQLite file.

The file holds wrapped keys only; it is worthless without the root key, and lives and is backed up
apart from the event log. A put is durable before it returns. Puts that arrive while a commit is
running share the next one. Several processes may share the file; open it after forking.

Destruction overwrites a wrapped key in place with as many zero bytes. Rows are never deleted and
never change their size, so SQLite moves no row between pages and leaves no copy in a free area;
the write-ahead log is emptied before `destroy` returns. What the file system or a disk keeps of
overwritten blocks is beyond this module.
"""

import asyncio
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal, ParamSpec, Protocol, TypeVar

from adapters.keys.files import publish
from adapters.keys.refused import (
    KeyDestroyed,
    KeyDestructionIncomplete,
    KeyMissing,
    KeyStoreUnavailable,
)

Kind = Literal["tenant", "compartment", "item"]
P = ParamSpec("P")
T = TypeVar("T")

BATCH_ROWS: Final = 1_000
"""Rows in one commit at most, which bounds how long a put waits behind others."""
BUSY_MILLISECONDS: Final = 10_000
"""How long to wait for another process's transaction."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One wrapped key. `epoch` is the version of a tenant key and 0 for an item."""

    id: str
    tenant: str
    kind: Kind
    owner: str
    key_class: str
    epoch: int
    parent: str | None
    wrapped: bytes
    commitment: bytes
    destroyed: bool = False
    """Its wrapped bytes are overwritten with zeros; the commitment stays."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The order to destroy a key and all below it, with the erasure event that demands it."""

    key_id: str
    tenant: str
    event_id: str
    position: int


class KeyStore(Protocol):
    """The port. Every method raises KeyStoreUnavailable when the store cannot answer."""

    async def put(self, record: KeyRecord) -> KeyRecord:
        """Keep the record durably and return what is kept.

        Of two compartment (or tenant) keys for one place and epoch the first is kept, and both
        callers get it. Raises KeyDestroyed when the parent is destroyed.
        """
        ...

    async def epochs(self, tenant: str, kind: Kind, owner: str, key_class: str) -> tuple[str, ...]:
        """Ids of the keys of one place, oldest epoch first, destroyed ones included."""
        ...

    async def load(self, tenant: str, key_ids: Collection[str]) -> dict[str, KeyRecord]:
        """The records of the tenant with these ids, and of all keys above them, by id."""
        ...

    async def destroy(self, tombstone: Tombstone) -> frozenset[str]:
        """Destroy a key and all below it, durably; the ids concerned. Idempotent.

        Raises KeyMissing, and KeyDestructionIncomplete when it has to be repeated.
        """
        ...

    async def close(self) -> None:
        """Finish what was put and let go of the store."""
        ...


_SCHEMA: Final = """
CREATE TABLE key (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    owner TEXT NOT NULL,
    class TEXT NOT NULL,
    epoch INT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('tenant', 'compartment', 'item')),
    parent TEXT,
    wrapped BLOB NOT NULL,
    commitment BLOB NOT NULL,
    created_at INT NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INT))
);
CREATE UNIQUE INDEX key_tenant_version
    ON key (tenant, epoch) WHERE kind = 'tenant';
CREATE UNIQUE INDEX key_compartment_epoch
    ON key (tenant, owner, class, epoch) WHERE kind = 'compartment';
CREATE INDEX key_parent ON key (parent);
CREATE TABLE destroyed (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    event_id TEXT NOT NULL,
    position INT NOT NULL,
    destroyed_at INT NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INT)),
    signature BLOB
);
"""

_INSERT: Final = """
INSERT INTO key (id, tenant, kind, owner, class, epoch, parent, wrapped, commitment)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_EPOCHS: Final = {
    "tenant": """
        SELECT id FROM key WHERE kind = 'tenant' AND tenant = ?1 AND owner = ?2 AND class = ?3
        ORDER BY epoch""",
    "compartment": """
        SELECT id FROM key WHERE kind = 'compartment' AND tenant = ?1 AND owner = ?2 AND class = ?3
        ORDER BY epoch""",
}

_LOAD: Final = """
WITH RECURSIVE chain (id) AS (
    SELECT value FROM json_each(?2)
    UNION
    SELECT key.parent FROM chain JOIN key USING (id) WHERE key.parent IS NOT NULL
)
SELECT key.id, key.tenant, kind, owner, class, epoch, parent, wrapped, commitment,
    destroyed.id IS NOT NULL
FROM chain JOIN key USING (id) LEFT JOIN destroyed USING (id)
WHERE key.tenant = ?1
"""

_BELOW: Final = """
WITH RECURSIVE below (id) AS (
    SELECT id FROM key WHERE tenant = ?1 AND id = ?2
    UNION
    SELECT key.id FROM below JOIN key ON key.parent = below.id
)
SELECT id FROM below
"""


class SqliteKeyStore:
    """A KeyStore in one SQLite file of mode 0600, worked by one thread of its own."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; its folder is created with mode 0700 when absent."""
        self.commits = 0
        """Transactions of puts so far."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="key-store")
        self._connection = self._thread.submit(_connect, path).result()
        self._waiting: list[tuple[KeyRecord, asyncio.Future[KeyRecord]]] = []
        self._flusher: asyncio.Task[None] | None = None

    async def put(self, record: KeyRecord) -> KeyRecord:
        """Keep the record durably and return what is kept. See KeyStore."""
        kept: asyncio.Future[KeyRecord] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, kept))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="key-store-flush")
        return await kept

    async def epochs(self, tenant: str, kind: Kind, owner: str, key_class: str) -> tuple[str, ...]:
        """Ids of the keys of one place, oldest epoch first. See KeyStore."""
        return await self._run(self._read_epochs, tenant, kind, owner, key_class)

    async def load(self, tenant: str, key_ids: Collection[str]) -> dict[str, KeyRecord]:
        """The records with these ids and of all keys above them. See KeyStore."""
        return await self._run(self._read, tenant, tuple(key_ids))

    async def destroy(self, tombstone: Tombstone) -> frozenset[str]:
        """Destroy a key and all below it. See KeyStore."""
        return await self._run(self._overwrite, tombstone)

    async def close(self) -> None:
        """Finish what was put and close the file."""
        if self._flusher is not None:
            await self._flusher
        await self._run(self._connection.close)
        self._thread.shutdown(wait=False)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:BATCH_ROWS]
                del self._waiting[:BATCH_ROWS]
                await self._settle(batch)
        finally:
            self._flusher = None

    async def _settle(self, batch: list[tuple[KeyRecord, asyncio.Future[KeyRecord]]]) -> None:
        try:
            outcomes = await self._run(self._commit, [record for record, _ in batch])
        except Exception as error:
            for _, kept in batch:
                if not kept.done():
                    kept.set_exception(_unavailable(error))
            return
        for (_, kept), outcome in zip(batch, outcomes, strict=True):
            if kept.done():
                continue
            if isinstance(outcome, KeyDestroyed):
                kept.set_exception(outcome)
            else:
                kept.set_result(outcome)

    async def _run(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, partial(work, *args, **named))
        except sqlite3.Error as error:
            raise _unavailable(error) from error

    # From here on in the store's own thread.

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _commit(self, records: list[KeyRecord]) -> list[KeyRecord | KeyDestroyed]:
        with self._transaction():
            parents = {record.parent for record in records if record.parent is not None}
            destroyed = {parent for parent in parents if self._is_destroyed(parent)}
            outcomes = [
                KeyDestroyed(record.parent)
                if record.parent is not None and record.parent in destroyed
                else self._insert(record)
                for record in records
            ]
        self.commits += 1
        return outcomes

    def _is_destroyed(self, key_id: str) -> bool:
        found = self._connection.execute("SELECT 1 FROM destroyed WHERE id = ?", (key_id,))
        return found.fetchone() is not None

    def _insert(self, record: KeyRecord) -> KeyRecord:
        row = astuple(record)[:-1]
        if record.kind == "item":
            self._connection.execute(_INSERT, row)
            return record
        if self._connection.execute(_INSERT + "ON CONFLICT DO NOTHING", row).rowcount:
            return record
        place = (record.tenant, record.kind, record.owner, record.key_class)
        epochs = self._read(record.tenant, self._read_epochs(*place))
        return next(
            kept
            for kept in epochs.values()
            if kept.kind == record.kind and kept.epoch == record.epoch
        )

    def _read_epochs(self, tenant: str, kind: Kind, owner: str, key_class: str) -> tuple[str, ...]:
        found = self._connection.execute(_EPOCHS[kind], (tenant, owner, key_class))
        return tuple(key_id for (key_id,) in found)

    def _read(self, tenant: str, key_ids: tuple[str, ...]) -> dict[str, KeyRecord]:
        found = self._connection.execute(_LOAD, (tenant, json.dumps(key_ids)))
        return {row[0]: KeyRecord(*row) for row in found}

    def _overwrite(self, tombstone: Tombstone) -> frozenset[str]:
        with self._transaction():
            found = self._connection.execute(_BELOW, (tombstone.tenant, tombstone.key_id))
            below = tuple(key_id for (key_id,) in found)
            if not below:
                raise KeyMissing(tombstone.key_id)
            self._connection.executemany(
                "INSERT OR IGNORE INTO destroyed (id, tenant, event_id, position)"
                " VALUES (?, ?, ?, ?)",
                [
                    (key_id, tombstone.tenant, tombstone.event_id, tombstone.position)
                    for key_id in below
                ],
            )
            self._connection.executemany(
                "UPDATE key SET wrapped = zeroblob(length(wrapped)) WHERE id = ?",
                [(key_id,) for key_id in below],
            )
        busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise KeyDestructionIncomplete(tombstone.key_id)
        return frozenset(below)


def _unavailable(error: Exception) -> KeyStoreUnavailable:
    if isinstance(error, KeyStoreUnavailable):
        return KeyStoreUnavailable(error.subject)
    return KeyStoreUnavailable(type(error).__name__)


def _connect(path: Path) -> sqlite3.Connection:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _create(path: Path) -> None:
    # Switching to WAL is not safe against a second process that does the same, so the file gets
    # its name when it is ready. Its journal files take over its mode.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    connection = sqlite3.connect(draft, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(_SCHEMA)
    connection.close()
    publish(Path(draft), path)
