"""Heads of all logs signed in time: soon after the first unsigned event, sooner when many wait.

The appends say by notification how far each log is; where that fails the logs are looked at.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import asyncpg
import structlog

from adapters.heads.kept import KeptHeadDamaged
from adapters.heads.signer import HeadSigner
from adapters.postgres.exporting import LogForked
from adapters.postgres.listening import listening

SOON_S = 0.5
"""After the first unsigned event; with the time that signing takes it is signed within 1 s."""
MANY = 256
"""Unsigned events that are signed at once."""
LOOK_S, DEAF_S = 5.0, 0.5
"""How often every log is looked at, with and without notifications."""
RETRY_S = 1.0
_log = structlog.get_logger("anamnesis.heads")
Connect = Callable[[], Awaitable[asyncpg.Connection]]
SignerOf = Callable[[str], Awaitable[HeadSigner]]


@dataclass(slots=True)
class Watch:
    """What is known of one log: its end, what is signed, and since when something is not."""

    tenant: str
    signer: HeadSigner
    end: int = 0
    signed: int = 0
    since: float | None = None
    not_before: float = 0.0
    """Not tried again until then, after a failure."""
    refused: bool = False

    def heard(self, position: int, now: float) -> None:
        """The log has grown to this position."""
        self.end = max(self.end, position)
        if self.end > self.signed and self.since is None:
            self.since = now

    def due(self, now: float) -> float | None:
        """In how many seconds to sign; None where there is nothing to sign."""
        if self.refused or self.since is None:
            return None
        soon = 0.0 if self.end - self.signed >= MANY else self.since + SOON_S - now
        return max(0.0, soon, self.not_before - now)

    async def sign(self, clock: Callable[[], float]) -> None:
        """Sign now, unless the log was refused; whatever fails is told and tried again."""
        if self.refused:
            return
        try:
            signed = await self.signer.sign()
        except (LogForked, KeptHeadDamaged) as error:
            self.refused = True
            _log.error("heads.refused", tenant=self.tenant, error=type(error).__name__)
        except Exception as error:  # the duty outlives whatever a connection or a disk meets
            self.since = self.since or clock()
            self.not_before = clock() + RETRY_S
            _log.warning("heads.unsigned", tenant=self.tenant, error=type(error).__name__)
        else:
            # Where another process signs, this one looks again when something new is heard.
            self.signed = self.end if signed is None else max(signed, self.signed)
            self.since = clock() if self.end > self.signed else None


class HeadDuty:
    """Keeps the heads of logs signed, until it is stopped."""

    def __init__(
        self, signer_of: SignerOf, connect: Connect, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`connect` opens a connection for notifications."""
        self._signer_of = signer_of
        self._connect = connect
        self._clock = clock
        self._watches: dict[str, Watch] = {}
        self._unknown: set[str] = set()
        self._wake = asyncio.Event()
        self._stopping = False

    @property
    def unsigned_s(self) -> float:
        """How long the longest waiting event has been without a signed head."""
        waiting = [w.since for w in self._watches.values() if w.since is not None]
        return self._clock() - min(waiting) if waiting else 0.0

    @property
    def refused(self) -> int:
        """Logs that nothing more is signed of."""
        return sum(watch.refused for watch in self._watches.values())

    def stop(self) -> None:
        """End `run` after the round under way."""
        self._stopping = True
        self._wake.set()

    async def run(self, tenants: Iterable[str]) -> None:
        """Sign until stopped; logs that are opened meanwhile too, from their first event on."""
        self._unknown |= set(tenants)
        listener = None
        try:
            look_at = self._clock()
            while not self._stopping:
                if listener is None or listener.is_closed():
                    listener = await listening(self._connect, self._heard, "heads.deaf")
                await self._meet()
                if self._clock() >= look_at:
                    await self._sign(self._watches.values())
                    look_at = self._clock() + (DEAF_S if listener is None else LOOK_S)
                await self._sign(self._due())
                await self._until(look_at)
        finally:
            if listener is not None:
                listener.terminate()

    async def _meet(self) -> None:
        """Take up the logs that were heard of for the first time."""
        for tenant in sorted(self._unknown):
            try:
                signer = await self._signer_of(tenant)
            except Exception as error:  # one log without keys must not leave the others unsigned
                _log.error("heads.no-signer", tenant=tenant, error=type(error).__name__)
                continue
            self._unknown.discard(tenant)
            self._watches[tenant] = Watch(tenant, signer, since=self._clock())

    def _due(self) -> list[Watch]:
        now = self._clock()
        return [watch for watch in self._watches.values() if watch.due(now) == 0.0]

    async def _sign(self, watches: Iterable[Watch]) -> None:
        for watch in list(watches):
            await watch.sign(self._clock)

    async def _until(self, look_at: float) -> None:
        now = self._clock()
        dues = [due for watch in self._watches.values() if (due := watch.due(now)) is not None]
        pause = min([max(0.0, look_at - now), *dues])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()
        self._wake.clear()

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        now = self._clock()
        if not payload:
            # More logs have grown than a notification can name.
            for grown in self._watches.values():
                grown.since = grown.since or now
            self._wake.set()
        for line in payload.splitlines():
            tenant, _, position = line.partition(" ")
            watch = self._watches.get(tenant)
            if watch is None:
                self._unknown.add(tenant)
                self._wake.set()
            else:
                was_due = watch.due(now)
                watch.heard(int(position), now)
                if watch.due(now) != was_due:
                    self._wake.set()
