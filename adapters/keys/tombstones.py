"""Tombstones: the signed order that destroyed a key, which outlives the key and its backup.

A log that is restored from before an erasure has no event that orders it; the tombstone in the key
store says so, and that it is by us: its Ed25519 key is derived from the tenant's key, which neither
the database nor the key store holds open.
"""

from collections.abc import Awaitable, Callable, Collection

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.keys.port import KeptKey, KeyStore, Tombstone
from adapters.keys.refused import KeyUnsigned
from adapters.keys.seal import bound

Secret = Callable[[str, str], Awaitable[bytes]]


class Tombstones:
    """Signs the orders of a store and checks them."""

    def __init__(self, store: KeyStore, secret: Secret) -> None:
        """`secret` gives 32 bytes of a tenant for a purpose."""
        self._store = store
        self._secret = secret

    async def destroy(
        self, tenant: str, key_id: str, event_id: str, position: int
    ) -> frozenset[str]:
        """Destroy a key and all below it for the erasure event at this position; their ids.

        Raises as KeyStore.destroy, but for KeyUnsigned.
        """
        order = Tombstone(key_id, tenant, event_id, position)
        key = await self._key(tenant)
        while True:
            below = await self._store.below(tenant, key_id)
            signatures = {one: key.sign(_signed(one, order)) for one in below}
            try:
                return await self._store.destroy(order, signatures)
            except KeyUnsigned:
                continue

    async def kept(self, tenant: str, key_ids: Collection[str]) -> dict[str, KeptKey | None]:
        """What the store has of each key; an order that nobody signed for it is none."""
        records = await self._store.load(tenant, key_ids)
        gone = [key_id for key_id in key_ids if key_id in records and records[key_id].destroyed]
        orders = await self._store.tombstones(tenant, gone) if gone else {}
        valid = {
            key_id: order for key_id, order in orders.items() if await self._is_ours(key_id, order)
        }
        return {
            key_id: KeptKey(
                records[key_id].commitment, bool(records[key_id].destroyed), valid.get(key_id)
            )
            if key_id in records
            else None
            for key_id in key_ids
        }

    async def _is_ours(self, key_id: str, order: Tombstone) -> bool:
        key = (await self._key(order.tenant)).public_key()
        try:
            key.verify(order.signature, _signed(key_id, order))
        except InvalidSignature:
            return False
        return True

    async def _key(self, tenant: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(await self._secret(tenant, "tombstone"))


def _signed(key_id: str, order: Tombstone) -> bytes:
    told = (order.tenant, key_id, order.key_id, order.event_id, str(order.position))
    return bound("tombstone", *told)
