"""The keyring: how an id becomes an opened key, or the reason why it stays shut.

A key is handed out of the cache, or unwrapped by the keys above it; a revoked key never.
"""

from collections.abc import Callable, Collection
from typing import Final

from adapters.keys.cache import CachedKey, KeyCache, Place
from adapters.keys.port import KeyRecord, KeyStore
from adapters.keys.refused import KeyDestroyed, KeyMissing, WrappedKeyTampered
from adapters.keys.seal import DataKey
from adapters.keys.tenants import TenantKeys
from adapters.keys.wrapping import unwrap

_ABOVE: Final = {"item": "compartment", "compartment": "tenant"}

Found = DataKey | KeyDestroyed | KeyMissing | WrappedKeyTampered


class Keyring:
    """Compartment and item keys by id."""

    def __init__(self, store: KeyStore, cache: KeyCache, tenants: TenantKeys) -> None:
        """Keys that are found or added are held in `cache`."""
        self._store = store
        self._cache = cache
        self._tenants = tenants
        self.told: list[Callable[[str], None]] = []
        """Whom to tell of a tenant whose keys were revoked."""

    async def by_id(self, tenant: str, key_id: str) -> DataKey:
        """The key with this id. Raises as KeyTree.by_id does."""
        key = self._cache.get(tenant, key_id)
        if key is not None:
            return key
        records = await self._store.load(tenant, (key_id,))
        await self._tenants.ensure(records.values())
        found = self._find(tenant, records, key_id)
        if isinstance(found, DataKey):
            return found
        raise found

    async def by_ids(self, tenant: str, key_ids: Collection[str]) -> dict[str, Found]:
        """Each id with its key or the reason why there is none. See KeyTree.by_ids."""
        asked = set(key_ids)
        found: dict[str, Found] = {}
        for key_id in asked:
            key = self._cache.get(tenant, key_id)
            if key is not None:
                found[key_id] = key
        absent = asked - found.keys()
        if absent:
            records = await self._store.load(tenant, absent)
            await self._tenants.ensure(records.values())
            found.update({key_id: self._find(tenant, records, key_id) for key_id in absent})
        return found

    async def add(self, key: DataKey, record: KeyRecord) -> DataKey:
        """Make a new key durable; the key to use, another one when its place was taken.

        Raises KeyDestroyed when the key above is destroyed, and KeyStoreUnavailable.
        """
        try:
            kept = await self._store.put(record)
        except KeyDestroyed as refusal:
            self.revoke(record.tenant, frozenset((refusal.key_id,)))
            raise
        if kept.id != key.id:
            return await self.by_id(record.tenant, kept.id)
        return self._keep(key, record)

    def revoke(self, tenant: str, key_ids: frozenset[str]) -> None:
        """Forget these keys and the keys below them. See KeyTree.revoke."""
        self._cache.revoke(tenant, key_ids)
        self._tenants.revoke(tenant, key_ids)
        for tell in self.told:
            tell(tenant)

    def _keep(self, key: DataKey, record: KeyRecord) -> DataKey:
        # A key can be revoked while its record was on the way.
        if self._cache.is_revoked(record.tenant, key.id, record.parent):
            raise KeyDestroyed(key.id)
        place = None
        if record.kind == "compartment":
            place = Place(record.tenant, record.owner, record.key_class)
        self._cache.keep(CachedKey(key, record.tenant, record.parent, place))
        return key

    def _find(self, tenant: str, records: dict[str, KeyRecord], key_id: str) -> Found:
        key = self._cache.get(tenant, key_id)
        if key is not None:
            return key
        record = records.get(key_id)
        if record is None or record.kind == "tenant":
            return KeyMissing(key_id)
        if record.destroyed or self._cache.is_revoked(tenant, key_id, record.parent):
            return KeyDestroyed(key_id)
        above = self._above(record, records)
        if not isinstance(above, DataKey):
            return type(above)(key_id)
        try:
            return self._keep(unwrap(record, above), record)
        except WrappedKeyTampered as damage:
            return damage

    def _above(self, record: KeyRecord, records: dict[str, KeyRecord]) -> Found:
        parent = records.get(record.parent or "")
        if parent is None:
            return KeyMissing(record.id)
        if parent.kind != _ABOVE[record.kind]:
            return WrappedKeyTampered(record.id)
        if parent.kind == "compartment":
            return self._find(record.tenant, records, parent.id)
        return self._tenants.key(parent)
