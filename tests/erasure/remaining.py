"""Somebody with every remaining secret: what they can open of a database and of received files.

Keys are found by their commitment in the sealed bytes, whatever the rows beside them say.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg

from adapters.keys import DataKey, KeyTree, RootFiles, SqliteKeyStore
from adapters.keys.seal import bound
from adapters.postgres.rows import row_binding
from api.settings import Settings
from projections.catalogue import PROJECTIONS
from tests.conftest import TENANTS

TABLES = [table for one in PROJECTIONS for table in one.tables if table.body is not None]


async def opened(settings: Settings) -> bytes:
    """Every plaintext that still can be had, one after the other."""
    found = []
    owner = await asyncpg.connect(settings.dsn)
    try:
        for tenant in TENANTS:
            keys = await _keys(settings, tenant)
            async for sealed, binding in _sealed(owner, settings, tenant):
                key = keys.get(sealed[1:33])
                if key is not None:
                    found.append(key.open(sealed, binding))
    finally:
        await owner.close()
    return b"\n".join(found)


async def _keys(settings: Settings, tenant: str) -> dict[bytes, DataKey]:
    """Every key of a tenant that opens, by its commitment."""
    file = settings.keys / "keys.sqlite3"
    with closing(sqlite3.connect(file)) as rows:
        idents = [row[0] for row in rows.execute("SELECT id FROM key WHERE tenant = ?", [tenant])]
    store = SqliteKeyStore(file)
    try:
        tree = KeyTree(RootFiles(settings.keys / "root.key"), store)
        found = await tree.by_ids(tenant, idents)
        return {key.commitment: key for key in found.values() if isinstance(key, DataKey)}
    finally:
        await store.close()


async def _sealed(
    owner: asyncpg.Connection, settings: Settings, tenant: str
) -> AsyncIterator[tuple[bytes, bytes]]:
    """Sealed bytes with what they are bound to."""
    for row in await owner.fetch("SELECT header, body FROM event WHERE tenant = $1", tenant):
        yield row["body"], row["header"]
    commands = "SELECT id, outcome FROM command WHERE tenant = $1 AND outcome IS NOT NULL"
    for row in await owner.fetch(commands, tenant):
        yield row["outcome"][36:], bound("outcome", tenant, row["id"].hex())
    for table in TABLES:
        for row in await owner.fetch(f"SELECT * FROM model.{table.name} WHERE tenant = $1", tenant):
            values: dict[str, Any] = {c.name: str(row[c.name]) for c in table.key}
            yield row["body"], row_binding(table, tenant, values)
    for file in sorted((settings.objects / tenant).rglob("*")):
        if file.is_file():
            yield file.read_bytes()[36:], bound("object", tenant, file.name)


def bytes_below(*folders: Path) -> bytes:
    """All bytes of all files, as they lie on the disk."""
    files = (file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file())
    return b"\n".join(file.read_bytes() for file in files)
