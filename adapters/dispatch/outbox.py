"""The outbox: tails the log and writes the effects of its events, each once.

Effects and position are written in one durable transaction. It is no projection: nothing rebuilds
it, and a reaction that is new begins at the head, so that history sends nothing. An effect's id is
a hash of the event's id, the reaction and its place in what that yielded.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

import asyncpg
import structlog

from adapters import codec
from adapters.keys.tree import KeyTree
from adapters.postgres.incoming import Incoming, Span, head_of, read
from adapters.postgres.listening import CLOSE_SECONDS, listening
from adapters.postgres.tenant import SET_TENANT
from domain.kernel.effect import Effect, Later, Reaction

BATCH = 1_000
IDLE_SECONDS = 1.0
ID_BYTES = 16
BEGUN = """INSERT INTO outbox (tenant, reaction, position)
  SELECT h.tenant, r.name, h.position FROM log_head h, unnest($2::text[]) AS r (name)
  WHERE h.tenant = $1 ON CONFLICT DO NOTHING"""
HELD = """SELECT reaction, position FROM outbox
  WHERE tenant = $1 AND reaction = ANY($2::text[]) ORDER BY reaction FOR UPDATE SKIP LOCKED"""
WRITTEN = """INSERT INTO effect (tenant, id, reaction, position, name, data, due)
  SELECT $1, * FROM unnest($2::bytea[], $3::text[], $4::bigint[], $5::text[], $6::bytea[],
    $7::timestamptz[]) ON CONFLICT DO NOTHING"""
MOVED = """UPDATE outbox SET position = $3
  WHERE tenant = $1 AND reaction = ANY($2::text[]) AND position < $3"""
_log = structlog.get_logger("anamnesis.outbox")
Connect = Callable[[], Awaitable[asyncpg.Connection]]


class Row(NamedTuple):
    """An effect as it is written."""

    id: bytes
    reaction: str
    position: int | None
    name: str
    data: bytes
    due: datetime


def effect_id(tenant: str, reaction: str, *place: object) -> bytes:
    """16 bytes that stand for one effect of one reaction: the same whenever it is yielded.

    `place` begins with the id of the event: positions come again after a restore with loss.
    """
    named = "/".join((tenant, reaction, *map(str, place)))
    return sha256(f"effect/{named}".encode()).digest()[:ID_BYTES]


class Outbox:
    """Writes what follows; `written` is told of how many effects are new after each step."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        keys: KeyTree,
        reactions: Sequence[Reaction],
        written: Callable[[int], Awaitable[None]],
    ) -> None:
        """`pool` has connections of the worker's role."""
        self._pool = pool
        self._keys = keys
        self._reactions = {reaction.name: reaction for reaction in reactions}
        self._written = written
        self._wake = asyncio.Event()
        self._dirty: set[str] = set()
        self._stopping = False

    async def run(self, tenants: Callable[[], Awaitable[Sequence[str]]], connect: Connect) -> None:
        """Follow the logs until stopped; whatever a connection meets is told and tried again."""
        listener: asyncpg.Connection | None = None
        try:
            while not self._stopping:
                self._wake.clear()
                if listener is None or listener.is_closed():
                    listener = await listening(connect, self._heard, "outbox.deaf")
                try:
                    await self._round(await tenants())
                except Exception as error:  # it outlives whatever it meets
                    _log.warning("outbox.failed", error=type(error).__name__)
                if not self._dirty and not self._stopping:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(IDLE_SECONDS):
                            await self._wake.wait()
        finally:
            if listener is not None:
                with contextlib.suppress(Exception):
                    await listener.close(timeout=CLOSE_SECONDS)

    def stop(self) -> None:
        """Let `run` end after the round that is under way."""
        self._stopping = True
        self._wake.set()

    async def _round(self, known: Sequence[str]) -> None:
        dirty, self._dirty = self._dirty & set(known) or set(known), set()
        for tenant in sorted(dirty):
            more = True
            while more:
                more = await self.advance(tenant)

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        self._dirty.update(line.split(" ")[0] for line in str(payload).splitlines())
        self._wake.set()

    async def advance(self, tenant: str) -> bool:
        """One step of a tenant's log; whether more follows."""
        names = sorted(self._reactions)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SET_TENANT, tenant)
            await connection.execute(BEGUN, tenant, names)
            rows = await connection.fetch(HELD, tenant, names)
            if len(rows) < len(names):
                return False  # another process is at it
            at = {row["reaction"]: row["position"] for row in rows}
            head, low = await head_of(connection, tenant), min(at.values())
            if head <= low:
                return False
            wanted = tuple(self._reactions.values())
            events, reached = await read(
                connection, tenant, Span(low, head, BATCH), wanted, self._keys
            )
            effects = self._effects(tenant, events, at)
            if effects:
                columns = [list(column) for column in zip(*effects, strict=True)]
                await connection.execute(WRITTEN, tenant, *columns)
            await connection.execute(MOVED, tenant, names, reached)
        if effects:
            await self._written(len(effects))
        return reached < head

    def _effects(self, tenant: str, events: Sequence[Incoming], at: dict[str, int]) -> list[Row]:
        found = []
        for event in events:
            for name, reaction in sorted(self._reactions.items()):
                if event.position > at[name] and event.type in reaction.types:
                    found += _followed(tenant, event, reaction)
        return found


def _followed(tenant: str, event: Incoming, reaction: Reaction) -> list[Row]:
    """The effects of one event; one that cannot be read is told and has none."""
    try:
        if event.recorded is None or event.error:
            raise codec.UnreadableEvent(event.error or "")
        yielded = list(reaction.after(event.recorded))
    except Exception as error:  # one event must never stop what follows from the others
        _log.error(
            "outbox.poisoned", tenant=tenant, position=event.position, error=type(error).__name__
        )
        return []
    return [
        row_of(
            effect_id(tenant, reaction.name, event.recorded.header.event, place),
            reaction.name,
            event.position,
            one if isinstance(one, Later) else Later(event.recorded.committed_at, one),
        )
        for place, one in enumerate(yielded)
    ]


def row_of(ident: bytes, reaction: str, position: int | None, later: Later) -> Row:
    """An effect as it is written."""
    effect: Effect = later.effect
    return Row(ident, reaction, position, effect.effect_name, codec.encode_value(effect), later.at)


async def put(pool: asyncpg.Pool, tenant: str, row: Row) -> bool:
    """Write an effect that no event demands (a head that is to be mailed); whether it is new."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SET_TENANT, tenant)
        done: str = await connection.execute(WRITTEN, tenant, *([value] for value in row))
        return done.endswith(" 1")
