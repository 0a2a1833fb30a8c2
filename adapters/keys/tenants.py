"""Tenant keys: the versions that the root wraps, and what is derived from the first of them."""

import os
import time
import uuid
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from typing import Final

from adapters.keys.port import KeyRecord, KeyStore
from adapters.keys.refused import (
    BodyTampered,
    KeyCommitmentMismatch,
    KeyDestroyed,
    RootUnavailable,
    WrappedKeyTampered,
)
from adapters.keys.roots import Root
from adapters.keys.seal import KEY_BYTES, DataKey, subkey

LOOK_SECONDS: Final = 60.0
"""How long a process goes on with a version of a tenant's key before it asks for a newer one."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """The opened keys of a tenant: the newest version wraps, the first derives."""

    wrapping: DataKey
    deriving: bytes


class TenantKeys:
    """Opens tenant keys. All that were opened are kept until they are revoked."""

    def __init__(self, root: Root, store: KeyStore) -> None:
        """Nothing is opened yet."""
        self._root = root
        self._store = store
        self._tenants: dict[str, Tenant] = {}
        self._looked: dict[str, float] = {}
        self._keys: dict[str, DataKey] = {}
        self._deriving: dict[str, bytes] = {}

    async def open(self, tenant: str) -> Tenant:
        """The tenant's keys, created when there are none.

        Raises KeyDestroyed, WrappedKeyTampered and KeyStoreUnavailable.
        """
        opened = self._tenants.get(tenant)
        if opened is not None and time.monotonic() - self._looked[tenant] < LOOK_SECONDS:
            return opened
        try:
            newest = await self._look(tenant)
        except RootUnavailable:
            # What is open stays open: a newer version waits until the root can be asked again.
            if opened is None:
                raise
            newest = opened
        self._tenants[tenant], self._looked[tenant] = newest, time.monotonic()
        return newest

    async def _look(self, tenant: str) -> Tenant:
        ids = await self._store.epochs(tenant, "tenant", "", "")
        if not ids:
            ids = (await self._create(tenant),)
        wanted = (ids[0], ids[-1])
        records = await self._store.load(tenant, wanted)
        await self.ensure(records.values())
        return Tenant(self.key(records[ids[-1]]), await self._derived(records[ids[0]]))

    async def _derived(self, first: KeyRecord) -> bytes:
        """What is derived from the first version; the root is asked for it once."""
        if first.destroyed:
            raise KeyDestroyed(first.id)
        known = self._deriving.get(first.id)
        if known is None:
            known = subkey(await self._unwrapped(first), b"anamnesis derive v1")
            self._deriving[first.id] = known
        return known

    async def ensure(self, records: Iterable[KeyRecord]) -> None:
        """Have the tenant keys among these records opened, for `key`.

        Raises WrappedKeyTampered and RootUnavailable.
        """
        for record in records:
            if record.kind == "tenant" and record.id not in self._keys and not record.destroyed:
                self._keys[record.id] = DataKey(record.id, await self._unwrapped(record))

    def key(self, record: KeyRecord) -> DataKey:
        """The key of a tenant key's record that `ensure` was given. Raises KeyDestroyed."""
        if record.destroyed:
            raise KeyDestroyed(record.id)
        return self._keys[record.id]

    async def new_version(self, tenant: str) -> Tenant:
        """A new version of the tenant's key: it wraps from now on. Raises as `open`."""
        ids = await self._store.epochs(tenant, "tenant", "", "")
        await self._create(tenant, len(ids) + 1)
        self._looked.pop(tenant, None)
        self._tenants.pop(tenant, None)
        return await self.open(tenant)

    async def rewrapped(self, record: KeyRecord) -> KeyRecord:
        """A tenant key's record under the newest root. Raises WrappedKeyTampered."""
        secret = await self._unwrapped(record)
        return replace(record, wrapped=await self._root.wrap(record.tenant, record.epoch, secret))

    def revoke(self, tenant: str, key_ids: Set[str]) -> None:
        """Forget the tenant's keys when one of them is among these ids."""
        if key_ids & self._keys.keys():
            self._tenants.pop(tenant, None)
            for key_id in key_ids:
                self._keys.pop(key_id, None)
                self._deriving.pop(key_id, None)

    async def _create(self, tenant: str, version: int = 1) -> str:
        secret = os.urandom(KEY_BYTES)
        key = DataKey(str(uuid.uuid4()), secret)
        record = KeyRecord(
            id=key.id,
            tenant=tenant,
            kind="tenant",
            owner="",
            key_class="",
            epoch=version,
            parent=None,
            wrapped=await self._root.wrap(tenant, version, secret),
            commitment=key.commitment,
        )
        return (await self._store.put(record)).id

    async def _unwrapped(self, record: KeyRecord) -> bytes:
        if record.destroyed:
            raise KeyDestroyed(record.id)
        try:
            secret = await self._root.unwrap(record.tenant, record.epoch, record.wrapped)
        except (KeyCommitmentMismatch, BodyTampered) as error:
            raise WrappedKeyTampered(record.id) from error
        if len(secret) != KEY_BYTES or DataKey(record.id, secret).commitment != record.commitment:
            raise WrappedKeyTampered(record.id)
        return secret
