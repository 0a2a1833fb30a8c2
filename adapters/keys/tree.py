"""The key tree: root -> tenant (versioned) -> compartment (owner x class x epoch) -> item.

Every key is 32 random bytes, wrapped by the key above it and bound to its own row: tenant, id,
kind, owner, class and epoch. A key is durable in the store before it is handed out. Opened keys
are cached; destroyed keys leave the cache at once, and a destroyed key is never made anew by
accident: a place whose newest epoch is destroyed refuses until `open_epoch` is called on purpose.

Bounds: at most 2**32 bodies under one key (NIST SP 800-38D, random 96-bit nonces); open a new
epoch long before.
"""

import asyncio
import os
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from adapters.keys.cache import CachedKey, KeyCache, Place
from adapters.keys.refused import (
    BodyTampered,
    KeyCommitmentMismatch,
    KeyDestroyed,
    KeyDestructionIncomplete,
    KeyMissing,
    WrappedKeyTampered,
)
from adapters.keys.root import RootKey
from adapters.keys.seal import KEY_BYTES, DataKey, bound, subkey
from adapters.keys.store import KeyRecord, KeyStore, Kind, Tombstone

CACHED_KEYS: Final = 50_000
"""Opened keys kept by default: about 50 MB."""
_ABOVE: Final = {"item": "compartment", "compartment": "tenant"}

Found = DataKey | KeyDestroyed | KeyMissing


@dataclass(frozen=True, slots=True)
class _Tenant:
    """The opened keys of a tenant: the newest version wraps, the first derives."""

    wrapping: DataKey
    deriving: bytes


