"""A run of events on its way into the tables of one projection, and what is done with poison.

A poisoned event quarantines its chart in that projection; one that takes access away and has no
chart holds the projection. Where PostgreSQL refuses a run, it is tried event by event.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain

import asyncpg

from adapters import codec
from adapters.keys.tree import KeyTree
from adapters.postgres.incoming import Incoming
from adapters.postgres.rows import RowSealer, check_values, is_id
from adapters.postgres.tables import Names, Pending
from domain.kernel.event import event_type
from domain.kernel.readmodel import Drop, Projection, Write

REFUSED_THERE = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
"""What PostgreSQL says of a row that can never be written."""
REFUSED = (*REFUSED_THERE, ValueError)
"""The same, or what its driver says."""
SET_ASIDE = """INSERT INTO dead_letter (tenant, consumer, position, chart, type, error)
  VALUES ($1, $2, $3, $4::uuid, $5, $6) ON CONFLICT DO NOTHING"""


@dataclass(frozen=True, slots=True)
class Poison:
    """An event that a projection could not take, without any of its content."""

    projection: str
    position: int
    chart: str | None
    type: str
    error: str


@dataclass(frozen=True, slots=True)
class Share:
    """What a projection is to take: whose events, beyond which position, into which tables."""

    tenant: str
    projection: Projection
    after: int
    names: Names
    quarantined: set[tuple[str, str]]
    """The (projection, chart) pairs that are set aside; grows with what is poisoned."""

    def wants(self, events: Sequence[Incoming]) -> bool:
        """Whether any of these events is for this projection."""
        return any(map(self.covers, events))

    def covers(self, event: Incoming) -> bool:
        """Whether an event is for this projection and beyond what it has."""
        kept = self.projection
        return event.position > self.after and (kept.everything or event.type in kept.types)


class Batch:
    """A run of events on its way into the tables of a projection.

    `held` is the poisoned event at which the projection has to stop.
    """

    def __init__(self, share: Share, keys: KeyTree) -> None:
        self._share = share
        self._keys = keys
        self._types = share.projection.types
        self.quarantined = set(share.quarantined)
        self.pending = Pending()
        self.poisons: list[Poison] = []
        self.held: Poison | None = None

    async def take(self, events: Sequence[Incoming]) -> None:
        """Project the events; a failing one sets its chart aside. Raises KeyStoreUnavailable."""
        everything = self._share.projection.everything
        taken = [(event, self._projected(event)) for event in filter(self._share.covers, events)]
        rows = RowSealer(self._share.tenant, self._keys)
        projected = (writes for _, writes in taken if isinstance(writes, list))
        await rows.open_for(chain.from_iterable(projected))
        for event, writes in taken:
            if not everything and (self._share.projection.name, event.chart) in self.quarantined:
                continue
            error = self._add(rows, writes) if isinstance(writes, list) else writes
            if error is not None:
                self._set_aside(event, error)
            if self.held:
                return

    def _projected(self, event: Incoming) -> list[Write] | str:
        """The event's writes, or the name of what went wrong, without its text."""
        if event.recorded is None or (event.error and event.type in self._types):
            return event.error or codec.UnreadableEvent.__name__
        try:
            writes = list(self._share.projection.project(event.recorded))
            check_values(writes)
        except Exception as error:  # a poisoned event must never stop the others
            return type(error).__name__
        return writes

    def _add(self, rows: RowSealer, writes: Sequence[Write]) -> str | None:
        """All of an event's writes, or none where one cannot be sealed: the name of the error."""
        try:
            self.pending.add(
                [write if isinstance(write, Drop) else rows.seal(write) for write in writes]
            )
        except Exception as error:  # a poisoned event must never stop the others
            return type(error).__name__
        return None

    def _set_aside(self, event: Incoming, error: str) -> None:
        projection = self._share.projection
        chart = event.chart if event.chart and is_id(event.chart) else None
        poison = Poison(projection.name, event.position, chart, event.type, error)
        kind = event_type(event.type)
        if projection.everything:
            # Each of its events stands alone: the later ones of the chart lose nothing.
            self.poisons.append(poison)
        elif event.chart is None and kind is not None and kind.withdraws_access:
            self.held = poison
        else:
            self.poisons.append(poison)
            if event.chart is not None:
                self.quarantined.add((projection.name, event.chart))

    async def write(self, connection: asyncpg.Connection) -> None:
        """The rows. Raises one of REFUSED; then what was written is to be rolled back."""
        await self.pending.write(connection, self._share.tenant, self._share.names)
        self._share.quarantined.update(self.quarantined)

    def refuse(self, event: Incoming, error: str) -> None:
        """PostgreSQL refused the rows of this one event: its chart is set aside."""
        self._set_aside(event, error)
        self._share.quarantined.update(self.quarantined)


Projected = tuple[list[Poison], Poison | None]
"""What was set aside, not yet written anywhere, and the event that holds the projection."""
Projecting = Callable[
    [asyncpg.Connection, KeyTree, Share, Sequence[Incoming]], Awaitable[Projected]
]


async def project_at_once(
    connection: asyncpg.Connection, keys: KeyTree, share: Share, events: Sequence[Incoming]
) -> Projected:
    """Write a projection's share of a run.

    Raises one of REFUSED; then the transaction is to be rolled back.
    """
    batch = Batch(share, keys)
    await batch.take(events)
    await batch.write(connection)
    return batch.poisons, batch.held


@asynccontextmanager
async def _undoable(connection: asyncpg.Connection) -> AsyncIterator[None]:
    """What PostgreSQL refuses in here is undone. (asyncpg's own wants to have begun it all.)"""
    await connection.execute("SAVEPOINT share")
    try:
        yield
    except REFUSED:
        await connection.execute("ROLLBACK TO SAVEPOINT share")
        raise
    await connection.execute("RELEASE SAVEPOINT share")


async def project(
    connection: asyncpg.Connection, keys: KeyTree, share: Share, events: Sequence[Incoming]
) -> Projected:
    """Write a projection's share of a run; event by event when PostgreSQL refuses it."""
    batch = Batch(share, keys)
    await batch.take(events)
    try:
        async with _undoable(connection):
            await batch.write(connection)
    except REFUSED:
        return await _project_each(connection, keys, share, events)
    return batch.poisons, batch.held


async def _project_each(
    connection: asyncpg.Connection, keys: KeyTree, share: Share, events: Sequence[Incoming]
) -> Projected:
    poisons: list[Poison] = []
    for event in events:
        batch = Batch(share, keys)
        await batch.take([event])
        try:
            async with _undoable(connection):
                await batch.write(connection)
        except REFUSED as error:
            batch.refuse(event, type(error).__name__)
        poisons += batch.poisons
        if batch.held:
            return poisons, batch.held
    return poisons, None


async def set_aside(connection: asyncpg.Connection, tenant: str, poisons: Sequence[Poison]) -> None:
    """Write the dead letters, inside the caller's transaction."""
    for p in poisons:
        await connection.execute(
            SET_ASIDE, tenant, p.projection, p.position, p.chart, p.type, p.error
        )
