"""The houses of the samples: every folder is imported once for the whole session."""

from collections.abc import AsyncIterator

import pytest

from adapters.embedded import EmbeddedPostgres
from api.house import House
from tests.samples.imported import SYNTHEA, Imported, a_house, bring, counts, samples


@pytest.fixture(scope="session")
async def synthea(
    anyio_backend: str, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Imported]:
    """The 55 Synthea patients, imported twice."""
    assert anyio_backend == "asyncio"
    folder, place = samples("synthea"), tmp_path_factory.mktemp("synthea")
    async with a_house(postgres, place) as house:
        first = await bring(house, SYNTHEA, folder)
        events = await counts(house)
        second = await bring(house, SYNTHEA, folder)
        yield Imported(house, folder, place, first, second, events)


@pytest.fixture(scope="session")
async def standards(
    anyio_backend: str, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """An empty house for the other folders; each has a source of its own."""
    assert anyio_backend == "asyncio"
    async with a_house(postgres, tmp_path_factory.mktemp("standards")) as house:
        yield house
