"""Tenant keys: the versions that the root wraps, and what is derived from the first of them."""

import os
import uuid
from collections.abc import Set
from dataclasses import dataclass

from adapters.keys.port import KeyRecord, KeyStore
from adapters.keys.refused import (
    BodyTampered,
    KeyCommitmentMismatch,
    KeyDestroyed,
    WrappedKeyTampered,
)
from adapters.keys.root import RootKey
from adapters.keys.seal import KEY_BYTES, DataKey, subkey


@dataclass(frozen=True, slots=True)
class Tenant:
    """The opened keys of a tenant: the newest version wraps, the first derives."""

    wrapping: DataKey
    deriving: bytes


class TenantKeys:
    """Opens tenant keys. All that were opened are kept until they are revoked."""

    def __init__(self, root: RootKey, store: KeyStore) -> None:
        """Nothing is opened yet."""
        self._root = root
        self._store = store
        self._tenants: dict[str, Tenant] = {}
        self._keys: dict[str, DataKey] = {}

    async def open(self, tenant: str) -> Tenant:
        """The tenant's keys, created when there are none.

        Raises KeyDestroyed, WrappedKeyTampered and KeyStoreUnavailable.
        """
        opened = self._tenants.get(tenant)
        if opened is not None:
            return opened
        ids = await self._store.epochs(tenant, "tenant", "", "")
        if not ids:
            ids = (await self._create(tenant),)
        records = await self._store.load(tenant, ids)
        first = self._unwrap(records[ids[0]])
        newest = self._unwrap(records[ids[-1]])
        wrapping = self._keys.setdefault(ids[-1], DataKey(ids[-1], newest))
        opened = Tenant(wrapping, subkey(first, b"anamnesis derive v1"))
        return self._tenants.setdefault(tenant, opened)

    def key(self, record: KeyRecord) -> DataKey:
        """The key of a tenant key's record. Raises KeyDestroyed and WrappedKeyTampered."""
        key = self._keys.get(record.id)
        if key is None:
            key = DataKey(record.id, self._unwrap(record))
            self._keys[record.id] = key
        return key

    def revoke(self, tenant: str, key_ids: Set[str]) -> None:
        """Forget the tenant's keys when one of them is among these ids."""
        if key_ids & self._keys.keys():
            self._tenants.pop(tenant, None)
            for key_id in key_ids:
                self._keys.pop(key_id, None)

    async def _create(self, tenant: str) -> str:
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

    def _unwrap(self, record: KeyRecord) -> bytes:
        if record.destroyed:
            raise KeyDestroyed(record.id)
        try:
            secret = self._root.unwrap(record.tenant, record.epoch, record.wrapped)
        except (KeyCommitmentMismatch, BodyTampered) as error:
            raise WrappedKeyTampered(record.id) from error
        if DataKey(record.id, secret).commitment != record.commitment:
            raise WrappedKeyTampered(record.id)
        return secret
