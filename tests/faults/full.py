"""The house on a server whose write-ahead log is on a small volume of its own, which is filled.

Run in a mount namespace of its own; says what it saw as one JSON object. Argument: a folder.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from adapters.embedded import EmbeddedPostgres, start_postgres
from adapters.postgres.migrate import add_tenant, migrate
from adapters.postgres.writer import LogUnavailable
from api.house import House
from api.logs import configure
from tests.adapters.postgres.acts import HERE, do, patient
from tests.api.test_standing import granting
from tests.api.world import Seedbed, World, living_world, sow
from tests.conftest import TENANTS
from tests.faults.test_network import READ, Asked

VOLUME_MIB = 224
LOW_MIB = 48
SETTINGS = {"max_wal_size": "64MB", "min_wal_size": "32MB"}
HEALED_SECONDS = 60.0


class Volume:
    """The small volume, and the ballast that fills it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def free_mib(self) -> int:
        room = os.statvfs(self.path)
        return (room.f_bavail * room.f_frsize) >> 20

    def leave(self, mib: int) -> None:
        """Fill it until so much is free."""
        with self._ballast.open("ab") as file:
            while self.free_mib() > mib:
                file.write(bytes(1 << 20))
                file.flush()

    def fill(self) -> None:
        """To the last byte."""
        with self._ballast.open("ab", buffering=0) as file:
            for portion in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(bytes(portion))
                except OSError:
                    continue

    def empty(self) -> None:
        """Throw the ballast off."""
        self._ballast.unlink(missing_ok=True)


def server(folder: Path) -> EmbeddedPostgres:
    binaries = os.environ.get("ANAMNESIS_PG_BINARIES")
    given = Path(binaries) if binaries else None
    return start_postgres(folder / "pg", binaries=given, settings=SETTINGS)


@contextmanager
def apart(folder: Path) -> Iterator[tuple[EmbeddedPostgres, Volume]]:
    """A server whose log is on the volume."""
    volume = Volume(folder / "wal")
    volume.path.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MIB}m,mode=0777", "tmpfs", volume.path],
        check=True,
    )
    server(folder).stop()
    log = folder / "pg" / "data" / "pg_wal"
    subprocess.run(["cp", "-a", log, volume.path / "log"], check=True)
    subprocess.run(["rm", "-r", log], check=True)
    log.symlink_to(volume.path / "log")
    with server(folder) as started:
        yield started, volume


def inner(folder: Path, name: str) -> Path:
    """A new folder in it."""
    made = folder / name
    made.mkdir()
    return made


async def grant(world: World, key: str) -> tuple[int, str]:
    """Status and code of a change."""
    status, code, _ = await granting(world, key)
    return status, code


async def until(level: str, house: House) -> None:
    """Wait until the house has seen it by itself."""
    async with asyncio.timeout(HEALED_SECONDS):
        while True:
            if house.standing.level == level:
                return
            await asyncio.sleep(0.05)


async def marked(bed: Seedbed, folder: Path, volume: Volume, postgres: EmbeddedPostgres) -> Any:
    """With a low-water mark: changes stop, then reading, and the server lives."""
    seen: dict[str, Any] = {}
    async with living_world(bed, inner(folder, "marked"), {volume.path: LOW_MIB << 20}) as world:
        seen["before"] = await grant(world, "before")
        volume.leave(LOW_MIB // 2)
        await until("read-only", world.house)
        seen["low"] = await grant(world, "low")
        asked = Asked()
        await asyncio.gather(*(asked.ask(world, READ) for _ in range(20)))
        seen["low reads"] = sorted(asked.statuses)
        volume.leave(LOW_MIB // 8)
        await until("closed", world.house)
        asked = Asked()
        await asyncio.gather(*(asked.ask(world, READ) for _ in range(20)))
        seen["full reads"], seen["hinted"] = sorted(asked.statuses), asked.hinted
        seen["server"] = not postgres.process.ended()
        volume.empty()
        await until("open", world.house)
        seen["after"] = await grant(world, "after")
        seen["after reads"] = await Asked().ask(world, READ)
    return seen


class Clients:
    """Four that append and come again until they are answered, and what they were told."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._stop = asyncio.Event()
        self._tasks = [asyncio.create_task(self._append(1_000_000 * n)) for n in range(4)]
        self.told: list[tuple[str, int, int]] = []

    async def end(self) -> None:
        """Each has its answer first."""
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def more(self, count: int) -> None:
        """Wait until so many more were answered."""
        enough = len(self.told) + count
        async with asyncio.timeout(HEALED_SECONDS):
            while True:
                if len(self.told) >= enough:
                    return
                await asyncio.sleep(0.05)

    async def lost(self) -> list[tuple[str, int, int]]:
        """What they were told and is not there."""
        at = await seen_by_owner(self._house.settings.dsn)
        assert sorted(at) == list(range(1, len(at) + 1))
        return [
            (stream, first, last)
            for stream, first, last in self.told
            if stream not in {at.get(position) for position in range(first, last + 1)}
        ]

    async def _append(self, number: int) -> None:
        while not self._stop.is_set():
            try:
                receipt = await do(self._house, patient(number), key=f"{number}")
            except (LogUnavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.2)
                continue
            self.told.append((receipt.streams[0], receipt.first or 0, receipt.last or 0))
            number += 1


async def unmarked(
    bed: Seedbed, folder: Path, volume: Volume, postgres: EmbeddedPostgres, later: ExitStack
) -> Any:
    """Without a mark: the server ends, nobody sees a 500, and nothing acknowledged is lost.

    What runs when this is over is started in `later`.
    """
    asked = Asked()
    async with living_world(bed, inner(folder, "unmarked")) as world:
        clients = Clients(world.house)
        volume.fill()
        async with asyncio.timeout(120):
            while not postgres.process.ended():
                await asked.ask(world, READ)
                await asyncio.sleep(0.2)
        await asked.ask(world, READ)
        volume.empty()
        later.enter_context(server(folder))
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(HEALED_SECONDS):
            while True:
                if await asked.ask(world, READ) == 200:
                    break
                await asyncio.sleep(0.2)
        healed = asyncio.get_running_loop().time() - began
        await clients.more(4)
        await clients.end()
        lost = await clients.lost()
    told = len(clients.told)
    return {"told": told, "lost": lost, "statuses": sorted(asked.statuses), "healed": healed}


async def seen_by_owner(dsn: str) -> dict[int, str]:
    """The stream of each event, by position."""
    owner = await asyncpg.connect(dsn)
    rows = await owner.fetch("SELECT stream::text, position FROM event WHERE tenant = $1", HERE)
    await owner.close()
    return {row["position"]: row["stream"] for row in rows}


async def main(folder: Path) -> None:
    """Both, one after the other, on one server."""
    configure()  # to stderr: what was seen goes to stdout
    with apart(folder) as (postgres, volume), ExitStack() as later:
        template = postgres.create_database("template_anamnesis")
        migrate(template)
        for tenant in TENANTS:
            add_tenant(template, tenant)
        (folder / "bed").mkdir()
        bed = await sow(postgres, folder / "bed")
        seen = {"free": volume.free_mib()}
        seen |= await marked(bed, folder, volume, postgres)
        seen |= {"unmarked": await unmarked(bed, folder, volume, postgres, later)}
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
