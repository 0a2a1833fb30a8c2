"""The seeded house, made once per process."""

import pytest

from adapters.embedded import EmbeddedPostgres
from tests.api.world import Seedbed, sow


@pytest.fixture(scope="session")
async def seedbed(
    anyio_backend: str, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Seedbed:
    """The story people in a database that serves as a template."""
    assert anyio_backend == "asyncio"
    return await sow(postgres, tmp_path_factory.mktemp("seedbed"))
