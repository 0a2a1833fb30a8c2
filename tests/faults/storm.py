"""A server that is killed and started again, and processes that append to it meanwhile."""

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

import asyncpg

from adapters.embedded import EmbeddedPostgres, start_postgres
from adapters.postgres.migrate import add_tenant, migrate
from adapters.postgres.verification import verify
from api.house import open_house
from api.settings import Settings
from tests.adapters.postgres.acts import HERE, ROOT

PROCESSES, CLIENTS = 2, 4
LOAD_S = (0.0, 0.1)
ANSWERS = 10
PATIENCE_S = 60.0


@dataclass(slots=True)
class Storm:
    """A server that is killed and started again, and processes that append to it meanwhile."""

    folder: Path
    settings: Mapping[str, str]
    server: EmbeddedPostgres
    chance: random.Random
    told: list[tuple[str, int, int]] = field(default_factory=list)
    """Stream, first and last position of each acknowledged command."""
    _answered: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        binaries = os.environ.get("ANAMNESIS_PG_BINARIES")
        given = Path(binaries) if binaries else None
        self.server = start_postgres(self.folder / "pg", binaries=given, settings=self.settings)

    async def kill(self) -> None:
        """While it answers: the postmaster and all its children at once, then a new start."""
        await self.answered()
        await asyncio.sleep(self.chance.uniform(*LOAD_S))
        for pid in (self.server.pid, *children(self.server.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        await asyncio.to_thread(self.server.stop)
        await asyncio.to_thread(self.start)

    @property
    def house(self) -> Settings:
        """The settings of a house on this server."""
        return Settings.in_folder(self.folder / "house", self.dsn, profile="demo")

    async def verified(self) -> bool:
        """Whether the whole log verifies."""
        async with open_house(self.house) as house:
            answer = await verify(
                house.settings.role_dsn("auditor"),
                HERE,
                house.keys,
                lambda _done, _all: None,
                1,
            )
            return answer.ok

    async def answered(self, count: int = ANSWERS) -> None:
        """Return when so many more commands were acknowledged."""
        enough = len(self.told) + count
        async with asyncio.timeout(PATIENCE_S):
            while len(self.told) < enough:
                self._answered.clear()
                await self._answered.wait()

    @property
    def dsn(self) -> str:
        return self.server.dsn(database="storm")

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Processes that append for as long as the context is open."""
        appenders = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.faults.appender", self.dsn, str(self.folder / "house"),
                f"process {number}", str(1_000_000 * number), str(CLIENTS),
                cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )
            for number in range(PROCESSES)
        ]  # fmt: skip
        for appender in appenders:
            assert appender.stdout is not None
            assert await appender.stdout.readline() == b'"ready"\n'
        listening = [asyncio.create_task(self._listen(one.stdout)) for one in appenders]
        try:
            yield
        finally:
            for appender in appenders:
                assert appender.stdin is not None
                appender.stdin.close()
            await asyncio.gather(*listening)
            codes = [await asyncio.wait_for(one.wait(), 60) for one in appenders]
            assert codes == [0] * PROCESSES

    async def _listen(self, said: asyncio.StreamReader | None) -> None:
        assert said is not None
        async for line in said:
            stream, first, last, _ = json.loads(line)
            self.told.append((stream, first, last))
            self._answered.set()

    async def lost(self) -> list[tuple[str, int, int]]:
        """Acknowledged commands whose events are not where it was said."""
        connection = await asyncpg.connect(self.dsn)
        try:
            events = await connection.fetch(
                "SELECT position, stream::text FROM event WHERE tenant = $1 ORDER BY position", HERE
            )
        finally:
            await connection.close()
        assert [row["position"] for row in events] == list(range(1, len(events) + 1))
        at = {row["position"]: row["stream"] for row in events}
        return [
            told for told in self.told
            if told[0] not in {at.get(position) for position in range(told[1], told[2] + 1)}
        ]  # fmt: skip


def children(parent: int) -> list[int]:
    """The processes of a parent, by /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found


@asynccontextmanager
async def storm(seed: int, settings: Mapping[str, str]) -> AsyncIterator[Storm]:
    """A short path, so that the socket is where it was after each start."""
    folder = Path(tempfile.mkdtemp(prefix="kill-"))
    binaries = os.environ.get("ANAMNESIS_PG_BINARIES")
    server = start_postgres(
        folder / "pg", binaries=Path(binaries) if binaries else None, settings=settings
    )
    here = Storm(folder, settings, server, random.Random(seed))
    try:
        server.create_database("storm")
        migrate(here.dsn)
        add_tenant(here.dsn, HERE)
        yield here
    finally:
        here.server.stop()
        rmtree(folder, ignore_errors=True)
