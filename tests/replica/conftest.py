"""A streaming replica of the session's server, made by PostgreSQL's own program."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from adapters.backup import base_backup
from adapters.embedded import EmbeddedPostgres, start_postgres
from api.house import open_house, projecting
from tests.api.world import Seedbed, World, inhabited, planted


@dataclass(slots=True)
class Standby:
    """A replica that may be halted, and started again on what it has."""

    folder: Path
    primary: EmbeddedPostgres
    server: EmbeddedPostgres | None = field(default=None)

    def start(self) -> None:
        """Follow the primary."""
        sockets = self.primary.sockets.path
        settings = {
            "primary_conninfo": f"host={sockets} port=5432 user=postgres",
            "max_standby_streaming_delay": "0",
        }
        self.server = start_postgres(self.folder, binaries=self.primary.binaries, settings=settings)

    def stop(self) -> None:
        """Its data stays."""
        if self.server is not None:
            self.server.stop()

    def dsn(self, of: str) -> str:
        """The DSN of a primary's database on the replica, as the superuser."""
        assert self.server is not None
        theirs = urlsplit(self.server.dsn())
        return urlunsplit(theirs._replace(path=urlsplit(of).path))

    async def does(self, sql: str) -> object:
        """What a statement of the superuser answers."""
        assert self.server is not None
        connection = await asyncpg.connect(self.server.dsn())
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    async def pause(self) -> None:
        """It falls behind from now on."""
        await self.does("SELECT pg_wal_replay_pause()")

    async def resume(self) -> None:
        """It catches up."""
        await self.does("SELECT pg_wal_replay_resume()")


@pytest.fixture(scope="package")
async def followed(
    seedbed: Seedbed, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Standby]:
    """The replica; it has the seeded database."""
    folder = tmp_path_factory.mktemp("standby")
    primary = seedbed.postgres
    await base_backup(primary.binaries, primary.dsn(), folder / "data", lambda *_: None)
    (folder / "data" / "standby.signal").touch()
    standby = Standby(folder, primary)
    standby.start()
    yield standby
    standby.stop()


@pytest.fixture
async def standby(followed: Standby) -> AsyncIterator[Standby]:
    """The replica, following again after the test."""
    yield followed
    if followed.server is None or followed.server.process.ended():
        followed.start()
    await followed.resume()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica on a busy machine is waited for."""
    monkeypatch.setattr("adapters.postgres.replica.LAG_SECONDS", 20.0)


@pytest.fixture
def leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that failed is asked again at once."""
    monkeypatch.setattr("adapters.postgres.replica.LEAVE_SECONDS", 0.0)


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A world that reads from its replica."""

    world: World
    reads: dict[str, int]
    """How many statements each of the servers answered so far."""

    def since(self) -> dict[str, int]:
        """The same, and forget it."""
        told = dict(self.reads)
        self.reads.update(dict.fromkeys(told, 0))
        return told


async def mirrored(
    stack: AsyncExitStack, seedbed: Seedbed, replica: str | None, standby: Standby, folder: Path
) -> Mirrored:
    """A served copy of the seeded house whose replica is the given one, else the standby."""
    settings = stack.enter_context(planted(seedbed, folder))
    dsn = replica or standby.dsn(settings.dsn)
    house = await stack.enter_async_context(open_house(replace(settings, replica=dsn)))
    await stack.enter_async_context(projecting(house))
    world = await stack.enter_async_context(inhabited(house, seedbed.seeded, folder))
    assert house.replica is not None
    return Mirrored(world, house.replica.reads)


@pytest.fixture
async def mirror(seedbed: Seedbed, standby: Standby, tmp_path: Path) -> AsyncIterator[Mirrored]:
    """A served house that reads from the replica."""
    async with AsyncExitStack() as stack:
        yield await mirrored(stack, seedbed, None, standby, tmp_path)
