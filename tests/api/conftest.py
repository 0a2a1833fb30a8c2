"""The seeded house: made once per process, copied for whoever changes it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.world import Seedbed, World, living_world


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