class KeyTree:
    """Hands out keys. One per process and event loop; the store may be shared."""

    def __init__(self, root: RootKey, store: KeyStore, *, capacity: int = CACHED_KEYS) -> None:
        """`capacity` bounds the compartment and item keys kept open; tenant keys are all kept."""
        self._root = root
        self._store = store
        self._cache = KeyCache(capacity)
        self._tenants: dict[str, _Tenant] = {}
        self._tenant_keys: dict[str, DataKey] = {}
        self._opening: dict[Place, asyncio.Task[DataKey]] = {}

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
        key = self._cache.current(place)
        if key is not None:
            return key
        opening = self._opening.get(place)
        if opening is None:
            opening = asyncio.create_task(self._open_compartment(place))
            self._opening[place] = opening
            opening.add_done_callback(lambda done: self._opened(place, done))
        # Shielded: one caller who gives up does not take the key from the others.
        return await asyncio.shield(opening)

    async def open_epoch(self, tenant: str, owner: str, key_class: str) -> DataKey:
        """A key of a new epoch for the compartment: yearly, after 2**28 uses, after an erasure."""
        place = Place(tenant, owner, key_class)
        ids = await self._store.epochs(tenant, "compartment", owner, key_class)
        return await self._create_compartment(place, epoch=len(ids) + 1)

    async def item(self, tenant: str, owner: str, key_class: str) -> DataKey:
        """A new key for one report, document or conversation below the compartment.

        Raises KeyDestroyed when the compartment is destroyed, and KeyStoreUnavailable.
        """
        above = self.cached_compartment(tenant, owner, key_class)
        if above is None:
            above = await self.compartment(tenant, owner, key_class)
        key, record = _below(above, Place(tenant, owner, key_class), "item", epoch=0)
        await self._put(record)
        return self._keep(key, record)

    async def by_id(self, tenant: str, key_id: str) -> DataKey:
        """The key with this id.

        Raises KeyDestroyed, KeyMissing (also for another tenant's key), WrappedKeyTampered and
        KeyStoreUnavailable.
        """
        key = self._cache.get(tenant, key_id)
        if key is not None:
            return key
        records = await self._store.load(tenant, (key_id,))
        return _or_raise(self._find(tenant, records, key_id))

    async def by_ids(self, tenant: str, key_ids: Collection[str]) -> dict[str, Found]:
        """Each id with its key or the reason why there is none; one round trip to the store.

        Raises WrappedKeyTampered and KeyStoreUnavailable.
        """
        asked = set(key_ids)
        found: dict[str, Found] = {}
        for key_id in asked:
            key = self._cache.get(tenant, key_id)
            if key is not None:
                found[key_id] = key
        absent = asked - found.keys()
        if absent:
            records = await self._store.load(tenant, absent)
            found.update({key_id: self._find(tenant, records, key_id) for key_id in absent})
        return found

    async def commitments(self, tenant: str, key_ids: Collection[str]) -> dict[str, bytes | None]:
        """Each id with the key's commitment as stored, destroyed keys included; None if unknown."""
        records = await self._store.load(tenant, key_ids)
        return {
            key_id: records[key_id].commitment if key_id in records else None for key_id in key_ids
        }

    async def tenant_secret(self, tenant: str, purpose: str) -> bytes:
        """32 bytes for one purpose ("reservation", "cursor"), the same in every process.

        Derived from the first version of the tenant key, so it outlives that key's rotation.
        """
        opened = await self._tenant(tenant)
        return subkey(opened.deriving, bound("tenant secret", purpose))

    async def destroy(self, tenant: str, key_id: str, event_id: str, position: int) -> None:
        """Destroy a key and all below it, for the erasure event at this position. Idempotent.

        Raises KeyMissing, KeyStoreUnavailable, and KeyDestructionIncomplete: then repeat it.
        """
        try:
            gone = await self._store.destroy(Tombstone(key_id, tenant, event_id, position))
        except KeyDestructionIncomplete:
            self.revoke(tenant, (key_id,))
            raise
        self.revoke(tenant, gone)

    def revoke(self, tenant: str, key_ids: Iterable[str]) -> None:
        """Forget keys that another process destroyed, as the log's erasure events name them.

        The items of a named compartment go with it; a named tenant key takes the tenant's own
        keys, and its compartments are to be named too.
        """
        ids = frozenset(key_ids)
        self._cache.revoke(tenant, ids)
        if ids & self._tenant_keys.keys():
            self._tenants.pop(tenant, None)
            for key_id in ids:
                self._tenant_keys.pop(key_id, None)

    async def _open_compartment(self, place: Place) -> DataKey:
        tenant, owner, key_class = place.tenant, place.owner, place.key_class
        ids = await self._store.epochs(tenant, "compartment", owner, key_class)
        if not ids:
            return await self._create_compartment(place, epoch=1)
        key = await self.by_id(tenant, ids[-1])
        self._cache.make_current(place, key.id)
        return key

    def _opened(self, place: Place, opening: asyncio.Task[DataKey]) -> None:
        del self._opening[place]
        if not opening.cancelled():
            opening.exception()  # marks it as seen: its callers may all have given up

    async def _create_compartment(self, place: Place, epoch: int) -> DataKey:
        above = (await self._tenant(place.tenant)).wrapping
        key, record = _below(above, place, "compartment", epoch)
        kept = await self._put(record)
        if kept.id == key.id:
            self._keep(key, record)
        else:
            key = await self.by_id(place.tenant, kept.id)
        self._cache.make_current(place, key.id)
        return key

    async def _tenant(self, tenant: str) -> _Tenant:
        opened = self._tenants.get(tenant)
        if opened is not None:
            return opened
        ids = await self._store.epochs(tenant, "tenant", "", "")
        if not ids:
            ids = (await self._create_tenant(tenant),)
        records = await self._store.load(tenant, ids)
        first = self._unwrap_tenant(records[ids[0]])
        newest = self._unwrap_tenant(records[ids[-1]])
        wrapping = self._tenant_keys.setdefault(ids[-1], DataKey(ids[-1], newest))
        opened = _Tenant(wrapping, subkey(first, b"anamnesis derive v1"))
        return self._tenants.setdefault(tenant, opened)

    async def _create_tenant(self, tenant: str) -> str:
        secret = os.urandom(KEY_BYTES)
        key = DataKey(str(uuid.uuid4()), secret)
        record = KeyRecord(
            id=key.id,
            tenant=tenant,
            kind="tenant",
            owner="",
            key_class="",
            epoch=1,
            parent=None,
            wrapped=self._root.wrap(tenant, 1, secret),
            commitment=key.commitment,
        )
        return (await self._store.put(record)).id

    async def _put(self, record: KeyRecord) -> KeyRecord:
        try:
            return await self._store.put(record)
        except KeyDestroyed as refusal:
            self.revoke(record.tenant, (refusal.key_id,))
            raise

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
        return self._keep(_unwrap(record, above), record)

    def _above(self, record: KeyRecord, records: dict[str, KeyRecord]) -> Found:
        parent = records.get(record.parent or "")
        if parent is None:
            return KeyMissing(record.id)
        if parent.kind != _ABOVE[record.kind]:
            raise WrappedKeyTampered(record.id)
        if parent.kind == "compartment":
            return self._find(record.tenant, records, parent.id)
        key = self._tenant_keys.get(parent.id)
        if key is None:
            key = DataKey(parent.id, self._unwrap_tenant(parent))
            self._tenant_keys[parent.id] = key
        return key

    def _unwrap_tenant(self, record: KeyRecord) -> bytes:
        if record.destroyed:
            raise KeyDestroyed(record.id)
        try:
            secret = self._root.unwrap(record.tenant, record.epoch, record.wrapped)
        except (KeyCommitmentMismatch, BodyTampered) as error:
            raise WrappedKeyTampered(record.id) from error
        if DataKey(record.id, secret).commitment != record.commitment:
            raise WrappedKeyTampered(record.id)
        return secret


def _binding(place: Place, key_id: str, kind: Kind, epoch: int) -> bytes:
    row = (place.tenant, key_id, kind, place.owner, place.key_class, str(epoch))
    return bound("wrapped key", *row)


def _below(above: DataKey, place: Place, kind: Kind, epoch: int) -> tuple[DataKey, KeyRecord]:
    secret = os.urandom(KEY_BYTES)
    key = DataKey(str(uuid.uuid4()), secret)
    record = KeyRecord(
        id=key.id,
        tenant=place.tenant,
        kind=kind,
        owner=place.owner,
        key_class=place.key_class,
        epoch=epoch,
        parent=above.id,
        wrapped=above.seal(secret, _binding(place, key.id, kind, epoch)),
        commitment=key.commitment,
    )
    return key, record


def _unwrap(record: KeyRecord, above: DataKey) -> DataKey:
    place = Place(record.tenant, record.owner, record.key_class)
    binding = _binding(place, record.id, record.kind, record.epoch)
    try:
        key = DataKey(record.id, above.open(record.wrapped, binding))
    except (KeyCommitmentMismatch, BodyTampered) as error:
        raise WrappedKeyTampered(record.id) from error
    if key.commitment != record.commitment:
        raise WrappedKeyTampered(record.id)
    return key


def _or_raise(found: Found) -> DataKey:
    if isinstance(found, DataKey):
        return found
    raise found
