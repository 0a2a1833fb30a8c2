"""Rotation: keys are wrapped anew while everything goes on. Bodies stay as they are.

Under a new version of a tenant's key the compartments are wrapped again; under a new root, the
versions of every tenant's key. Interrupted, the next run wraps the rest. The first version of a
tenant's key stays: what is derived from it (reservations, ids) must not change.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from adapters.keys.cache import Place
from adapters.keys.port import KeyRecord, KeyStore, Kind
from adapters.keys.roots import Root
from adapters.keys.seal import DataKey
from adapters.keys.tenants import TenantKeys
from adapters.keys.wrapping import rewrap

PORTION = 1_000
Moved = Callable[[int], None]


class Rotation:
    """Wraps the keys of a store anew."""

    def __init__(self, root: Root, store: KeyStore) -> None:
        """`root` wraps by the newest root and unwraps by those before."""
        self._store = store
        self._tenants = TenantKeys(root, store)

    async def tenant(self, tenant: str, moved: Moved, *, new: bool = True) -> int:
        """Wrap the compartments of a tenant by a new version of its key; how many were.

        With `new` False by the newest that there is, to finish what was interrupted. Raises
        WrappedKeyTampered for one that does not open: nothing of its portion is changed.
        """
        opened = await (self._tenants.new_version if new else self._tenants.open)(tenant)
        count = 0
        async for portion in self._pages(tenant, "compartment"):
            old = [one for one in portion if one.parent != opened.wrapping.id]
            parents = {one.parent for one in old if one.parent is not None}
            above = await self._store.load(tenant, parents)
            await self._tenants.ensure(above.values())
            count += await self._store.rewrap(
                [self._under(one, above, opened.wrapping) for one in old]
            )
            moved(count)
        return count

    async def root(self, tenant: str, moved: Moved) -> int:
        """Wrap every version of a tenant's key by the newest root; how many were."""
        count = 0
        async for portion in self._pages(tenant, "tenant"):
            count += await self._store.rewrap(
                [await self._tenants.rewrapped(record) for record in portion]
            )
            moved(count)
        return count

    def _under(
        self, record: KeyRecord, above: dict[str, KeyRecord], wrapping: DataKey
    ) -> KeyRecord:
        parent = self._tenants.key(above[record.parent or ""])
        place = Place(record.tenant, record.owner, record.key_class)
        wrapped = rewrap(record, parent, wrapping, place)
        return replace(record, parent=wrapping.id, wrapped=wrapped)

    async def _pages(self, tenant: str, kind: Kind) -> AsyncIterator[tuple[KeyRecord, ...]]:
        after = ""
        while portion := await self._store.page(tenant, kind, after, PORTION):
            yield portion
            after = portion[-1].id
