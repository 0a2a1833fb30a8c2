"""The log on PostgreSQL: seals drafts under the key tree and appends them by group commit.

Implements `domain.kernel.log.Log`. Imported by `api` and by tools only.
"""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg

from adapters.keys.refused import KeyDestroyed
from adapters.keys.tree import KeyTree
from adapters.postgres.authority import AuthorityReader
from adapters.postgres.progress import Progress
from adapters.postgres.recalling import Recalling
from adapters.postgres.sealing import Sealer
from adapters.postgres.writer import Answer, Writer
from domain.kernel.context import Actor, Authority, Subject
from domain.kernel.log import (
    Append,
    Appended,
    Conflict,
    Known,
)


class PostgresLog:
    """One process' door to the log."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        writer: Writer,
        keys: KeyTree,
        authorities: AuthorityReader,
        progress: Progress,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._writer = writer
        self._sealer = Sealer(keys)
        self._recalling = Recalling(pool, keys, self._sealer)
        self._authorities = authorities
        self._progress = progress
        self.now = clock
        self.command_id = self._sealer.command_id
        self.fingerprint = self._sealer.fingerprint
        self.recall = self._recalling.recall
        self.find, self.find_all = self._recalling.find, self._recalling.find_all

    async def authority(self, actor: Actor, subject: Subject) -> Authority:
        """The permissions of an actor, not older than the last withdrawal of access."""
        return await self._authorities.read(actor, subject)

    async def settle(self, tenant: str) -> None:
        """Wait (bounded) until the permission read models have reached the head."""
        await self._progress.reach_head(tenant)

    async def append(self, wish: Append) -> Appended | Conflict | Known:
        """Seal, commit with whatever else is waiting, answer when durable.

        Raises EventTooLarge. A key that the key store knows as destroyed is a Conflict already.
        """
        try:
            sealed = await self._sealer.command(wish)
        except KeyDestroyed:
            return Conflict("destroyed-key")
        return await self._answered(wish, await self._writer.append(sealed))

    async def _answered(self, wish: Append, answer: Answer) -> Appended | Conflict | Known:
        if answer.status == "appended":
            return Appended(answer.first, answer.last)
        if answer.status != "known":
            return Conflict(answer.status, answer.stream, answer.version)
        span = (answer.first, answer.last)
        outcome = await self._sealer.outcome(wish.tenant, wish.command, span, answer.outcome)
        same = hmac.compare_digest(answer.fingerprint or b"", wish.fingerprint)
        return Known(outcome, same)
