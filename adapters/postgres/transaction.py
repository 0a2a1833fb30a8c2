"""One read-only transaction under row-level security, opened by its first statement.

Statements that are asked for in the same turn of the event loop are sent as one.
"""

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import asyncpg

from adapters.postgres.pools import RequestPool

CLOSE_SECONDS = 5.0
MANY_ROWS = 25
"""What follows from so many rows takes a millisecond or more: others have a turn in between."""
_PLACE = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A statement over one panel, waiting for its rows."""

    sql: str
    arguments: Sequence[object]
    records: asyncio.Future[list[asyncpg.Record]]


class Source(Protocol):
    """Where rows are read: one server's pool, or a replica in front of the primary."""

    async def fresh(self) -> RequestPool:
        """The pool whose server has all that was written by now."""

    def instead(self, pool: RequestPool, error: BaseException) -> RequestPool | None:
        """The pool for a statement that this one did not answer, if there is another."""


class Transaction:
    """The connection of one operation; its settings name tenant and account and end with it."""

    def __init__(self, source: Source, tenant: str, account: str) -> None:
        self._source = source
        self._pool: RequestPool | None = None
        self._tenant = tenant
        self._account = account
        self._connection: asyncpg.pool.PoolConnectionProxy | None = None
        self._turn = asyncio.Lock()
        self._asked: list[_Asked] = []
        self._sending: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def fetch(self, sql: str, arguments: Sequence[object]) -> list[asyncpg.Record]:
        """The rows of a statement over one panel: its columns with `others`; newest first."""
        asked = _Asked(sql, arguments, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        if self._sending is None:
            # A task of its own: whoever asked first may be cancelled, the others still wait.
            self._sending = asyncio.create_task(self._send(), name="panel-reads")
        return await asked.records

    async def fetch_alone(self, sql: str, arguments: Sequence[object]) -> list[asyncpg.Record]:
        """The rows of any statement, which is sent when the one under way is answered."""
        async with self._turn:
            return await self._rows(sql, arguments)

    async def _rows(self, sql: str, arguments: Sequence[object]) -> list[asyncpg.Record]:
        pool = await self._source.fresh()
        while True:
            try:
                connection = await self._open(pool)
                records: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
                return records
            except Exception as error:
                other = self._source.instead(pool, error)
                if other is None:
                    raise
                pool = other
                # Whatever it still does: nobody waits for it, and nobody is given it.
                if self._connection is not None:
                    _terminate(self._connection)

    async def _send(self) -> None:
        """Send what was asked in this turn of the loop, and then what was asked meanwhile."""
        batch: list[_Asked] = []
        try:
            while self._asked:
                batch, self._asked = self._asked, []
                await self._answer(batch)
        except BaseException as error:
            for asked in (*batch, *self._asked):
                _fail(asked.records, error)
            self._asked = []
        finally:
            self._sending = None

    async def _answer(self, batch: list[_Asked]) -> None:
        sql, arguments = _together(batch)
        found: list[list[asyncpg.Record]] = [[] for _ in batch]
        async with self._turn:
            records = await self._rows(sql, arguments)
        for record in records:
            found[record["part"]].append(record)
        for asked, its in zip(batch, found, strict=True):
            if not asked.records.done():
                asked.records.set_result(its)
            if len(its) >= MANY_ROWS:
                await asyncio.sleep(0)

    async def _open(self, pool: RequestPool) -> asyncpg.pool.PoolConnectionProxy:
        if pool is not self._pool:
            await self._end()
        if self._connection is None:
            tenant, account = quoted(self._tenant), quoted(self._account)
            self._connection, self._pool = await pool.acquire(), pool
            await self._connection.execute(
                f"BEGIN READ ONLY; SELECT set_config('anamnesis.tenant', {tenant}, true),"
                f" set_config('anamnesis.account', {account}, true)"
            )
        return self._connection

    async def close(self) -> None:
        """End the transaction and give the connection back; a statement under way is cancelled.

        Done to the end also where the caller is cancelled meanwhile.
        """
        if self._closing is None or self._closing.done():
            if self._connection is None and self._sending is None:
                return
            self._closing = asyncio.create_task(self._close(), name="panel-reads-close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        await self._end()

    async def _end(self) -> None:
        connection, self._connection = self._connection, None
        pool, self._pool = self._pool, None
        if connection is None or pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await connection.execute("ROLLBACK")
        except Exception:  # in whatever state it is, nobody may be given it
            _terminate(connection)
        finally:
            await pool.release(connection)


def _terminate(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    with contextlib.suppress(asyncpg.InterfaceError):  # one that ended left the pool itself
        connection.terminate()


def _fail(records: asyncio.Future[list[asyncpg.Record]], error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        records.cancel()
    elif not records.done():
        records.set_exception(error)


def _together(batch: Sequence[_Asked]) -> tuple[str, list[object]]:
    """One statement for all: each row says which part it belongs to, parts keep their order."""
    arguments = [argument for asked in batch for argument in asked.arguments]
    return _joined(tuple((asked.sql, len(asked.arguments)) for asked in batch)), arguments


@lru_cache(maxsize=256)
def _joined(statements: tuple[tuple[str, int], ...]) -> str:
    parts = []
    places = 0
    for number, (sql, arguments) in enumerate(statements):
        moved = _moved(sql, places)
        parts.append(f"(SELECT {number} AS part, panel.* FROM ({moved}) AS panel)")
        places += arguments
    together = " UNION ALL ".join(parts)
    return f"SELECT * FROM ({together}) AS panels ORDER BY part, at DESC, id DESC"


def _moved(sql: str, by: int) -> str:
    return _PLACE.sub(lambda place: f"${int(place[1]) + by}", sql)


def quoted(value: str) -> str:
    """A text for a statement without parameters; no content of it can end the literal."""
    return f"convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8')"
