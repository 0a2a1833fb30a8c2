"""A desk where the programs of this folder run, and the API on a socket for them to ask."""

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from adapters.embedded import EmbeddedPostgres
from api.app import application
from api.auth.tokens import DEMO_ISSUER, TokenVerifier
from api.serving import listen, serving
from tests.api.world import PATIENT, World, living_world, sow

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SECONDS = 60
INSTALLED = ROOT / ".peers-node" / "node_modules"


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with our programs, the schema, our operations and the installed packages."""

    folder: Path

    async def run(self, *command: str, **environment: str) -> str:
        """The standard output of a program that succeeds."""
        with anyio.fail_after(SECONDS):
            finished = await anyio.run_process(
                command, cwd=self.folder, env={**os.environ, **environment}, check=False
            )
        told = finished.stdout.decode()
        assert finished.returncode == 0, told + finished.stderr.decode()
        return told

    async def asks(
        self, program: str, url: str, token: str, wishes: list[Mapping[str, object]] | None = None
    ) -> object:
        """What a program says about the portal that it asked as somebody."""
        told = await self.run(
            "node",
            program,
            PORTAL_URL=url,
            PORTAL_TOKEN=token,
            PORTAL_WISHES=json.dumps(wishes or []),
        )
        return json.loads(told)


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The desk, with what Relay's compiler makes of its documents."""
    assert INSTALLED.is_dir(), "the npm packages are not installed: run .ci/peers-node .peers-node"
    folder = tmp_path_factory.mktemp("peers")
    shutil.copytree(HERE, folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "schema" / "schema.graphql", folder)
    shutil.copytree(ROOT / "schema" / "operations", folder / "operations")
    (folder / "node_modules").symlink_to(INSTALLED)
    (folder / "made").mkdir()
    subprocess.run(["node_modules/.bin/relay-compiler"], cwd=folder, check=True)
    return Desk(folder)


@pytest.fixture(scope="session")
async def world(
    anyio_backend: str, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """The story people in a house of the peers' own."""
    assert anyio_backend == "asyncio"
    bed = await sow(postgres, tmp_path_factory.mktemp("peers-seedbed"))
    async with living_world(bed, tmp_path_factory.mktemp("peers-world")) as made:
        yield made


@asynccontextmanager
async def portal(world: World, *, development: bool) -> AsyncIterator[str]:
    """The address of the GraphQL endpoint in a profile."""
    verifier = TokenVerifier({DEMO_ISSUER: world.issuer.issuer}, "anamnesis", profile="demo")
    app = application(world.house, verifier, development=development, limits=PATIENT)
    async with serving(app, listen(0)) as url:
        yield f"{url}/graphql"
