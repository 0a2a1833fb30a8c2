"""How a process stands: whether it may change anything, read anything, or neither just now.

Before the disk of the log is full PostgreSQL goes on; when it is, PostgreSQL ends. So writing stops
while there is room for what reading writes, and reading stops while there is room for a restart.
A clock that went astray decides wrongly who may read and what is late, so nothing is decided by it.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import structlog

from adapters.postgres.away import AWAY
from adapters.postgres.writer import LogUnavailable

_log = structlog.get_logger("anamnesis.standing")
Level = Literal["open", "read-only", "closed"]
LEVELS: Final[tuple[Level, ...]] = ("open", "read-only", "closed")
LOOK_SECONDS: Final = 1.0
MAX_SKEW_SECONDS: Final = 2.0
QUESTION_SECONDS: Final = 2.0
RETRY_AFTER_S: Final = 5
CLOSED_AT: Final = 0.25
"""Of the low-water mark: with less room than that reading stops, too."""
OPEN_AT: Final = 1.1
"""Of the mark: with less room than that writing does not begin again."""
Clock = Callable[[], Awaitable[datetime]]


class ReadOnly(LogUnavailable):
    """Nothing can be changed now: the disk of the log is nearly full. Make room; it goes on by
    itself."""


class Room:
    """How much room there is where the log grows."""

    def __init__(self, low_water: Mapping[Path, int]) -> None:
        """`low_water` is bytes that must be free at a path."""
        self._low_water = low_water
        self.level: Level = "open"

    async def look(self) -> Level:
        """Look now."""
        self.level = await asyncio.to_thread(self._seen)
        return self.level

    async def enough(self) -> None:
        """Return when there is room for what may write much."""
        while True:
            if await self.look() == "open":
                return
            await asyncio.sleep(LOOK_SECONDS)

    def _seen(self) -> Level:
        levels = [self._level_at(path, mark) for path, mark in self._low_water.items()]
        return max(levels, key=LEVELS.index, default="open")

    def _level_at(self, path: Path, mark: int) -> Level:
        try:
            room = os.statvfs(path)
        except OSError:
            return "read-only"
        free = room.f_bavail * room.f_frsize
        if free < mark * CLOSED_AT:
            return "closed"
        enough = mark if self.level == "open" else mark * OPEN_AT
        return "open" if free >= enough else "read-only"


class Standing:
    """The level of one process, looked at each second; by itself it writes and sends nothing."""

    def __init__(self, low_water: Mapping[Path, int], theirs: Clock) -> None:
        """`low_water` as Room's; `theirs` tells the database's time."""
        self._room = Room(low_water)
        self._theirs = theirs
        self._clock: Level = "open"
        self._drift = _drift()

    @property
    def level(self) -> Level:
        """What is allowed at this moment."""
        # A clock that was set since the last look is seen before anything is decided by it.
        return "closed" if self.is_astray else self._room.level

    @property
    def is_astray(self) -> bool:
        """Whether the clock is not the database's."""
        return self._clock == "closed" or abs(_drift() - self._drift) > MAX_SKEW_SECONDS

    def check_writable(self) -> None:
        """Raises ReadOnly, or LogUnavailable where reading stops, too."""
        if self.level == "read-only":
            raise ReadOnly
        self.check_readable()

    def check_readable(self) -> None:
        """Raises LogUnavailable."""
        if self.level == "closed":
            raise LogUnavailable

    async def look(self) -> Level:
        """Look at disks and clocks now."""
        await asyncio.gather(self.look_at_room(), self.look_at_clock())
        return self.level

    async def look_at_room(self) -> None:
        """How much room there is, whatever the database says."""
        before = self.level
        await self._room.look()
        self._tell(before)

    async def look_at_clock(self) -> None:
        """Whose time it is. A database that is away, or slow, says nothing of the time."""
        before, drift, began = self.level, _drift(), time.monotonic()
        try:
            async with asyncio.timeout(QUESTION_SECONDS):
                theirs = await self._theirs()
        except AWAY:
            return
        half = timedelta(seconds=(time.monotonic() - began) / 2)
        apart = abs(datetime.now(UTC) - half - theirs) - half
        self._clock = "open" if apart.total_seconds() <= MAX_SKEW_SECONDS else "closed"
        self._drift = drift
        self._tell(before)

    async def watch(self) -> None:
        """Look for ever; a database that is away keeps nobody from looking at the disk."""
        await asyncio.gather(_again(self.look_at_room), _again(self.look_at_clock))

    def _tell(self, before: Level) -> None:
        if self.level != before:
            room = self._room.level
            _log.warning("standing.changed", level=self.level, room=room, clock=self._clock)


@asynccontextmanager
async def watched(standing: Standing) -> AsyncIterator[Standing]:
    """The standing is looked at while the context is open."""
    await standing.look()
    watching = asyncio.create_task(standing.watch(), name="standing")
    try:
        yield standing
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _again(look: Callable[[], Awaitable[object]]) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await look()
        except Exception as error:  # it outlives whatever a look meets
            _log.warning("standing.unseen", error=type(error).__name__)


def _drift() -> float:
    """How far the clock on the wall is from the one that nobody can set."""
    return time.time() - time.monotonic()
