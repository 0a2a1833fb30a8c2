"""The log on PostgreSQL: seals drafts under the key tree and appends them by group commit.

Implements `domain.kernel.log.Log`. Imported by `api` and by tools only.
"""

import hmac
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import asyncpg

from adapters.keys.refused import KeyDestroyed
from adapters.keys.tree import KeyTree
from adapters.postgres.authority import AuthorityReader
from adapters.postgres.opening import open_events
from adapters.postgres.progress import Progress
from adapters.postgres.sealing import ID_BYTES, Sealer, random_id
from adapters.postgres.writer import Answer, Writer
from domain.kernel.command import Reserved, Stream
from domain.kernel.context import Actor, Authority, Subject
from domain.kernel.event import Recorded
from domain.kernel.log import (
    Append,
    Appended,
    Conflict,
    Known,
    Loaded,
    Outcome,
    Recall,
)

RECALL = "SELECT * FROM log_recall($1, $2, $3::bytea[], $4::bool[], $5::uuid[])"


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
        self._pool = pool
        self._writer = writer
        self._keys = keys
        self._sealer = Sealer(keys)
        self._authorities = authorities
        self._progress = progress
        self.now = clock
        self.command_id = self._sealer.command_id
        self.fingerprint = self._sealer.fingerprint

    async def recall(
        self, tenant: str, command: bytes, fingerprint: bytes, streams: Sequence[Stream]
    ) -> Recall:
        """One round trip: the command, the reservations, the loaded streams."""
        named = [value for stream in streams for value in stream.values]
        hashes = [await self._sealer.reservation_key(tenant, value) for value in named]
        keys = dict(zip(named, hashes, strict=True))
        rows = await self._pool.fetch(
            RECALL,
            tenant,
            command,
            hashes,
            [not stream.any_version for stream in streams for _ in stream.values],
            [s.id for s in streams if s.id and not s.any_version],
        )
        known, same = await self._known(tenant, command, rows, fingerprint)
        found = {bytes(r["key"]): str(r["stream"]) for r in rows if r["tag"] == "reservation"}
        claimed = {value: found.get(key) for value, key in keys.items()}
        versions = {str(r["stream"]): r["version"] for r in rows if r["tag"] == "stream"}
        once = {r["position"]: r for r in rows if r["tag"] == "event"}
        events = await self._opened(tenant, [*once.values()])
        loaded = []
        for stream in streams:
            known_id = stream.id or next(filter(None, map(claimed.get, stream.values)), None)
            ident = known_id or random_id(os.urandom(ID_BYTES))
            loaded.append(
                Loaded(
                    id=ident,
                    version=versions.get(ident, 0),
                    events=events.get(ident, ()),
                    fresh=known_id is None,
                    unclaimed=tuple(v for v in stream.values if claimed[v] is None),
                )
            )
        return Recall(known=known, same_request=same, streams=tuple(loaded))

    async def find(self, tenant: str, reserved: Reserved) -> str | None:
        """The stream id that a reserved value stands for, if any."""
        key = await self._sealer.reservation_key(tenant, reserved)
        rows = await self._pool.fetch(RECALL, tenant, b"", [key], [False], [])
        return next((str(r["stream"]) for r in rows if r["tag"] == "reservation"), None)

    async def find_all(self, tenant: str, reserved: Sequence[Reserved]) -> dict[Reserved, str]:
        """The stream ids of those values that stand for a stream, in one round trip."""
        keys = {await self._sealer.reservation_key(tenant, value): value for value in reserved}
        rows = await self._pool.fetch(RECALL, tenant, b"", [*keys], [False] * len(keys), [])
        return {keys[bytes(r["key"])]: str(r["stream"]) for r in rows if r["tag"] == "reservation"}

    async def _known(
        self, tenant: str, command: bytes, rows: list[asyncpg.Record], fingerprint: bytes
    ) -> tuple[Outcome | None, bool]:
        row = next((r for r in rows if r["tag"] == "command"), None)
        if row is None:
            return None, True
        span = (row["position"], row["last"])
        outcome = await self._sealer.outcome(tenant, command, span, row["body"])
        return outcome, hmac.compare_digest(row["key"], fingerprint)

    async def _opened(
        self, tenant: str, rows: list[asyncpg.Record]
    ) -> dict[str, tuple[Recorded, ...]]:
        opened = await open_events(tenant, rows, self._keys)
        streams: dict[str, list[Recorded]] = {}
        for event in opened:
            streams.setdefault(event.header.stream, []).append(event)
        return {stream: tuple(events) for stream, events in streams.items()}

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
