"""A bounded number of requests in service; the others wait in a bounded queue, fair by caller.

Who waits is served by least recent use, so callers in equal want take turns and a greedy one waits
behind everybody else. Use is counted in bytes of answers, PAGE_BYTES for a page of a panel and
ROW_BYTES for a row at least: the work grows with them, and unlike a time they are the same on a
busy machine. A request whose price is known and no more than `cheap_price` is cheap whoever asks.
With others, a caller whose answers are over `dear_bytes` shares `dear` places with its like, and
callers of whom nothing is known yet share `new` ones, so that cheap requests find a free one. A
request that turns out dear goes on page by page: before and after it reads one it stands back
while a cheap or an earlier request is in service, `pause_s` at most and `pauses_s` in all.

How long one may wait follows the controlled delay of "Fail at Scale" (B. Maurer, ACM Queue 13,
2015): in a burst `patience_s`; once somebody was late all through that time, `overload_s`.
Whoever is late by their own limit says nothing of the server, and keeps `patience_s`.
"""

import asyncio
import contextlib
import itertools
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

HALF_LIFE_S = 10.0
MOST_CALLERS = 4_096
PAGE_BYTES = 8 * 1024
ROW_BYTES = 800
LEAST_BYTES = 1024
Reason = Literal["queue-full", "deadline"]


class Refused(Exception):
    """Not now: the queue is full, or the wait was too long."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLimits:
    """How much at once, and how long to wait.

    `in_service` requests, of them `per_caller` of one caller, `dear` of dear and `new` of new
    callers; the last `reserved` ones are for callers who have nothing else in service, and ask for
    little or have used far less than the others.
    `waiting` requests, of them `waiting_per_caller` of one caller.
    """

    in_service: int
    per_caller: int
    dear: int = 1
    dear_bytes: int = 128 * 1024
    cheap_price: int = 1_000
    new: int = 1
    reserved: int = 0
    pause_s: float = 0.05
    pauses_s: float = 1.0
    waiting: int = 256
    waiting_per_caller: int = 32
    patience_s: float = 0.5
    overload_s: float = 0.025


@dataclass(slots=True, eq=False)
class _Caller:
    waiting: "deque[asyncio.Future[Turn | None]]" = field(default_factory=deque)
    serving: int = 0
    mean: float = 0.0
    seen: bool = False
    used: float = 0.0
    used_at: float = 0.0

    def use(self, now: float) -> float:
        """Bytes of late, halved every HALF_LIFE_S."""
        return self.used * math.exp2((self.used_at - now) / HALF_LIFE_S)

    def spent(self, cost: int, now: float) -> None:
        """Count a request; the least one is not free."""
        cost = max(cost, LEAST_BYTES)
        self.used, self.used_at = self.use(now) + cost, now
        self.mean = 0.8 * self.mean + 0.2 * cost if self.seen else cost
        self.seen = True

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.serving)


Kind = Literal["cheap", "dear", "new"]


@dataclass(slots=True, eq=False)
class Turn:
    """A place in service, to be given back by `Lane.leave`; `cost` is what it has cost so far."""

    caller: _Caller
    kind: Kind
    dear_bytes: int
    cost: int = 0
    page: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the page of a dear request that is read or stands back."""
    paused: float = 0.0

    @property
    def is_dear(self) -> bool:
        """Whether it is a dear caller's, or has cost so much by now."""
        return self.kind == "dear" or self.cost > self.dear_bytes


Place = asyncio.Future[Turn | None]
"""In the line; None once it was too late. No exception is kept there: one that is held by what its
own traceback shows is garbage that only the collector finds, and a flood makes a heap of it."""


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


class _Wait(NamedTuple):
    """Who waits at which place, since when, and whether for `patience_s` in any case."""

    caller: _Caller
    place: Place
    since: float
    patient: bool


class Overload:
    """Whether there is overload: somebody was late all through a burst."""

    def __init__(self, burst_s: float, clock: Callable[[], float]) -> None:
        self._burst_s = burst_s
        self._clock = clock
        self._late_since = self._late_at = -math.inf

    def is_on(self) -> bool:
        """Whether it is so at this moment; asking changes nothing."""
        recent = self._clock() - self._late_at <= self._burst_s
        return recent and self._late_at - self._late_since > self._burst_s

    def late(self) -> bool:
        """Somebody is late by now; whether there is overload."""
        now = self._clock()
        if now - self._late_at > self._burst_s:
            self._late_since = now
        self._late_at = now
        return now - self._late_since > self._burst_s


class _Line:
    """Who waits: callers of equal use take turns, and nobody waits for longer than is agreed."""

    def __init__(self, limits: LaneLimits, clock: Callable[[], float], overload: Overload) -> None:
        self.waiting = 0
        self.callers: dict[_Caller, None] = {}
        self._prices: dict[Place, int | None] = {}
        self._limits = limits
        self._clock = clock
        self._overload = overload

    def join(self, caller: _Caller, price: int | None) -> Place:
        """A place in the line. Raises Refused where there is none."""
        limits = self._limits
        if self.waiting >= limits.waiting or len(caller.waiting) >= limits.waiting_per_caller:
            raise Refused("queue-full")
        place: Place = asyncio.get_running_loop().create_future()
        caller.waiting.append(place)
        self._prices[place] = price
        self.callers[caller] = None
        self.waiting += 1
        return place

    def asks_little(self, caller: _Caller) -> bool:
        """Whether the caller's longest waiting request is known to be cheap."""
        price = self._prices[caller.waiting[0]]
        return price is not None and price <= self._limits.cheap_price

    def first(self, caller: _Caller) -> Place:
        """The caller's longest waiting place, out of the line."""
        place = caller.waiting[0]
        self.remove(caller, place)
        return place

    def remove(self, caller: _Caller, place: Place) -> None:
        """Out of the line."""
        caller.waiting.remove(place)
        del self._prices[place]
        self.waiting -= 1
        del self.callers[caller]
        if caller.waiting:
            self.callers[caller] = None

    async def wait(self, caller: _Caller, place: Place, patient: bool) -> None:
        """Return when the place has its turn, or when that took too long."""
        again = asyncio.get_running_loop().call_later
        again(self._limits.overload_s, self._look, _Wait(caller, place, self._clock(), patient))
        await place

    def _look(self, wait: _Wait) -> None:
        """Whether it takes too long by now."""
        limits, caller, place = self._limits, wait.caller, wait.place
        if place.done():
            return
        held_back = caller.serving >= limits.per_caller
        hurried = not held_back and self._overload.late() and not wait.patient
        patience_s = limits.overload_s if hurried else limits.patience_s
        left = wait.since + patience_s - self._clock()
        if left > 0:
            later = min(left, limits.overload_s)
            asyncio.get_running_loop().call_later(later, self._look, wait)
            return
        self.remove(caller, place)
        place.set_result(None)


