"""The projector as a process of its own, started, watched and stopped by the one that serves.

Beside answers on one event loop, each of its rounds waits for theirs. What the process needs goes
through a pipe, so that no argument and no variable that others can list has a DSN; the pipe's end
tells it to stop, also when the serving process was killed. It gives a sign of life each second.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

import structlog
import uvloop

from adapters.postgres.pools import bounded_pool
from adapters.postgres.projector import Projector
from adapters.postgres.rebuild import bring_up_to_date
from adapters.postgres.revoking import revoking
from api import logs
from api.house import (
    ROUND_SECONDS,
    House,
    ear,
    ended,
    tailing_pool,
    tenants_of,
    workers_of,
)
from api.keystore import open_keys
from api.settings import Settings
from api.standing import Room
from projections.catalogue import PROJECTIONS

_log = structlog.get_logger("anamnesis.apart")
BEAT_SECONDS = 1.0
LATE_SECONDS = 10.0
"""Without a sign of life for so long, the projector counts as dead."""
LEAST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.25, 30.0
STEADY_SECONDS = 60.0
"""A projector that lived for so long is started again without the pause of its forerunners."""
_READY, _BEAT = "ready", "beat"


class ProjectorNotStarted(Exception):
    """The projector ended before it was ready. What it logged says why."""


class ProjectorProcess:
    """The process as the serving one sees it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._heard_at = time.monotonic()
        self.starts = 0
        self.process: int | None = None

    @property
    def silent_seconds(self) -> float:
        """How long ago the last sign of life was."""
        return time.monotonic() - self._heard_at

    @property
    def is_alive(self) -> bool:
        """Whether there was a sign of life of late."""
        return self.silent_seconds < LATE_SECONDS

    async def keep(self, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """Have a projector until told to stop. Raises ProjectorNotStarted for the first one."""
        pause = LEAST_PAUSE_SECONDS
        while not stop.is_set():
            began = time.monotonic()
            await self._live(ready, stop)
            if stop.is_set():
                return
            if not ready.is_set():
                raise ProjectorNotStarted
            if time.monotonic() - began > STEADY_SECONDS:
                pause = LEAST_PAUSE_SECONDS
            _log.warning("projector.died", pause=pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stop.wait()
            pause = min(2 * pause, MOST_PAUSE_SECONDS)

    async def _live(self, ready: asyncio.Event, stop: asyncio.Event) -> None:
        """The life of one process; returns when it has ended."""
        child, wire = await asyncio.to_thread(_started, self._settings)
        self.starts += 1
        self.process = child.pid
        listening = asyncio.create_task(self._listen(wire, ready), name="projector-signs")
        stopping = asyncio.create_task(stop.wait(), name="projector-stop")
        try:
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.process = None
            listening.cancel()
            stopping.cancel()
            await asyncio.wait({listening, stopping})
            wire.close()
            await asyncio.to_thread(_end, child)

    async def _listen(self, wire: Connection, ready: asyncio.Event) -> None:
        """Note the signs of life until there are no more."""
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(wire.fileno(), readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                while wire.poll():
                    told = wire.recv()
                    self._heard_at = time.monotonic()
                    if told == _READY:
                        ready.set()
        except (EOFError, OSError):
            return
        finally:
            loop.remove_reader(wire.fileno())


@asynccontextmanager
async def projecting_apart(house: House) -> AsyncIterator[ProjectorProcess]:
    """A projector in a process of its own while the context is open; another one if it dies.

    As `projecting`: read models of an earlier version are rebuilt first. Raises
    ProjectorNotStarted.
    """
    projector = ProjectorProcess(house.settings)
    ready, stop = asyncio.Event(), asyncio.Event()
    keeping = asyncio.create_task(projector.keep(ready, stop), name="projector-keeper")
    waiting = asyncio.create_task(ready.wait(), name="projector-ready")
    try:
        await asyncio.wait({keeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set():
            await keeping
        yield projector
    finally:
        waiting.cancel()
        stop.set()
        await asyncio.wait({keeping})


def _started(settings: Settings) -> tuple[SpawnProcess, Connection]:
    # Spawned, as a forked process would share this one's sockets and threads.
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    child = spawn.Process(target=_project, args=(settings, theirs), name="projector", daemon=False)
    child.start()
    theirs.close()
    return child, ours


def _end(child: SpawnProcess) -> None:
    """The pipe is closed: wait for the round under way, and no longer than that."""
    child.join(ROUND_SECONDS + 2 * BEAT_SECONDS)
    if child.is_alive():
        child.kill()
        child.join()
    child.close()


@dataclass(frozen=True, slots=True)
class _Parent:
    """The serving process as this one sees it: a pipe."""

    wire: Connection
    gone: asyncio.Event

    def watch(self) -> None:
        """Notice when it closes its end, or ends."""
        asyncio.get_running_loop().add_reader(self.wire.fileno(), self._leave)

    def _leave(self) -> None:
        asyncio.get_running_loop().remove_reader(self.wire.fileno())
        self.gone.set()

    def say(self, word: str) -> None:
        """Tell it, unless it is gone."""
        try:
            self.wire.send(word)
        except OSError:
            self.gone.set()

    async def beat(self) -> None:
        """A sign of life each second."""
        while True:
            self.say(_BEAT)
            await asyncio.sleep(BEAT_SECONDS)


def _project(settings: Settings, wire: Connection) -> None:
    """What the process does."""
    logs.configure()
    # Ctrl-C reaches the whole group; the serving process says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(_projected(settings, wire))


async def _projected(settings: Settings, wire: Connection) -> None:
    parent = _Parent(wire, asyncio.Event())
    parent.watch()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, parent.gone.set)
    tailing = asyncio.create_task(_tail(settings, parent), name="projector")
    beating = asyncio.create_task(parent.beat(), name="projector-signs")
    leaving = asyncio.create_task(parent.gone.wait(), name="projector-leaving")
    try:
        await asyncio.wait({tailing, beating, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        beating.cancel()
        leaving.cancel()
        if tailing.done():
            _report(tailing)
        await ended(tailing)


def _report(tailing: asyncio.Task[None]) -> None:
    """Why the projector ended, by the name of the error only."""
    error = None if tailing.cancelled() else tailing.exception()
    if error is not None:
        _log.error("projector.failed", error=type(error).__name__)


async def _tail(settings: Settings, parent: _Parent) -> None:
    """Tail every tenant's log until told to stop; rebuild what is of an earlier version meanwhile.

    The process of the earlier release cannot keep what is rebuilt already.
    """
    dsn, keys = settings.role_dsn("projector"), open_keys(settings)
    async with (
        tailing_pool(dsn) as tailed,
        bounded_pool(dsn, 4, statement_s=None, min_size=0) as pool,
        revoking(keys, ear(settings, "projector")),
    ):
        known = await tenants_of(tailed)
        projector = Projector(tailed, keys, PROJECTIONS)
        stopping = asyncio.create_task(_stopped(projector, parent), name="projector-stop")
        tailing = asyncio.create_task(
            projector.run(known, ear(settings, "projector")),
            name="projector-tail",
        )
        try:
            await Room(settings.low_water).enough()
            await bring_up_to_date(
                pool, keys, known, PROJECTIONS, lambda _done, _total: None, workers_of(settings)
            )
            parent.say(_READY)
            await tailing
        finally:
            stopping.cancel()
            projector.stop()
            await ended(tailing)


async def _stopped(projector: Projector, parent: _Parent) -> None:
    await parent.gone.wait()
    projector.stop()
