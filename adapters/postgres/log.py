"""The log on PostgreSQL: seals drafts under the key tree and appends them by group commit.

Implements `domain.kernel.log.Log`. Imported by `api` and by tools only.
"""

import hmac
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import asyncpg

from adapters import codec
from adapters.keys.tree import KeyTree
from adapters.postgres.authority import AuthorityReader
from adapters.postgres.opening import open_events
from adapters.postgres.progress import Progress
from adapters.postgres.writer import Answer, SealedCommand, SealedEvent, Writer
from domain.kernel.command import Reserved, Stream
from domain.kernel.context import Actor, Authority, Subject
from domain.kernel.event import Header, Recorded
from domain.kernel.log import (
    Append,
    Appended,
    Conflict,
    Draft,
    Known,
    Loaded,
    Outcome,
    Recall,
)

MAX_SEALED = 65_536
SALT_BYTES = 16
ID_BYTES = 16
COMMAND_ID_BYTES = 16
RECALL = "SELECT * FROM log_recall($1, $2, $3::bytea[], $4::bool[], $5::uuid[])"


class EventTooLarge(ValueError):
    """A sealed event is at most 64 KiB; put larger content into the object store."""


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
        self._authorities = authorities
        self._progress = progress
        self.now = clock

    async def command_id(self, tenant: str, actor: str, operation: str, key: str) -> bytes:
        """The first 16 bytes of HMAC-SHA-256 under a secret of the tenant."""
        secret = await self._keys.tenant_secret(tenant, "command")
        named = codec.encode_value((actor, operation, key))
        return hmac.digest(secret, named, "sha256")[:COMMAND_ID_BYTES]

    async def fingerprint(self, tenant: str, command: object) -> bytes:
        """HMAC-SHA-256 of the command's fields, so that a low-entropy input is no oracle."""
        secret = await self._keys.tenant_secret(tenant, "fingerprint")
        return hmac.digest(secret, codec.encode_value(command), "sha256")

    async def reservation_key(self, tenant: str, reserved: Reserved) -> bytes:
        """The keyed hash under which a value is reserved."""
        secret = await self._keys.tenant_secret(tenant, "reservation")
        named = codec.encode_value((reserved.kind, reserved.value))
        return hmac.digest(secret, named, "sha256")

    async def recall(
        self, tenant: str, command: bytes, fingerprint: bytes, streams: Sequence[Stream]
    ) -> Recall:
        """One round trip: the command, the reservations, the loaded streams."""
        keys = [
            await self.reservation_key(tenant, s.reserved) if s.reserved else None for s in streams
        ]
        rows = await self._pool.fetch(
            RECALL,
            tenant,
            command,
            [key for key in keys if key],
            [not s.any_version for s, key in zip(streams, keys, strict=True) if key],
            [s.id for s in streams if s.id and not s.any_version],
        )
        known, same = await self._known(tenant, rows, fingerprint)
        found = {bytes(r["key"]): str(r["stream"]) for r in rows if r["tag"] == "reservation"}
        versions = {str(r["stream"]): r["version"] for r in rows if r["tag"] == "stream"}
        events = await self._opened(tenant, [r for r in rows if r["tag"] == "event"])
        loaded = []
        for stream, key in zip(streams, keys, strict=True):
            known_id = stream.id if key is None else found.get(key)
            ident = known_id or _random_id(os.urandom(ID_BYTES))
            loaded.append(
                Loaded(
                    id=ident,
                    version=versions.get(ident, 0),
                    events=events.get(ident, ()),
                    fresh=known_id is None,
                )
            )
        return Recall(known=known, same_request=same, streams=tuple(loaded))

    async def find(self, tenant: str, reserved: Reserved) -> str | None:
        """The stream id that a reserved value stands for, if any."""
        key = await self.reservation_key(tenant, reserved)
        rows = await self._pool.fetch(RECALL, tenant, b"", [key], [False], [])
        return next((str(r["stream"]) for r in rows if r["tag"] == "reservation"), None)

    async def _known(
        self, tenant: str, rows: list[asyncpg.Record], fingerprint: bytes
    ) -> tuple[Outcome | None, bool]:
        row = next((r for r in rows if r["tag"] == "command"), None)
        if row is None:
            return None, True
        outcome = await self._outcome(tenant, row["position"], row["last"], row["body"])
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
        """Seal, commit with whatever else is waiting, answer when durable."""
        context = codec.encode_context(wish.context)
        events = [await self._sealed(wish, draft, context) for draft in wish.drafts]
        keys = [
            (await self.reservation_key(wish.tenant, reserved), stream)
            for reserved, stream in wish.reservations
        ]
        command = SealedCommand(
            tenant=wish.tenant,
            id=wish.command,
            fingerprint=wish.fingerprint,
            outcome=await self._sealed_outcome(wish),
            withdraws=any(draft.event.withdraws_access for draft in wish.drafts),
            events=tuple(events),
            expected=tuple((e.stream, e.version) for e in wish.expected),
            relied=wish.relied,
            reservations=tuple(keys),
        )
        answer = await self._writer.append(command)
        return await self._answered(wish, answer)

    async def _answered(self, wish: Append, answer: Answer) -> Appended | Conflict | Known:
        if answer.status == "appended":
            return Appended(answer.first, answer.last)
        if answer.status != "known":
            return Conflict(answer.status, answer.stream, answer.version)
        outcome = await self._outcome(wish.tenant, answer.first, answer.last, answer.outcome)
        same = hmac.compare_digest(answer.fingerprint or b"", wish.fingerprint)
        return Known(outcome, same)

    async def _sealed(self, wish: Append, draft: Draft, context: bytes) -> SealedEvent:
        kind = type(draft.event)
        owner = draft.owner or wish.tenant
        key = (
            await self._keys.item(wish.tenant, owner, kind.key_class)
            if kind.item_key
            else self._keys.cached_compartment(wish.tenant, owner, kind.key_class)
            or await self._keys.compartment(wish.tenant, owner, kind.key_class)
        )
        random = os.urandom(ID_BYTES + SALT_BYTES)
        header = codec.encode_header(
            Header(
                event=_random_id(random),
                command=wish.command.hex(),
                tenant=wish.tenant,
                stream=draft.stream,
                type=kind.type_name,
                version=kind.type_version,
                key=key.id,
                chart=draft.chart,
            )
        )
        body = key.seal(codec.encode_body(draft.event), header)
        if len(body) > MAX_SEALED:
            raise EventTooLarge(kind.type_name)
        salt = random[ID_BYTES:]
        return SealedEvent(draft.stream, kind.type_name, key.id, header, context, salt, body)

    async def _sealed_outcome(self, wish: Append) -> bytes | None:
        """A refusal sealed under the organisation's key, bound to tenant and command id."""
        if wish.refusal is None:
            return None
        key = await self._keys.compartment(wish.tenant, wish.tenant, "command")
        aad = _outcome_aad(wish.tenant, key.id)
        return key.id.encode() + key.seal(codec.encode_refusal(wish.refusal), aad)

    async def _outcome(
        self, tenant: str, first: int | None, last: int | None, stored: bytes | None
    ) -> Outcome:
        if stored is None:
            return Outcome(first=first, last=last)
        key = await self._keys.by_id(tenant, stored[:36].decode())
        opened = key.open(stored[36:], _outcome_aad(tenant, key.id))
        return Outcome(first=first, last=last, refusal=codec.decode_refusal(opened))


def _random_id(random: bytes) -> str:
    """The UUID (version 4) of the first 16 bytes, as text; twice as fast as `uuid.UUID`."""
    digits = random.hex()
    variant = "89ab"[random[8] >> 4 & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def _outcome_aad(tenant: str, key: str) -> bytes:
    return sha256(f"outcome\0{tenant}\0{key}".encode()).digest()