class Lane:
    """Places in service for callers by key; `clock` orders waits and lets use be forgotten."""

    def __init__(self, limits: LaneLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._callers = _Callers()
        self.overload = Overload(limits.patience_s, clock)
        self._line = _Line(limits, clock, self.overload)
        self._turns: dict[Turn, None] = {}
        self._vacated = asyncio.Event()

    @property
    def in_service(self) -> int:
        """Places taken."""
        return len(self._turns)

    @property
    def waiting(self) -> int:
        """Requests in the line."""
        return self._line.waiting

    async def enter(self, key: str, price: int | None = None) -> Turn:
        """A place for a caller, at once or later. Raises Refused.

        `price` is what the request costs at most, as far as that is known.
        """
        caller = self._callers.of(key)
        place = self._line.join(caller, price)
        # Nothing is new for those who wait already.
        self._dispatch((caller,))
        if not place.done():
            patient = self._kind(caller) == "cheap" and self._is_favoured(caller)
            try:
                await self._line.wait(caller, place, patient)
            except BaseException:
                self._withdraw(caller, place)
                raise
        turn = place.result()
        if turn is None:
            raise Refused("deadline")
        return turn

    def leave(self, turn: Turn, answered: int = 0) -> None:
        """Give the place back; so many bytes were answered, which counts as the caller's use."""
        turn.caller.spent(max(answered, turn.cost), self._clock())
        self._vacate(turn)

    def stands_back(self, turn: Turn) -> bool:
        """Whether a dear request has cheap or earlier ones beside it."""
        if not turn.is_dear:
            return False
        earlier = itertools.takewhile(lambda other: other is not turn, self._turns)
        return any(earlier) or not all(other.is_dear for other in self._turns)

    async def stand_back(self, turn: Turn) -> None:
        """Let cheap and earlier requests go first, as long as that is agreed."""
        since = self._clock()
        until = since + min(self.limits.pause_s, self.limits.pauses_s - turn.paused)
        while self.stands_back(turn) and (left := until - self._clock()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._vacated.wait()
        turn.paused += self._clock() - since

    def _dispatch(self, callers: Collection[_Caller] | None = None) -> None:
        """Fill the free places, least recent use first; from all who wait, or from these."""
        now = self._clock()
        while self._line.waiting and self.in_service < self.limits.in_service:
            some = self._line.callers if callers is None else callers
            ready = [caller for caller in some if caller.waiting and self._may_enter(caller)]
            if not ready:
                return
            chosen = min(ready, key=lambda caller: caller.use(now))
            kind = self._kind(chosen)
            place = self._line.first(chosen)
            if not place.done():
                turn = Turn(chosen, kind, self.limits.dear_bytes)
                self._turns[turn] = None
                chosen.serving += 1
                place.set_result(turn)

    def _may_enter(self, caller: _Caller) -> bool:
        limits, kind = self.limits, self._kind(caller)
        most = {"cheap": limits.in_service, "dear": limits.dear, "new": limits.new}[kind]
        alike = sum(turn.kind == kind for turn in self._turns)
        if self.in_service >= limits.in_service - limits.reserved and not self._is_favoured(caller):
            return False
        return alike < most and caller.serving < limits.per_caller

    def _is_favoured(self, caller: _Caller) -> bool:
        """Whether a caller has nothing in service, and asks for little or is light."""
        return caller.serving == 0 and (
            self._line.asks_little(caller) or _is_light(caller, self._turns, self._clock())
        )

    def _kind(self, caller: _Caller) -> Kind:
        """Of the caller's longest waiting request."""
        if self._line.asks_little(caller):
            return "cheap"
        if not caller.seen:
            return "new"
        return "dear" if caller.mean > self.limits.dear_bytes else "cheap"

    def _withdraw(self, caller: _Caller, place: Place) -> None:
        """Who no longer waits gives up the place in the line, or the one just given."""
        if place in caller.waiting:
            self._line.remove(caller, place)
        elif not place.cancelled() and (turn := place.result()) is not None:
            self._vacate(turn)

    def _vacate(self, turn: Turn) -> None:
        del self._turns[turn]
        turn.caller.serving -= 1
        self._vacated.set()
        self._vacated = asyncio.Event()
        self._dispatch()


def _is_light(caller: _Caller, turns: Collection[Turn], now: float) -> bool:
    """Whether a caller has used less than a quarter of what those in service usually have."""
    uses = sorted(turn.caller.use(now) + PAGE_BYTES for turn in turns)
    return bool(uses) and 4 * caller.use(now) < uses[len(uses) // 2]
