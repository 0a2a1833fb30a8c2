"""What the log knows before a decision: outcomes, reservations and streams, in one round trip."""

import hmac
import os
from collections.abc import Mapping, Sequence

import asyncpg

from adapters.keys.tree import KeyTree
from adapters.postgres.baselines import Baselines, Held
from adapters.postgres.opening import open_events
from adapters.postgres.sealing import ID_BYTES, Sealer, random_id
from domain.kernel.command import Reserved, Stream
from domain.kernel.event import Recorded
from domain.kernel.log import Loaded, Outcome, Recall

RECALL = """SELECT * FROM
  log_recall($1, $2, $3::bytea[], $4::bool[], $5::uuid[], $6::uuid[], $7::bigint[])"""
NO_STREAMS: tuple[list[str], list[str], list[int]] = ([], [], [])
_Keys = Mapping[Reserved, bytes]


class Recalling:
    """Looks things up in the log, and keeps the states of long streams."""

    def __init__(self, pool: asyncpg.Pool, keys: KeyTree, sealer: Sealer) -> None:
        self._pool = pool
        self._keys = keys
        self._sealer = sealer
        self.baselines = Baselines()
        keys.when_revoked(self.baselines.forget)

    async def recall(
        self,
        tenant: str,
        command: bytes,
        fingerprint: bytes,
        streams: Sequence[Stream],
        *,
        whole: bool = False,
    ) -> Recall:
        """The command, the reservations, the loaded streams.

        A long stream is a baseline and what came since, unless its events are wanted `whole`.
        """
        values = [value for stream in streams for value in stream.values]
        hashes = [await self._sealer.reservation_key(tenant, value) for value in values]
        keys = dict(zip(values, hashes, strict=True))
        held = Held() if whole else self.baselines.held(tenant, streams, keys)
        rows = await self._ask(tenant, command, streams, hashes, held)
        known, same = await self._known(tenant, command, rows, fingerprint)
        loaded = await self._loaded(tenant, streams, keys, rows)
        if known is None and not whole:
            before = [held.before(*pair) for pair in zip(streams, loaded, strict=True)]
            if held.broken:
                self.baselines.drop(tenant, held.broken)
                return await self.recall(tenant, command, fingerprint, streams)
            loaded = self.baselines.settled(tenant, streams, before, held, keys)
        return Recall(known=known, same_request=same, streams=tuple(loaded))

    async def _ask(
        self,
        tenant: str,
        command: bytes,
        streams: Sequence[Stream],
        hashes: Sequence[bytes],
        held: Held,
    ) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._pool.fetch(
            RECALL,
            tenant,
            command,
            hashes,
            [not stream.any_version for stream in streams for _ in stream.values],
            [s.id for s in streams if s.id and not s.any_version],
            [*held.versions],
            [*held.versions.values()],
        )
        return rows

    async def _loaded(
        self, tenant: str, streams: Sequence[Stream], keys: _Keys, rows: Sequence[asyncpg.Record]
    ) -> list[Loaded]:
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
        return loaded

    async def find(self, tenant: str, reserved: Reserved) -> str | None:
        """The stream id that a reserved value stands for, if any."""
        return (await self.find_all(tenant, (reserved,))).get(reserved)

    async def find_all(self, tenant: str, reserved: Sequence[Reserved]) -> dict[Reserved, str]:
        """The stream ids of those values that stand for a stream, in one round trip."""
        keys = {await self._sealer.reservation_key(tenant, value): value for value in reserved}
        rows = await self._pool.fetch(
            RECALL, tenant, b"", [*keys], [False] * len(keys), *NO_STREAMS
        )
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
