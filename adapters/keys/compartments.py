"""Compartments: the key of the newest epoch, opened once however many ask, made when absent."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Final

from adapters.keys.cache import MOST_SEALED, KeyCache, Place
from adapters.keys.keyring import Keyring
from adapters.keys.port import KeyStore
from adapters.keys.refused import KeyDestroyed
from adapters.keys.seal import KEY_BYTES, DataKey
from adapters.keys.tenants import TenantKeys
from adapters.keys.wrapping import wrap

EPOCH_SECONDS: Final = 366 * 86_400
"""After so long the next process that opens a compartment opens a new epoch."""
BASE_CLASS: Final = "clinical"
"""Whoever has erased this class of a chart has erased the chart."""
KEPT_CLASS: Final = "audit"
"""What says who did what is kept, and goes on, when everything else is erased."""


class Compartments:
    """Opens and makes compartment keys, and tells the cache which one is current."""

    def __init__(
        self,
        store: KeyStore,
        cache: KeyCache,
        tenants: TenantKeys,
        keyring: Keyring,
        now: Callable[[], float] = time.time,
    ) -> None:
        """The cache is the one that the keyring fills."""
        self._store = store
        self._cache = cache
        self._tenants = tenants
        self._keyring = keyring
        self._now = now
        self._opening: dict[Place, asyncio.Task[DataKey]] = {}

    async def open(self, place: Place) -> DataKey:
        """The key of the newest epoch; callers who ask meanwhile share the answer.

        Raises as KeyTree.compartment does.
        """
        opening = self._opening.get(place)
        if opening is None:
            opening = asyncio.create_task(self._open(place))
            self._opening[place] = opening
            opening.add_done_callback(lambda done: self._opened(place, done))
        # Shielded: one caller who gives up does not take the key from the others.
        return await asyncio.shield(opening)

    async def open_epoch(self, place: Place) -> DataKey:
        """The key of an epoch after all that there are, destroyed ones included."""
        ids = await self._store.epochs(place.tenant, "compartment", place.owner, place.key_class)
        return await self._create(place, epoch=len(ids) + 1)

    async def _open(self, place: Place) -> DataKey:
        ids = await self._store.epochs(place.tenant, "compartment", place.owner, place.key_class)
        if not ids:
            await self._refuse_erased(place)
            return await self._create(place, epoch=1)
        key = await self._keyring.by_id(place.tenant, ids[-1])
        if await self._is_worn(place, key):
            return await self._create(place, epoch=len(ids) + 1)
        self._cache.make_current(place, key.id)
        return key

    async def _is_worn(self, place: Place, key: DataKey) -> bool:
        """Whether the newest epoch has lasted a year, or has sealed enough."""
        record = (await self._store.load(place.tenant, (key.id,)))[key.id]
        return key.sealed >= MOST_SEALED or self._now() - record.created_at >= EPOCH_SECONDS

    async def _refuse_erased(self, place: Place) -> None:
        """A chart that was erased gets no compartment of another class either, but for its trail.

        Raises KeyDestroyed.
        """
        if place.key_class == KEPT_CLASS:
            return
        places = await self._store.places(place.tenant, place.owner)
        epochs = [one for one in places if one.key_class == BASE_CLASS]
        if epochs and epochs[-1].destroyed:
            raise KeyDestroyed(epochs[-1].id)

    def _opened(self, place: Place, opening: asyncio.Task[DataKey]) -> None:
        del self._opening[place]
        if not opening.cancelled():
            opening.exception()  # marks it as seen: its callers may all have given up

    async def _create(self, place: Place, epoch: int) -> DataKey:
        above = (await self._tenants.open(place.tenant)).wrapping
        key = await self._keyring.add(
            *wrap(os.urandom(KEY_BYTES), above, place, "compartment", epoch)
        )
        self._cache.make_current(place, key.id)
        return key
