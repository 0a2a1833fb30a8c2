"""The seeded house: made once per process, copied for whoever changes it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.embedded import EmbeddedPostgres
from tests.api.world import Seedbed, World, living_world, sow


@pytest.fixture(scope="session")
async def seedbed(
    anyio_backend: str, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Seedbed:
    """The story people in a database that serves as a template."""
    assert anyio_backend == "asyncio"
    return await sow(postgres, tmp_path_factory.mktemp("seedbed"))


@pytest.fixture(scope="session")
async def world(seedbed: Seedbed, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One served house for all tests that only read; every read adds to its log."""
    async with living_world(seedbed, tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
async def own_world(seedbed: Seedbed, tmp_path: Path) -> AsyncIterator[World]:
    """A served house of the test's own, for tests that change facts or permissions."""
    async with living_world(seedbed, tmp_path) as made:
        yield made
