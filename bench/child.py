"""Child processes of a measurement: modules of `bench` that are asked line by line."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_LONGEST_LINE = 2**26


class NoPipes(Exception):
    """A child process was started without its pipes."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child with its pipes."""

    process: int
    asked: asyncio.StreamWriter
    told: asyncio.StreamReader

    async def ask(self, line: str) -> bytes:
        """The line that answers this one; nothing when the child has ended."""
        self.asked.write(line.encode() + b"\n")
        await self.asked.drain()
        return await self.told.readline()

    @property
    def cpu_seconds(self) -> float:
        """User and system time so far; 0 where /proc does not say."""
        try:
            fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def child(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Start a module; it ends with its standard input."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
    )
    if started.stdin is None or started.stdout is None:
        raise NoPipes
    try:
        yield Child(started.pid, started.stdin, started.stdout)
    finally:
        started.stdin.close()
        await started.wait()
