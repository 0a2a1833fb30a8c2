"""A run of events on its way into the tables of one projection, and what is done with poison.

A poisoned event quarantines its chart in that projection; one that takes access away and has no
chart holds the projection. Where PostgreSQL refuses a run, it is tried event by event.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from adapters import codec
from adapters.keys.refused import KeyStoreUnavailable
from adapters.keys.tree import KeyTree
from adapters.postgres.rows import check_values, is_id
from adapters.postgres.tables import Names, Pending
from domain.kernel.event import Recorded, event_type
from domain.kernel.readmodel import Projection

REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,
)
"""What is said of a row that can never be written."""
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
class Incoming:
    """A row of the log, opened as far as somebody needs it.

    `error` says why its body cannot be opened; `recorded` is None where not even header and
    context can be read.
    """

    position: int
    type: str
    chart: str | None
    recorded: Recorded | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What a projection is to take: whose events, beyond which position, into which tables."""

    tenant: str
    projection: Projection
    after: int
    names: Names
    quarantined: set[tuple[str, str]]
    """The (projection, chart) pairs that are set aside; grows with what is poisoned."""


class Batch:
    """A run of events on its way into the tables of a projection.

    `held` is the poisoned event at which the projection has to stop.
    """

    def __init__(self, share: Share, keys: KeyTree) -> None:
        self._share = share
        self._keys = keys
        self.quarantined = set(share.quarantined)
        self.pending = Pending()
        self.poisons: list[Poison] = []
        self.held: Poison | None = None

    async def take(self, events: Sequence[Incoming]) -> None:
        """Project the events; a failing one sets its chart aside. Raises KeyStoreUnavailable."""
        projection = self._share.projection
        for event in events:
            wanted = projection.everything or event.type in projection.types
            if not wanted or event.position <= self._share.after:
                continue
            aside = (projection.name, event.chart or "") in self.quarantined
            if aside and not projection.everything:
                continue
            try:
                if event.recorded is None or (event.error and event.type in projection.types):
                    raise codec.UnreadableEvent(event.type)
                writes = list(projection.project(event.recorded))
                check_values(writes)
                await self.pending.add(self._share.tenant, writes, self._keys)
            except KeyStoreUnavailable:
                raise
            except Exception as error:  # a poisoned event must never stop the others
                self._set_aside(event, event.error or type(error).__name__)
                if self.held:
                    return

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
        """The rows, as one write or none. Raises one of REFUSED."""
        async with connection.transaction():
            await self.pending.write(connection, self._share.tenant, self._share.names)
        self._share.quarantined.update(self.quarantined)

    def refuse(self, event: Incoming, error: str) -> None:
        """PostgreSQL refused the rows of this one event: its chart is set aside."""
        self._set_aside(event, error)
        self._share.quarantined.update(self.quarantined)


async def project(
    connection: asyncpg.Connection, keys: KeyTree, share: Share, events: Sequence[Incoming]
) -> tuple[list[Poison], Poison | None]:
    """Write a projection's share of a run; event by event when PostgreSQL refuses it.

    Answers with what was set aside, not yet written anywhere, and the event that holds it.
    """
    batch = Batch(share, keys)
    await batch.take(events)
    try:
        await batch.write(connection)
    except REFUSED:
        return await _project_each(connection, keys, share, events)
    return batch.poisons, batch.held


async def _project_each(
    connection: asyncpg.Connection, keys: KeyTree, share: Share, events: Sequence[Incoming]
) -> tuple[list[Poison], Poison | None]:
    poisons: list[Poison] = []
    for event in events:
        batch = Batch(share, keys)
        await batch.take([event])
        try:
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
