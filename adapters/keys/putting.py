"""Puts that share commits: what arrives while one is running goes into the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from adapters.keys.port import KeyRecord
from adapters.keys.refused import KeyDestroyed, KeyStoreUnavailable

BATCH_ROWS: Final = 1_000
"""Rows in one commit at most, which bounds how long a put waits behind others."""

Commit = Callable[[Sequence[KeyRecord]], Awaitable[Sequence[KeyRecord | KeyDestroyed]]]
"""One durable transaction: what is kept of each record, or why nothing is."""


class Putting:
    """The queue of one store and event loop."""

    def __init__(self, commit: Commit) -> None:
        """`commit` is called by one task at a time; what it raises, each caller gets."""
        self.commits = 0
        """Transactions so far."""
        self._commit = commit
        self._waiting: list[tuple[KeyRecord, asyncio.Future[KeyRecord]]] = []
        self._flusher: asyncio.Task[None] | None = None

    async def put(self, record: KeyRecord) -> KeyRecord:
        """Keep the record durably and return what is kept. See KeyStore."""
        kept: asyncio.Future[KeyRecord] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, kept))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="key-store-flush")
        return await kept

    async def finish(self) -> None:
        """Return once nothing waits."""
        if self._flusher is not None:
            await self._flusher

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:BATCH_ROWS]
                del self._waiting[:BATCH_ROWS]
                await self._settle(batch)
        finally:
            self._flusher = None

    async def _settle(self, batch: list[tuple[KeyRecord, asyncio.Future[KeyRecord]]]) -> None:
        try:
            outcomes = await self._commit([record for record, _ in batch])
        except Exception as error:
            for _, kept in batch:
                if not kept.done():
                    kept.set_exception(unavailable(error))
            return
        self.commits += 1
        for (_, kept), outcome in zip(batch, outcomes, strict=True):
            if kept.done():
                continue
            if isinstance(outcome, KeyDestroyed):
                kept.set_exception(outcome)
            else:
                kept.set_result(outcome)


def unavailable(error: Exception) -> KeyStoreUnavailable:
    """The store's error without its words, which could hold what was asked."""
    if isinstance(error, KeyStoreUnavailable):
        return KeyStoreUnavailable(error.subject)
    return KeyStoreUnavailable(type(error).__name__)
