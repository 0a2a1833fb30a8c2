"""Panel reads one after the other, so that cheaper operations can go first in between."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from adapters.keys.tree import KeyTree
from adapters.postgres.reads import ReadTransaction
from domain.kernel.readmodel import Page, Select

Pace = Callable[[], Awaitable[None]]
"""Awaited before each page; returns when this operation may go on."""


async def unhurried() -> None:
    """The pace where nobody else is served."""


class PacedReads(ReadTransaction):
    """A read transaction whose pages wait for the pace.

    Rows are opened and shown in steps of a page, so no operation keeps the event loop for longer.
    """

    def __init__(
        self, pool: asyncpg.Pool, keys: KeyTree, tenant: str, account: str, pace: Pace
    ) -> None:
        super().__init__(pool, keys, tenant, account)
        self._pace = pace
        self._order = asyncio.Lock()

    async def page(self, select: Select) -> Page:
        """A page of a panel, when it is its turn."""
        async with self._order:
            await self._pace()
            return await super().page(select)
