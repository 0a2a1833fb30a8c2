"""A wire to PostgreSQL that can be cut, go dead without a word, or be slow. In user space."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Mode = Literal["well", "dead", "cut", "slow"]
SOCKET = ".s.PGSQL.5432"
SLOW_SECONDS = 0.02
PORTION = 65_536


@dataclass(slots=True)
class Wire:
    """All connections of a house to its server.

    `dead`: nothing that is sent arrives any more, and nobody is told, also for connections that are
    made then (a half-open network); what died so stays dead. `cut`: connections are closed, and new
    ones as well. `slow`: each portion takes its time.
    """

    target: str
    mode: Mode = "well"
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _dead: set[asyncio.StreamWriter] = field(default_factory=set)

    def set(self, mode: Mode) -> None:
        """From now on."""
        self.mode = mode
        if mode == "dead":
            self._dead |= self._open
        if mode == "cut":
            for writer in self._open:
                writer.close()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.mode == "cut":
            writer.close()
            return
        theirs, ours = await asyncio.open_unix_connection(self.target)
        self._open |= {writer, ours}
        if self.mode == "dead":
            self._dead |= {writer, ours}
        try:
            await asyncio.gather(self._pump(reader, ours), self._pump(theirs, writer))
        finally:
            self._open -= {writer, ours}
            self._dead -= {writer, ours}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while portion := await reader.read(PORTION):
                if writer in self._dead:
                    continue
                if self.mode == "slow":
                    await asyncio.sleep(SLOW_SECONDS)
                writer.write(portion)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def wired(folder: Path, target: str) -> AsyncIterator[Wire]:
    """A wire that listens in the folder, to the socket of a server's folder."""
    await asyncio.to_thread(folder.mkdir, mode=0o700)
    wire = Wire(f"{target}/{SOCKET}")
    server = await asyncio.start_unix_server(wire.connected, folder / SOCKET)
    try:
        yield wire
    finally:
        wire.set("cut")
        server.close()
        await server.wait_closed()
