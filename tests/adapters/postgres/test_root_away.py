"""A root that cannot be asked says nothing of any key: no event is set aside for it."""

import pytest

from adapters.keys import DataKey, KeyTree, RootUnavailable
from adapters.postgres.projector import Projector
from api.house import House, tailing_pool
from api.keystore import open_store, root_of
from projections.catalogue import PROJECTIONS
from tests.adapters.postgres.acts import HERE, do, patient, rows

pytestmark = pytest.mark.anyio
LETTERS = "SELECT count(*) FROM dead_letter"


class Away(KeyTree):
    """Opens what was open, and nothing that the root would have to be asked for."""

    away = True

    async def compartment(self, tenant: str, owner: str, key_class: str) -> DataKey:
        """See KeyTree."""
        if self.away:
            raise RootUnavailable("vault: 503")
        return await super().compartment(tenant, owner, key_class)


async def test_an_unreachable_root_sets_nothing_aside_and_is_tried_again(house: House) -> None:
    await do(house, patient(1))
    store = open_store(house.settings)
    keys = Away(root_of(house.settings), store)
    async with tailing_pool(house.settings.role_dsn("projector")) as pool:
        projector = Projector(pool, keys, PROJECTIONS)
        with pytest.raises(RootUnavailable):
            await projector.advance(HERE)
        assert await rows(house.settings.dsn, LETTERS) == [(0,)]
        keys.away = False
        assert await projector.advance(HERE) == 3
    assert await rows(house.settings.dsn, LETTERS) == [(0,)]
    await store.close()
