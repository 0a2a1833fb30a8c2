"""The key store in a PostgreSQL of its own, for several machines: apart from the event log's.

Destroyed bytes are overwritten with zeros, and the part of the table that held them is written
anew, so that no file of the table has them. The write-ahead log does until a checkpoint lets its
old files go: docs/guides/operations.md has the server's settings, and how long its archive may be
kept.
"""

from collections.abc import Collection, Mapping, Sequence

import asyncpg

from adapters.keys.port import KeyRecord, Kind, Tombstone
from adapters.keys.postgres import statements as sql
from adapters.keys.postgres.committing import committed
from adapters.keys.postgres.destroying import destroyed
from adapters.keys.postgres.server import CONNECT_SECONDS, KeyServer
from adapters.keys.putting import Putting
from adapters.keys.refused import KeyDestroyed, KeyStoreInTheLog


class PostgresKeyStore:
    """A KeyStore in a database; belongs to the event loop that uses it first."""

    def __init__(self, dsn: str) -> None:
        """Nothing is connected yet."""
        self.server = KeyServer(dsn)
        self._putting = Putting(self._commit)

    @property
    def commits(self) -> int:
        """Transactions of puts so far."""
        return self._putting.commits

    async def prepare(self) -> None:
        """Make the tables that are not there. Raises KeyStoreUnavailable."""
        async with self.server.transaction() as at:
            await at.execute(sql.SCHEMA)

    async def apart_from(self, log: str) -> None:
        """Raises KeyStoreInTheLog where the event log of this DSN is on the same server."""
        ((ours,),) = await self.server.fetch(sql.CLUSTER)
        other = await asyncpg.connect(log, timeout=CONNECT_SECONDS)
        try:
            theirs = await other.fetchval(sql.CLUSTER)
        finally:
            await other.close()
        if ours == theirs:
            raise KeyStoreInTheLog

    async def put(self, record: KeyRecord) -> KeyRecord:
        """Keep the record durably and return what is kept. See KeyStore."""
        return await self._putting.put(record)

    async def epochs(self, tenant: str, kind: Kind, owner: str, key_class: str) -> tuple[str, ...]:
        """Ids of the keys of one place, oldest epoch first. See KeyStore."""
        found = await self.server.fetch(sql.EPOCHS, tenant, kind, owner, key_class)
        return tuple(row["id"] for row in found)

    async def load(self, tenant: str, key_ids: Collection[str]) -> dict[str, KeyRecord]:
        """The records with these ids and of all keys above them. See KeyStore."""
        found = await self.server.fetch(sql.LOAD, tenant, list(key_ids))
        return {row["id"]: KeyRecord(*row) for row in found}

    async def page(self, tenant: str, kind: Kind, after: str, most: int) -> tuple[KeyRecord, ...]:
        """Keys of a kind by id. See KeyStore."""
        found = await self.server.fetch(sql.PAGE, tenant, kind, after, most)
        return tuple(KeyRecord(*row) for row in found)

    async def rewrap(self, records: Sequence[KeyRecord]) -> int:
        """Keep these keys under another parent or root. See KeyStore."""
        ids = [one.id for one in records]
        async with self.server.transaction() as at:
            await at.fetch(sql.LOCK, sorted(ids))
            done = await at.execute(
                sql.REWRAP,
                *(ids, [one.wrapped for one in records], [one.parent for one in records]),
            )
        return sql.count(done)

    async def places(self, tenant: str, owner: str) -> tuple[KeyRecord, ...]:
        """The compartments of an owner, of every class and epoch. See KeyStore."""
        return tuple(KeyRecord(*row) for row in await self.server.fetch(sql.PLACES, tenant, owner))

    async def tombstones(self, tenant: str, key_ids: Collection[str]) -> dict[str, Tombstone]:
        """The order that destroyed each of these keys. See KeyStore."""
        found = await self.server.fetch(sql.TOMBSTONES, tenant, list(key_ids))
        return {row["id"]: Tombstone(*row[1:]) for row in found}

    async def below(self, tenant: str, key_id: str) -> frozenset[str]:
        """A key and all below it. See KeyStore."""
        return frozenset(row["id"] for row in await self.server.fetch(sql.BELOW, tenant, key_id))

    async def destroy(
        self, tombstone: Tombstone, signatures: Mapping[str, bytes]
    ) -> frozenset[str]:
        """Destroy a key and all below it. See KeyStore."""
        return await destroyed(self.server, tombstone, signatures)

    async def close(self) -> None:
        """Finish what was put and let go of the server."""
        await self._putting.finish()
        await self.server.close()

    async def _commit(self, records: Sequence[KeyRecord]) -> list[KeyRecord | KeyDestroyed]:
        return await committed(self.server, records)
