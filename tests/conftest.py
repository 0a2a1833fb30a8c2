"""Fixtures that every test may use: a real PostgreSQL, fresh databases, the house put together."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import structlog

from adapters.embedded import EmbeddedPostgres, start_postgres
from adapters.postgres.migrate import add_tenant, migrate
from api.house import House, open_house, projecting
from api.settings import Settings
from tests.api.world import Seedbed, sow

TENANTS = ("riverside", "lakeside")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test fails the run: nothing that should be proven is left unproven."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def logs_of_each_test_alone() -> Iterator[None]:
    """A command that runs in this process configures logging for whatever comes after it."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of every async test; of session scope, so that wider fixtures can be async."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One server for the whole session, with a migrated template of two tenants.

    ANAMNESIS_PG_BINARIES names the binaries of another PostgreSQL to run the suite on.
    """
    folder = tmp_path_factory.mktemp("postgres")
    binaries = os.environ.get("ANAMNESIS_PG_BINARIES")
    with start_postgres(folder, binaries=Path(binaries) if binaries else None) as server:
        template = server.create_database("template_anamnesis")
        migrate(template)
        for tenant in TENANTS:
            add_tenant(template, tenant)
        yield server


@pytest.fixture(scope="session")
async def seedbed(
    anyio_backend: str, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Seedbed:
    """The story people in a database that serves as a template."""
    assert anyio_backend == "asyncio"
    return await sow(postgres, tmp_path_factory.mktemp("seedbed"))


@pytest.fixture
def dsn(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh migrated database with the tenants riverside and lakeside; the owner's DSN."""
    name = f"test_{uuid4().hex}"
    yield postgres.create_database(name, template="template_anamnesis")
    postgres.drop_database(name)


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    """A house's settings in a folder of its own, demo profile."""
    return Settings.in_folder(tmp_path / "house", dsn, profile="demo")


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    """The house without a projector."""
    async with open_house(settings) as opened:
        yield opened


@pytest.fixture
async def living_house(house: House) -> AsyncIterator[House]:
    """The house with a projector that keeps the read models."""
    async with projecting(house):
        yield house
