"""The key store in one SQLite file.

The file holds wrapped keys only; it is worthless without the root key, and lives and is backed up
apart from the event log. A put is durable before it returns. Puts that arrive while a commit is
running share the next one. Several processes may share the file; open it after forking.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from adapters.keys.port import KeyRecord, Kind, Tombstone
from adapters.keys.putting import Putting, unavailable
from adapters.keys.refused import KeyDestroyed
from adapters.keys.table import KeyTable, connect

P = ParamSpec("P")
T = TypeVar("T")


class SqliteKeyStore:
    """A KeyStore in one SQLite file of mode 0600, worked by one thread of its own."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; its folder is created with mode 0700 when absent."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="key-store")
        try:
            self._connection = self._thread.submit(connect, path).result()
        except BaseException:
            self._thread.shutdown()
            raise
        self._table = KeyTable(self._connection)
        self._putting = Putting(self._commit)

    @property
    def commits(self) -> int:
        """Transactions of puts so far."""
        return self._putting.commits

    async def put(self, record: KeyRecord) -> KeyRecord:
        """Keep the record durably and return what is kept. See KeyStore."""
        return await self._putting.put(record)

    async def epochs(self, tenant: str, kind: Kind, owner: str, key_class: str) -> tuple[str, ...]:
        """Ids of the keys of one place, oldest epoch first. See KeyStore."""
        return await self._run(self._table.epochs, tenant, kind, owner, key_class)

    async def load(self, tenant: str, key_ids: Collection[str]) -> dict[str, KeyRecord]:
        """The records with these ids and of all keys above them. See KeyStore."""
        return await self._run(self._table.load, tenant, tuple(key_ids))

    async def page(self, tenant: str, kind: Kind, after: str, most: int) -> tuple[KeyRecord, ...]:
        """Keys of a kind by id. See KeyStore."""
        return await self._run(self._table.page, tenant, kind, after, most)

    async def rewrap(self, records: Sequence[KeyRecord]) -> int:
        """Keep these keys under another parent or root. See KeyStore."""
        return await self._run(self._table.rewrap, tuple(records))

    async def places(self, tenant: str, owner: str) -> tuple[KeyRecord, ...]:
        """The compartments of an owner, of every class and epoch. See KeyStore."""
        return await self._run(self._table.places, tenant, owner)

    async def tombstones(self, tenant: str, key_ids: Collection[str]) -> dict[str, Tombstone]:
        """The order that destroyed each of these keys. See KeyStore."""
        return await self._run(self._table.tombstones, tenant, tuple(key_ids))

    async def below(self, tenant: str, key_id: str) -> frozenset[str]:
        """A key and all below it. See KeyStore."""
        return await self._run(self._table.below, tenant, key_id)

    async def destroy(
        self, tombstone: Tombstone, signatures: Mapping[str, bytes]
    ) -> frozenset[str]:
        """Destroy a key and all below it. See KeyStore."""
        return await self._run(self._table.destroy, tombstone, signatures)

    async def close(self) -> None:
        """Finish what was put and close the file."""
        await self._putting.finish()
        await self._run(self._connection.close)
        self._thread.shutdown(wait=False)

    async def _commit(self, records: Sequence[KeyRecord]) -> Sequence[KeyRecord | KeyDestroyed]:
        return await self._run(self._table.commit, records)

    async def _run(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, partial(work, *args, **named))
        except sqlite3.Error as error:
            raise unavailable(error) from error
