"""The ground the measurements stand on: PostgreSQL on the disk, durable, with a house beside it."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.embedded import EmbeddedPostgres, start_postgres
from adapters.postgres.migrate import add_tenant, migrate
from api.house import House, open_house
from api.keystore import create_root
from api.settings import Settings

TENANT = "riverside"
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")


class NotADisk(Exception):
    """The temporary folder is in memory, where fsync costs nothing. Set TMPDIR to a disk."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A server with fsync and synchronous commit, and a folder for keys."""

    server: EmbeddedPostgres
    folder: Path

    def database(self, name: str) -> str:
        """A fresh migrated database with one tenant; the owner's DSN."""
        dsn = self.server.create_database(name)
        migrate(dsn)
        add_tenant(dsn, TENANT)
        return dsn

    @asynccontextmanager
    async def house(self, name: str) -> AsyncIterator[House]:
        """A house on a database of its own."""
        dsn = self.database(name)
        settings = Settings.in_folder(self.folder / name, dsn)
        create_root(settings)
        async with open_house(settings) as house:
            yield house


@contextmanager
def ground() -> Iterator[Ground]:
    """Start the server below the temporary folder; everything is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="anamnesis-bench-") as name:
        folder = Path(name)
        if _file_system(folder) in MEMORY_FILE_SYSTEMS:
            raise NotADisk(name)
        settings = {"fsync": "on", "synchronous_commit": "on"}
        with start_postgres(folder / "postgres", settings=settings) as server:
            yield Ground(server, folder)


def _file_system(folder: Path) -> str:
    """The type of the file system that holds a folder, or nothing where /proc does not say."""
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return ""
    here = os.path.realpath(folder)
    holding = [
        (len(point), kind)
        for _, point, kind, *_ in (mount.split(" ") for mount in mounts)
        if here == point or here.startswith(point.rstrip("/") + "/")
    ]
    return max(holding, default=(0, ""))[1]
