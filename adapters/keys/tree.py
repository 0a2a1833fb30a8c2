"""The key tree: root -> tenant (versioned) -> compartment (owner x class x epoch) -> item.

Every key is 32 random bytes, wrapped by the key above it and bound to its own row: tenant, id,
kind, owner, class and epoch. A key is durable in the store before it is handed out. Opened keys
are cached; destroyed keys leave the cache at once, and a destroyed key is never made anew by
accident: a place whose newest epoch is destroyed refuses until `open_epoch` is called on purpose.

Bounds: at most 2**32 bodies under one key (NIST SP 800-38D, random 96-bit nonces). A compartment
gets a key of a new epoch after a year, or when one process has sealed 2**26 bodies with it.
"""

import hmac
import os
import time
from collections.abc import Callable, Collection, Iterable
from typing import Final

from adapters.keys.cache import KeyCache, Place
from adapters.keys.compartments import Compartments
from adapters.keys.keyring import Found, Keyring
from adapters.keys.port import KeptKey, KeyRecord, KeyStore
from adapters.keys.refused import KeyDestructionIncomplete
from adapters.keys.roots import Root
from adapters.keys.seal import KEY_BYTES, DataKey, bound, subkey
from adapters.keys.tenants import TenantKeys
from adapters.keys.tombstones import Tombstones
from adapters.keys.wrapping import wrap

__all__ = ["CACHED_KEYS", "Found", "KeyTree"]

CACHED_KEYS: Final = 50_000
"""Opened keys kept by default: about 50 MB."""


class KeyTree:
    """Hands out keys. One per process and event loop; the store may be shared."""

    def __init__(
        self,
        root: Root,
        store: KeyStore,
        *,
        capacity: int = CACHED_KEYS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`capacity` bounds the compartment and item keys kept open; tenant keys are all kept."""
        self._store = store
        self._cache = KeyCache(capacity)
        self._tenants = TenantKeys(root, store)
        self._keyring = Keyring(store, self._cache, self._tenants)
        self._tombstones = Tombstones(store, self.tenant_secret)
        self._compartments = Compartments(store, self._cache, self._tenants, self._keyring, now)

    def cached(self, tenant: str, key_id: str) -> DataKey | None:
        """The key if it is open already; no wait."""
        return self._cache.get(tenant, key_id)

    def cached_compartment(self, tenant: str, owner: str, key_class: str) -> DataKey | None:
        """The compartment's current key if it is open already; no wait."""
        return self._cache.current(Place(tenant, owner, key_class))

    async def compartment(self, tenant: str, owner: str, key_class: str) -> DataKey:
        """The key of the newest epoch, created when there is none.

        Raises KeyDestroyed when the newest epoch is destroyed, and KeyStoreUnavailable.
        """
        place = Place(tenant, owner, key_class)
        return self._cache.current(place) or await self._compartments.open(place)

    async def open_epoch(self, tenant: str, owner: str, key_class: str) -> DataKey:
        """A key of a new epoch for the compartment: yearly, after 2**28 uses, after an erasure."""
        return await self._compartments.open_epoch(Place(tenant, owner, key_class))

    async def item(self, tenant: str, owner: str, key_class: str) -> DataKey:
        """A new key for one report, document or conversation below the compartment.

        Raises KeyDestroyed when the compartment is destroyed, and KeyStoreUnavailable.
        """
        place = Place(tenant, owner, key_class)
        above = self._cache.current(place) or await self._compartments.open(place)
        key, record = wrap(os.urandom(KEY_BYTES), above, place, "item", epoch=0)
        return await self._keyring.add(key, record)

    async def by_id(self, tenant: str, key_id: str) -> DataKey:
        """The key with this id.

        Raises KeyDestroyed, KeyMissing (also for another tenant's key), WrappedKeyTampered and
        KeyStoreUnavailable.
        """
        return self._cache.get(tenant, key_id) or await self._keyring.by_id(tenant, key_id)

    async def by_ids(self, tenant: str, key_ids: Collection[str]) -> dict[str, Found]:
        """Each id with its key or the reason why there is none; one round trip to the store.

        A damaged key is WrappedKeyTampered for its own id and those below it; raised it is only
        for a tenant key, since nothing of the tenant opens then. Raises KeyStoreUnavailable.
        """
        return await self._keyring.by_ids(tenant, key_ids)

    async def kept(self, tenant: str, key_ids: Collection[str]) -> dict[str, KeptKey | None]:
        """What the store has of each key, destroyed ones included; None where it has nothing."""
        return await self._tombstones.kept(tenant, key_ids)

    async def records(self, tenant: str, key_ids: Collection[str]) -> dict[str, KeyRecord]:
        """The records of these keys and of all keys above them, still wrapped, by id."""
        return await self._store.load(tenant, key_ids)

    async def places(self, tenant: str, owner: str) -> tuple[KeyRecord, ...]:
        """The compartments of an owner, of every class and epoch, destroyed ones included."""
        return await self._store.places(tenant, owner)

    async def tenant_secret(self, tenant: str, purpose: str) -> bytes:
        """32 bytes for one purpose ("reservation", "cursor"), the same in every process.

        Derived from the first version of the tenant key, so it outlives that key's rotation.
        """
        opened = await self._tenants.open(tenant)
        return subkey(opened.deriving, bound("tenant secret", purpose))

    async def class_of(self, tenant: str, key_class: str, category: str) -> str:
        """The class of a compartment for a sensitive category of `key_class`; "" is none.

        A keyed hash stands for the category, so that not even the key store tells what a chart has.
        """
        if not category:
            return key_class
        secret = await self.tenant_secret(tenant, "category")
        return hmac.digest(secret, f"{key_class}\0{category}".encode(), "sha256").hex()[:32]

    async def destroy(self, tenant: str, key_id: str, event_id: str, position: int) -> None:
        """Destroy a key and all below it, for the erasure event at this position. Idempotent.

        Raises KeyMissing, KeyStoreUnavailable, and KeyDestructionIncomplete: then repeat it.
        """
        try:
            gone = await self._tombstones.destroy(tenant, key_id, event_id, position)
        except KeyDestructionIncomplete:
            self.revoke(tenant, (key_id,))
            raise
        self.revoke(tenant, gone)

    def when_revoked(self, tell: Callable[[str], None]) -> None:
        """Have a tenant told from now on whose keys were revoked: what they opened goes, too."""
        self._keyring.told.append(tell)

    def revoke(self, tenant: str, key_ids: Iterable[str]) -> None:
        """Forget keys that another process destroyed, as the log's erasure events name them.

        The items of a named compartment go with it; a named tenant key takes the tenant's own
        keys, and its compartments are to be named too.
        """
        self._keyring.revoke(tenant, frozenset(key_ids))
