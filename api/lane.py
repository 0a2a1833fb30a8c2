"""A bounded number of requests in service; the others wait in a bounded queue, fair by caller.

Who waits is served by least recent use, so callers in equal want take turns and a greedy one waits
behind everybody else. Use is the event loop's CPU time, split evenly among the requests in service
(generalized processor sharing); a slow disk is nobody's use. A caller whose requests cost more than
`dear_s` each shares `dear` places with its like, so that cheap requests find a free one.

How long one may wait follows the controlled delay of "Fail at Scale" (B. Maurer, ACM Queue 13,
2015): a burst has `patience_s`; once the queue has been standing for that long, `overload_s`.
"""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Literal

HALF_LIFE_S = 10.0
MOST_CALLERS = 4_096
Reason = Literal["queue-full", "deadline"]
Gone = Callable[[], Coroutine[object, object, None]]
"""Waits until the client has left."""


class Refused(Exception):
    """Not now: the queue is full, or the wait was too long."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Left(Exception):
    """The client went away while it waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLimits:
    """How much at once, and how long to wait.

    `in_service` requests, of them `per_caller` of one caller and `dear` of dear callers; `waiting`
    requests, of them `waiting_per_caller` of one caller.
    """

    in_service: int
    per_caller: int
    dear: int = 1
    dear_s: float = 0.03
    waiting: int = 256
    waiting_per_caller: int = 32
    patience_s: float = 0.5
    overload_s: float = 0.03


@dataclass(slots=True, eq=False)
class _Caller:
    waiting: deque[asyncio.Future[bool]] = field(default_factory=deque)
    serving: int = 0
    mean_s: float = 0.0
    seen: bool = False
    used_s: float = 0.0
    used_at: float = 0.0

    def use(self, now: float) -> float:
        """CPU seconds of late, halved every HALF_LIFE_S."""
        return self.used_s * math.exp2((self.used_at - now) / HALF_LIFE_S)

    def spent(self, cpu_s: float, now: float) -> None:
        """Count a request."""
        self.used_s, self.used_at = self.use(now) + cpu_s, now
        self.mean_s = 0.8 * self.mean_s + 0.2 * cpu_s if self.seen else cpu_s
        self.seen = True

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.serving)


@dataclass(frozen=True, slots=True)
class Turn:
    """A place in service, to be given back by `Lane.leave`."""

    key: str
    dear: bool
    began_s: float


class _Callers:
    """Callers by key, the idle ones forgotten when there are too many."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[str, _Caller] = OrderedDict()

    def of(self, key: str) -> _Caller:
        caller = self._by_key.get(key)
        if caller is None:
            caller = self._by_key[key] = _Caller()
            if len(self._by_key) > MOST_CALLERS:
                self._forget()
        self._by_key.move_to_end(key)
        return caller

    def _forget(self) -> None:
        """The caller that has been idle for longest."""
        for key, caller in self._by_key.items():
            if caller.idle:
                del self._by_key[key]
                return


class _SharedTime:
    """The CPU time that one request in service since the beginning would have had."""

    def __init__(self, cpu: Callable[[], float]) -> None:
        self._cpu = cpu
        self._at = cpu()
        self._shared_s = 0.0

    def among(self, in_service: int) -> float:
        """The time now; so many shared what has passed since the last call."""
        now = self._cpu()
        if in_service:
            self._shared_s += (now - self._at) / in_service
        self._at = now
        return self._shared_s


class Lane:
    """Places in service for callers named by a key.

    `clock` orders waits; `cpu` is the time that the serving thread has worked.
    """

    def __init__(
        self,
        limits: LaneLimits,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self.limits = limits
        self.in_service = 0
        self.waiting = 0
        self._clock = clock
        self._callers = _Callers()
        self._lined: dict[_Caller, None] = {}
        self._dear = 0
        self._shared = _SharedTime(cpu)
        self._standing_since: float | None = None

    async def enter(self, key: str, gone: Gone) -> Turn:
        """A place for a caller, at once or later; `gone` returns when the client has left.

        Raises Refused, and Left.
        """
        caller = self._callers.of(key)
        limits = self.limits
        if self.waiting >= limits.waiting or len(caller.waiting) >= limits.waiting_per_caller:
            raise Refused("queue-full")
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        caller.waiting.append(place)
        self._lined[caller] = None
        self.waiting += 1
        self._dispatch()
        if not place.done():
            if self._standing_since is None:
                self._standing_since = self._clock()
            try:
                await self._wait(place, gone)
            except BaseException:
                self._withdraw(caller, place)
                raise
        return Turn(key, place.result(), self._shared.among(self.in_service))

    def leave(self, turn: Turn) -> None:
        """Give the place back; what it cost counts as the caller's use."""
        caller = self._callers.of(turn.key)
        caller.spent(self._shared.among(self.in_service) - turn.began_s, self._clock())
        self._vacate(caller, turn.dear)

    async def _wait(self, place: asyncio.Future[bool], gone: Gone) -> None:
        since = self._clock()
        left = asyncio.ensure_future(gone())
        either: set[asyncio.Future[bool] | asyncio.Future[None]] = {place, left}
        try:
            while not place.done():
                now = self._clock()
                patience = self._patience(now) - (now - since)
                if patience <= 0:
                    raise Refused("deadline")
                most = min(patience, self.limits.overload_s)
                await asyncio.wait(either, timeout=most, return_when=asyncio.FIRST_COMPLETED)
                if left.done() and not place.done():
                    raise Left
        finally:
            left.cancel()

    def _patience(self, now: float) -> float:
        limits, since = self.limits, self._standing_since
        standing = since is not None and now - since > limits.patience_s
        return limits.overload_s if standing else limits.patience_s

    def _dispatch(self) -> None:
        """Fill the free places, least recent use first."""
        now = self._clock()
        while self.waiting and self.in_service < self.limits.in_service:
            ready = [caller for caller in self._lined if self._may_enter(caller)]
            if not ready:
                return
            chosen = min(ready, key=lambda caller: caller.use(now))
            dear = chosen.mean_s > self.limits.dear_s
            self._shared.among(self.in_service)
            self.in_service += 1
            self._dear += dear
            chosen.serving += 1
            place = chosen.waiting.popleft()
            self._shrink(chosen)
            place.set_result(dear)

    def _may_enter(self, caller: _Caller) -> bool:
        room = self._dear < self.limits.dear or caller.mean_s <= self.limits.dear_s
        return room and caller.serving < self.limits.per_caller

    def _withdraw(self, caller: _Caller, place: asyncio.Future[bool]) -> None:
        """Who no longer waits gives up the place in the queue, or the one just given."""
        if place.done():
            self._vacate(caller, place.result())
        else:
            caller.waiting.remove(place)
            self._shrink(caller)

    def _vacate(self, caller: _Caller, dear: bool) -> None:
        self._shared.among(self.in_service)
        self.in_service -= 1
        self._dear -= dear
        caller.serving -= 1
        self._dispatch()

    def _shrink(self, caller: _Caller) -> None:
        self.waiting -= 1
        del self._lined[caller]
        if caller.waiting:
            self._lined[caller] = None  # at the end: callers of equal use take turns
        if not self._lined:
            self._standing_since = None
