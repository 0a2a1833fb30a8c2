"""Given / when / then for commands: what was recorded, the wish, and what is recorded then.

    given(CareTeamJoined(...)).when(LeaveCareTeam(...)).then(CareTeamLeft(...))

Pure: it folds the states of the command's streams and decides. A stream is named by its id, or by
the kind of its reserved value (`registry.chart`) where the log would choose a random id.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.kernel.command import At, Command, Filed, State, Stream
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.refusal import Refusal

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
Fact = Event | Erased | Unknown


@dataclass(frozen=True, slots=True)
class On:
    """A fact in a stream that is not the command's first."""

    stream: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class Given:
    """What was recorded before, in order; `known` names reserved values that are taken."""

    facts: tuple[Fact | On, ...]
    known: frozenset[str]
    now: datetime

    def when(self, command: Command[Any]) -> "When":
        """The wish."""
        return When(self, command)


@dataclass(frozen=True, slots=True)
class When:
    """A wish and what it is decided upon."""

    given: Given
    command: Command[Any]

    @property
    def state(self) -> Any:
        """The state that `decide` gets: one, or a tuple for several streams."""
        states = tuple(self._state(stream) for stream in self.command.streams)
        while more := self.command.further(states):
            states += tuple(self._state(stream) for stream in more)
        return states[0] if len(states) == 1 else states

    def then(self, *expected: Event | At) -> Given:
        """Exactly these events follow, also when it is decided again; the story goes on."""
        first = name_of(self.command.streams[0])
        wanted = [_placed(item, first) for item in expected]
        assert self._decided() == wanted
        assert self._decided() == wanted
        names = {name_of(stream) for stream in self.command.streams if expected}
        more = tuple(On(at.stream, at.event) for at in wanted)
        return Given(self.given.facts + more, self.given.known | names, self.given.now)

    def refused(self, refusal: type[Refusal], /, **fields: object) -> None:
        """It is refused in this way, with exactly these typed fields, before any event."""
        decided: list[Event | At] = []
        with pytest.raises(refusal) as caught:
            decided.extend(self.command.decide(self.state, self.given.now))
        assert (type(caught.value), caught.value.fields, decided) == (refusal, fields, [])

    def _decided(self) -> list[At]:
        first = name_of(self.command.streams[0])
        return [_placed(i, first) for i in self.command.decide(self.state, self.given.now)]

    def _state(self, stream: Stream) -> State:
        name = name_of(stream)
        first = name_of(self.command.streams[0])
        facts = list(_facts_of(self.given.facts, name, first))
        if stream.any_version:
            return Filed(name, known=bool(facts) or name in self.given.known)
        state = stream.fold.initial(name)
        for fact in facts:
            state = state.evolve(fact)
        return state


def given(*facts: Fact | On, known: Iterable[str] = (), now: datetime = NOW) -> Given:
    """What was recorded before; a plain fact stands in the command's first stream."""
    return Given(facts, frozenset(known), now)


def name_of(stream: Stream) -> str:
    """The stream's id, or the kind of the value that it is found by."""
    if stream.id is not None:
        return stream.id
    assert stream.reserved is not None
    return stream.reserved.kind


def _placed(item: Event | At, first: str) -> At:
    return item if isinstance(item, At) else At(first, item)


def _facts_of(facts: Iterable[Fact | On], name: str, first: str) -> Iterable[Fact]:
    for fact in facts:
        at = fact if isinstance(fact, On) else On(first, fact)
        if at.stream == name:
            yield at.fact
