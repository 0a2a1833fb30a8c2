"""The SQLite file of the key store: its schema, and every statement that reads or changes it.

Destruction overwrites a wrapped key in place with as many zero bytes. Rows are never deleted and
never change their size, so SQLite moves no row between pages and leaves no copy in a free area;
the write-ahead log is emptied before `destroy` returns. What the file system or a disk keeps of
overwritten blocks is beyond this module.
"""

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Final

from adapters.keys.files import publish
from adapters.keys.port import KeyRecord, Kind, Tombstone
from adapters.keys.refused import KeyDestroyed, KeyDestructionIncomplete, KeyMissing, KeyUnsigned

BUSY_MILLISECONDS: Final = 10_000
"""How long to wait for another process's transaction."""

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
    ordered TEXT NOT NULL,
    event_id TEXT NOT NULL,
    position INT NOT NULL,
    destroyed_at INT NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INT)),
    signature BLOB NOT NULL
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
    destroyed.id IS NOT NULL, created_at
FROM chain JOIN key USING (id) LEFT JOIN destroyed USING (id)
WHERE key.tenant = ?1
"""

_PLACES: Final = """
SELECT key.id, key.tenant, kind, owner, class, epoch, parent, wrapped, commitment,
    destroyed.id IS NOT NULL, created_at
FROM key LEFT JOIN destroyed USING (id)
WHERE key.tenant = ?1 AND owner = ?2 AND kind = 'compartment' ORDER BY class, epoch
"""

_PAGE: Final = """
SELECT id, tenant, kind, owner, class, epoch, parent, wrapped, commitment FROM key
WHERE tenant = ?1 AND kind = ?2 AND id > ?3 AND id NOT IN (SELECT id FROM destroyed)
ORDER BY id LIMIT ?4
"""

_REWRAP: Final = """
UPDATE key SET wrapped = ?2, parent = ?3
WHERE id = ?1 AND id NOT IN (SELECT id FROM destroyed)
"""

_TOMBSTONES: Final = """
SELECT id, ordered, tenant, event_id, position, signature FROM destroyed
WHERE tenant = ?1 AND id IN (SELECT value FROM json_each(?2))
"""

_ORDERED: Final = """
INSERT INTO destroyed (id, ordered, tenant, event_id, position, signature)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    ordered = excluded.ordered, event_id = excluded.event_id, position = excluded.position,
    signature = excluded.signature
"""

_BELOW: Final = """
WITH RECURSIVE below (id) AS (
    SELECT id FROM key WHERE tenant = ?1 AND id = ?2
    UNION
    SELECT key.id FROM below JOIN key ON key.parent = below.id
)
SELECT id FROM below
"""


class KeyTable:
    """The rows behind one connection. Blocks, and belongs to the thread of that connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """`connection` is one that `connect` opened."""
        self._connection = connection

    def commit(self, records: Sequence[KeyRecord]) -> list[KeyRecord | KeyDestroyed]:
        """What is kept of each record, or why nothing is, after one durable transaction."""
        with self._transaction():
            parents = {record.parent for record in records if record.parent is not None}
            destroyed = {parent for parent in parents if self._is_destroyed(parent)}
            return [
                KeyDestroyed(record.parent)
                if record.parent is not None and record.parent in destroyed
                else self._insert(record)
                for record in records
            ]

    def epochs(self, tenant: str, kind: Kind, owner: str, key_class: str) -> tuple[str, ...]:
        """Ids of the keys of one place, oldest epoch first. See KeyStore."""
        found = self._connection.execute(_EPOCHS[kind], (tenant, owner, key_class))
        return tuple(key_id for (key_id,) in found)

    def load(self, tenant: str, key_ids: tuple[str, ...]) -> dict[str, KeyRecord]:
        """The records with these ids and of all keys above them. See KeyStore."""
        found = self._connection.execute(_LOAD, (tenant, json.dumps(key_ids)))
        return {row[0]: KeyRecord(*row) for row in found}

    def places(self, tenant: str, owner: str) -> tuple[KeyRecord, ...]:
        """The compartments of an owner, of every class and epoch. See KeyStore."""
        found = self._connection.execute(_PLACES, (tenant, owner))
        return tuple(KeyRecord(*row) for row in found)

    def page(self, tenant: str, kind: Kind, after: str, most: int) -> tuple[KeyRecord, ...]:
        """Keys of a kind by id. See KeyStore."""
        found = self._connection.execute(_PAGE, (tenant, kind, after, most))
        return tuple(KeyRecord(*row) for row in found)

    def rewrap(self, records: tuple[KeyRecord, ...]) -> int:
        """Keep these keys under another parent or root. See KeyStore."""
        with self._transaction():
            return sum(
                self._connection.execute(_REWRAP, (one.id, one.wrapped, one.parent)).rowcount
                for one in records
            )

    def tombstones(self, tenant: str, key_ids: tuple[str, ...]) -> dict[str, Tombstone]:
        """The order that destroyed each of these keys. See KeyStore."""
        found = self._connection.execute(_TOMBSTONES, (tenant, json.dumps(key_ids)))
        return {row[0]: Tombstone(*row[1:]) for row in found}

    def below(self, tenant: str, key_id: str) -> frozenset[str]:
        """A key and all below it. See KeyStore."""
        found = self._connection.execute(_BELOW, (tenant, key_id))
        return frozenset(key_id for (key_id,) in found)

    def destroy(self, tombstone: Tombstone, signatures: Mapping[str, bytes]) -> frozenset[str]:
        """Destroy a key and all below it. See KeyStore."""
        with self._transaction():
            below = self.below(tombstone.tenant, tombstone.key_id)
            if not below:
                raise KeyMissing(tombstone.key_id)
            if unsigned := below - signatures.keys():
                raise KeyUnsigned(min(unsigned))
            self._connection.executemany(
                _ORDERED,
                [(key_id, *astuple(tombstone)[:-1], signatures[key_id]) for key_id in below],
            )
            self._connection.executemany(
                "UPDATE key SET wrapped = zeroblob(length(wrapped)) WHERE id = ?",
                [(key_id,) for key_id in below],
            )
        busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise KeyDestructionIncomplete(tombstone.key_id)
        return below

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

    def _is_destroyed(self, key_id: str) -> bool:
        found = self._connection.execute("SELECT 1 FROM destroyed WHERE id = ?", (key_id,))
        return found.fetchone() is not None

    def _insert(self, record: KeyRecord) -> KeyRecord:
        row = astuple(record)[:-2]
        if record.kind == "item":
            self._connection.execute(_INSERT, row)
            return record
        if self._connection.execute(_INSERT + "ON CONFLICT DO NOTHING", row).rowcount:
            return record
        place = (record.tenant, record.kind, record.owner, record.key_class)
        epochs = self.load(record.tenant, self.epochs(*place))
        return next(
            kept
            for kept in epochs.values()
            if kept.kind == record.kind and kept.epoch == record.epoch
        )


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, or create it with mode 0600 in a folder of mode 0700."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    # Switching to WAL is not safe against a second process that does the same, so the file gets
    # its name when it is ready. Its journal files take over its mode.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_SCHEMA)
    publish(Path(draft), path)
