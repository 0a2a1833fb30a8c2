"""States of long streams that this process folded before, so that it loads what came since.

A baseline is a state with the last event it was folded from. That event is loaded again with what
follows; where it is another one now, the log is not the one that the state came from, and the
stream is loaded whole. What an erasure destroys takes the tenant's baselines along: they hold what
the events said.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from domain.kernel.command import Reserved, State, Stream
from domain.kernel.event import Recorded
from domain.kernel.log import Loaded, fold

LONG: Final = 64
"""Events from which on a stream has a baseline: shorter ones are loaded in the time of a few."""
CAPACITY: Final = 4_096
"""Streams; the least recently used goes first."""
_Key = tuple[str, str, type[State]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A state, and which event it is as of."""

    state: State
    version: int
    position: int
    committed_at: datetime

    @classmethod
    def of(cls, state: State, last: Recorded) -> "Baseline":
        """The state after this event."""
        return cls(state, last.version, last.position, last.committed_at)

    def goes_on(self, events: Sequence[Recorded]) -> bool:
        """Whether these events, from its own version on, begin with the one it is as of."""
        first = events[0] if events else None
        return first is not None and (first.version, first.position, first.committed_at) == (
            self.version,
            self.position,
            self.committed_at,
        )


@dataclass(slots=True)
class Held:
    """The baselines of one recall, by stream and fold; they stay what they are meanwhile."""

    turn: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    """From which version on events of a stream are loaded."""
    broken: set[str] = field(default_factory=set)
    """Streams that are to be loaded whole."""
    _states: dict[tuple[str, type[State]], Baseline] = field(default_factory=dict)

    def add(self, ident: str, stream: Stream, baseline: Baseline | None) -> None:
        """One stream of the recall. All must have a baseline who load the same one."""
        if baseline is None:
            self.versions.pop(ident, None)
            self._states = {key: one for key, one in self._states.items() if key[0] != ident}
            return
        self._states[ident, stream.fold] = baseline
        self.versions[ident] = min(self.versions.get(ident, baseline.version), baseline.version)

    def before(self, stream: Stream, found: Loaded) -> Loaded:
        """What was found, as its baseline and the events since."""
        if stream.any_version or found.id not in self.versions:
            return found
        baseline = self._states.get((found.id, stream.fold))
        since = 0 if baseline is None else baseline.version
        events = tuple(event for event in found.events if event.version >= since)
        # Without one, the stream was only then found to be what a reserved value stands for.
        if baseline is None or not baseline.goes_on(events):
            self.broken.add(found.id)
            return found
        return replace(found, events=events[1:], baseline=baseline.state)


class Baselines:
    """The baselines of one process, at most `capacity`."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[_Key, Baseline] = OrderedDict()
        self._named: dict[tuple[str, bytes], str] = {}
        self._turns: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._kept)

    def forget(self, tenant: str) -> None:
        """Drop every state of a tenant, at once; what is being folded meanwhile is not kept."""
        self._turns[tenant] += 1
        self._drop([key for key in self._kept if key[0] == tenant])

    def drop(self, tenant: str, idents: Collection[str]) -> None:
        """Drop what is known of these streams."""
        self._drop([key for key in self._kept if key[0] == tenant and key[1] in idents])

    def held(self, tenant: str, streams: Sequence[Stream], keys: Mapping[Reserved, bytes]) -> Held:
        """The baselines of these streams; of a reserved value, the stream that it stood for."""
        held, without = Held(self._turns[tenant]), set[str]()
        for stream in streams:
            names = (self._named.get((tenant, keys[value])) for value in stream.values)
            ident = stream.id or next(filter(None, names), None)
            if ident is None or stream.any_version or ident in without:
                continue
            baseline = self._kept.get((tenant, ident, stream.fold))
            if baseline is None:
                without.add(ident)
            else:
                self._kept.move_to_end((tenant, ident, stream.fold))
            held.add(ident, stream, baseline)
        return held

    def settled(
        self,
        tenant: str,
        streams: Sequence[Stream],
        loaded: Sequence[Loaded],
        held: Held,
        keys: Mapping[Reserved, bytes],
    ) -> list[Loaded]:
        """Long streams as the states that they amount to, which are kept."""
        settled = []
        for stream, one in zip(streams, loaded, strict=True):
            if one.baseline is None and len(one.events) < LONG:
                settled.append(one)
                continue
            state = fold(stream, one)
            if one.events and held.turn == self._turns[tenant]:
                self._keep((tenant, one.id, stream.fold), Baseline.of(state, one.events[-1]))
                self._named.update({(tenant, keys[value]): one.id for value in stream.values})
            settled.append(replace(one, events=(), baseline=state))
        return settled

    def _keep(self, key: _Key, baseline: Baseline) -> None:
        self._kept[key] = baseline
        self._kept.move_to_end(key)
        if len(self._kept) > self._capacity:
            self._drop([next(iter(self._kept))])

    def _drop(self, keys: Sequence[_Key]) -> None:
        for key in keys:
            del self._kept[key]
        gone = {(tenant, ident) for tenant, ident, _ in keys}
        for name in [n for n, ident in self._named.items() if (n[0], ident) in gone]:
            del self._named[name]
