"""The log as a rebuild reads it: from a replica where there is one, as long as it answers."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import asyncpg
import structlog

from adapters.keys.tree import KeyTree
from adapters.postgres.away import CONNECT_SECONDS
from adapters.postgres.incoming import Incoming, Opening, Span, head_of, prepare, read
from adapters.postgres.pools import WORK_SECONDS
from adapters.postgres.replica import GONE, IDENTITY, REPLAYED, NoReplica

LAG_SECONDS: Final = 60.0
"""How long a rebuild waits for a replica to have the events of a segment."""
ASK_SECONDS: Final = 0.2
_log = structlog.get_logger("anamnesis.replica")


class LogSource:
    """One process' reading of the log; the primary answers what the replica does not."""

    def __init__(self, dsn: str | None) -> None:
        self._dsn = dsn
        self._replica: asyncpg.Connection | None = None
        self._heads: dict[str, int] = {}

    async def read(
        self,
        primary: asyncpg.Connection,
        tenant: str,
        span: Span,
        projections: Sequence[Opening],
        keys: KeyTree,
    ) -> tuple[list[Incoming], int]:
        """As `incoming.read`. The primary's connection is in a prepared transaction."""
        if self._dsn is not None:
            try:
                replica = await self._reaching(primary, tenant, span.until)
                async with replica.transaction(readonly=True):
                    await prepare(replica, tenant)
                    return await read(replica, tenant, span, projections, keys)
            except (NoReplica, *GONE) as error:
                _log.warning("replica.left", error=type(error).__name__, tenant=tenant)
                self._leave()
        return await read(primary, tenant, span, projections, keys)

    def _leave(self) -> None:
        if self._replica is not None:
            self._replica.terminate()
        self._dsn, self._replica = None, None

    async def _reaching(
        self, primary: asyncpg.Connection, tenant: str, position: int
    ) -> asyncpg.Connection:
        """The replica once it has this position. Raises NoReplica and TimeoutError."""
        if self._replica is None:
            self._replica = await asyncpg.connect(
                self._dsn, timeout=CONNECT_SECONDS, command_timeout=WORK_SECONDS
            )
            same = await self._replica.fetchrow(IDENTITY) == await primary.fetchrow(IDENTITY)
            if not same or await self._replica.fetchval(REPLAYED) is None:
                raise NoReplica
        deadline = time.monotonic() + LAG_SECONDS
        while self._heads.get(tenant, 0) < position:
            async with self._replica.transaction(readonly=True):
                await prepare(self._replica, tenant)
                self._heads[tenant] = await head_of(self._replica, tenant)
            if self._heads[tenant] >= position:
                break
            if time.monotonic() > deadline:
                raise TimeoutError
            await asyncio.sleep(ASK_SECONDS)
        return self._replica
