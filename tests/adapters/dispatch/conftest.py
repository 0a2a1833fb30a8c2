"""A house with an outbox and a dispatcher that are moved by hand."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import pytest

from adapters.dispatch import Dispatcher, Effects, LocalJobs, Outbox
from api.dispatch import HouseReports
from api.house import House
from tests.adapters.dispatch.posting import POSTING, Peer, Post, PostOnce
from tests.adapters.postgres.acts import HERE


@dataclass(slots=True)
class Desk:
    """The parts, and the owner's connection to look."""

    house: House
    pool: asyncpg.Pool
    owner: asyncpg.Connection
    peer: Peer = field(default_factory=Peer)

    def outbox(self, *reactions: object) -> Outbox:
        """An outbox of another process."""

        async def written(_count: int) -> None:
            """Nobody is woken."""

        return Outbox(self.pool, self.house.keys, reactions or (POSTING,), written)

    def dispatcher(self, lease_s: float = 60.0, reached=lambda _point: None) -> Dispatcher:
        """A dispatcher of another process."""
        carriers = {Post.effect_name: self.peer, PostOnce.effect_name: self.peer}
        return Dispatcher(
            Effects(self.pool, lease_s),
            carriers,
            HouseReports(self.house),
            LocalJobs(),
            reached,
        )

    async def written(self) -> None:
        """Every event's effects are in the table."""
        outbox = self.outbox()
        while await outbox.advance(HERE):
            pass

    async def states(self) -> dict[str, int]:
        """How many effects are in which state."""
        rows = await self.owner.fetch("SELECT state, count(*) FROM effect GROUP BY state")
        return {row[0]: row[1] for row in rows}


@pytest.fixture
async def desk(house: House) -> AsyncIterator[Desk]:
    """The desk; the reaction has begun at the head of the empty log."""
    owner = await asyncpg.connect(house.settings.dsn)
    async with asyncpg.create_pool(house.settings.role_dsn("worker"), min_size=0) as pool:
        made = Desk(house, pool, owner)
        await made.written()
        yield made
    await owner.close()
