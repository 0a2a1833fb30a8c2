"""Sealing what is appended: keyed hashes of what must be found again, keys for what is kept.

Command ids, fingerprints and reservation keys are HMACs under secrets of the tenant, so that no
table confirms a guess. A refusal is sealed and bound to its command.
"""

import hmac
import os

from adapters import codec
from adapters.keys.seal import DataKey, bound
from adapters.keys.tree import KeyTree
from adapters.postgres.writer import SealedCommand, SealedEvent
from domain.kernel.command import Reserved
from domain.kernel.event import Event, Header
from domain.kernel.log import Append, Draft, Outcome
from domain.kernel.refusal import EventTooLarge

MAX_SEALED = 65_536
"""Bytes of a sealed body; larger content belongs into the object store."""
SALT_BYTES = 16
ID_BYTES = 16
COMMAND_ID_BYTES = 16
KEY_ID_CHARACTERS = 36


class Sealer:
    """Turns wishes into sealed commands, and stored outcomes back into refusals."""

    def __init__(self, keys: KeyTree) -> None:
        self._keys = keys

    async def command_id(self, tenant: str, actor: str, operation: str, key: str) -> bytes:
        """The first 16 bytes of HMAC-SHA-256 under a secret of the tenant."""
        named = codec.encode_value((actor, operation, key))
        return (await self._hash(tenant, "command", named))[:COMMAND_ID_BYTES]

    async def fingerprint(self, tenant: str, command: object) -> bytes:
        """HMAC-SHA-256 of the command's fields, so that a low-entropy input is no oracle."""
        return await self._hash(tenant, "fingerprint", codec.encode_value(command))

    async def reservation_key(self, tenant: str, reserved: Reserved) -> bytes:
        """The keyed hash under which a value is reserved."""
        named = codec.encode_value((reserved.kind, reserved.value))
        return await self._hash(tenant, "reservation", named)

    async def _hash(self, tenant: str, purpose: str, content: bytes) -> bytes:
        secret = await self._keys.tenant_secret(tenant, purpose)
        return hmac.digest(secret, content, "sha256")

    async def command(self, wish: Append) -> SealedCommand:
        """The wish as `log_append` takes it. Raises EventTooLarge and the key tree's errors."""
        context = codec.encode_context(wish.context)
        events = [await self._event(wish, draft, context) for draft in wish.drafts]
        keys = [
            (await self.reservation_key(wish.tenant, reserved), stream)
            for reserved, stream in wish.reservations
        ]
        return SealedCommand(
            tenant=wish.tenant,
            id=wish.command,
            fingerprint=wish.fingerprint,
            outcome=await self._refusal(wish),
            withdraws=any(draft.event.withdraws_access for draft in wish.drafts),
            events=tuple(events),
            expected=tuple((e.stream, e.version) for e in wish.expected),
            relied=wish.relied,
            reservations=tuple(keys),
            destroys=tuple(key for draft in wish.drafts for key in draft.event.destroys),
        )

    async def _event(self, wish: Append, draft: Draft, context: bytes) -> SealedEvent:
        kind = type(draft.event)
        key = await self._key(wish.tenant, draft.owner or wish.tenant, draft.event)
        random = os.urandom(ID_BYTES + SALT_BYTES)
        header = codec.encode_header(
            Header(
                event=random_id(random),
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
            raise EventTooLarge()
        salt = random[ID_BYTES:]
        above = key.above or key.id
        return SealedEvent(draft.stream, kind.type_name, above, header, context, salt, body)

    async def _key(self, tenant: str, owner: str, event: Event) -> DataKey:
        key_class = await self._keys.class_of(tenant, event.key_class, event.category)
        if event.sealed_alone:
            return await self._keys.item(tenant, owner, key_class)
        open_already = self._keys.cached_compartment(tenant, owner, key_class)
        return open_already or await self._keys.compartment(tenant, owner, key_class)

    async def _refusal(self, wish: Append) -> bytes | None:
        """The refusal under the organisation's key, bound to tenant and command."""
        if wish.refusal is None:
            return None
        key = await self._keys.compartment(wish.tenant, wish.tenant, "command")
        binding = bound("outcome", wish.tenant, wish.command.hex())
        return key.id.encode() + key.seal(codec.encode_refusal(wish.refusal), binding)

    async def outcome(
        self, tenant: str, command: bytes, span: tuple[int | None, int | None], stored: bytes | None
    ) -> Outcome:
        """The first outcome of a command; raises the key tree's errors for another's refusal."""
        first, last = span
        if stored is None:
            return Outcome(first=first, last=last)
        key = await self._keys.by_id(tenant, stored[:KEY_ID_CHARACTERS].decode())
        binding = bound("outcome", tenant, command.hex())
        opened = key.open(stored[KEY_ID_CHARACTERS:], binding)
        return Outcome(first=first, last=last, refusal=codec.decode_refusal(opened))


def random_id(random: bytes) -> str:
    """The UUID (version 4) of the first 16 bytes, as text; twice as fast as `uuid.UUID`."""
    digits = random.hex()
    variant = "89ab"[random[8] >> 4 & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
