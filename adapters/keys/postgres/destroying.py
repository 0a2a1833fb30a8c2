"""Destruction in PostgreSQL: zeros first, then files without what only the past saw.

An UPDATE leaves the old bytes in their page, so the part of the table is written anew, once nobody
can see that past any more. The write-ahead log has the bytes until a checkpoint lets its old files
go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final

import asyncpg

from adapters.keys.port import Tombstone
from adapters.keys.postgres import statements as sql
from adapters.keys.postgres.server import KeyServer
from adapters.keys.refused import (
    KeyDestructionIncomplete,
    KeyMissing,
    KeyStoreUnavailable,
    KeyUnsigned,
)

UNSEEN_SECONDS: Final = 60.0
"""How long a destruction waits for readers of what was there before, a backup among them."""
LONGEST_SECONDS: Final = 3_600.0
"""For writing a part anew. Not None, for which asyncpg takes the pool's own timeout."""
_LOOK_SECONDS: Final = 0.05


async def destroyed(
    server: KeyServer, order: Tombstone, signatures: Mapping[str, bytes]
) -> frozenset[str]:
    """Destroy a key and all below it. Raises as KeyStore.destroy."""
    async with server.transaction() as at:
        below = await _locked_below(at, order)
        if not below:
            raise KeyMissing(order.key_id)
        if unsigned := below - signatures.keys():
            raise KeyUnsigned(min(unsigned))
        ids = sorted(below)
        await at.execute(
            sql.ORDERED,
            *(ids, order.key_id, order.tenant, order.event_id, order.position),
            [signatures[key_id] for key_id in ids],
        )
        parts, change = await _zeroed(at, ids)
    await _purge(server, parts, change, order.key_id)
    return below


async def ordered_elsewhere(server: KeyServer, rows: Sequence[Sequence[object]]) -> None:
    """Keep these orders of another store, and destroy what they name. Raises as `destroyed`."""
    async with server.transaction() as at:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await at.execute(sql.FILL_DESTROYED, *columns)
        parts, change = await _zeroed(at, columns[0])
    if parts:
        await _purge(server, parts, change, str(columns[0][0]))


async def _zeroed(at: asyncpg.Connection, ids: Sequence[object]) -> tuple[set[str], str]:
    """The parts of the table that were changed, and the transaction that did."""
    parts = {row["part"] for row in await at.fetch(sql.ZEROED, ids)}
    return parts, str(await at.fetchval("SELECT pg_current_xact_id()::xid"))


async def _locked_below(at: asyncpg.Connection, order: Tombstone) -> frozenset[str]:
    """A key and all below it, locked: nobody adds to them until the transaction ends."""
    below: frozenset[str] = frozenset()
    while True:
        found = await at.fetch(sql.BELOW, order.tenant, order.key_id)
        now = frozenset(row["id"] for row in found)
        if now == below:
            return below
        await at.fetch(sql.LOCK, sorted(now))
        below = now


async def _purge(server: KeyServer, parts: Collection[str], change: str, key_id: str) -> None:
    """Raises KeyDestructionIncomplete for whatever keeps old bytes from going."""
    try:
        async with server.connection() as at:
            await _until(key_id, lambda: at.fetchval(sql.ALONE))
            try:
                await _until(key_id, lambda: _unseen(at, change))
                for part in sorted(parts):
                    await at.execute(f"VACUUM (FULL) {part}", timeout=LONGEST_SECONDS)
                # Without the rights to these the server's own checkpoints do it, later.
                for statement in ("SELECT pg_switch_wal()", "CHECKPOINT"):
                    with suppress(asyncpg.InsufficientPrivilegeError):
                        await at.execute(statement, timeout=LONGEST_SECONDS)
            finally:
                await at.fetchval(sql.NOT_ALONE)
    except KeyStoreUnavailable as error:
        raise KeyDestructionIncomplete(key_id) from error


async def _unseen(at: asyncpg.Connection, change: str) -> bool:
    return not await at.fetchval(sql.SEEN, change)


async def _until(key_id: str, true: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so: who waits inside the server holds up whoever it waits for."""
    until = asyncio.get_running_loop().time() + UNSEEN_SECONDS
    while not await true():
        if asyncio.get_running_loop().time() > until:
            raise KeyDestructionIncomplete(key_id)
        await asyncio.sleep(_LOOK_SECONDS)
