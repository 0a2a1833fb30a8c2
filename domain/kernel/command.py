"""Commands: one class with fields, a rule, its streams and a pure decision.

`decide(state, now)` yields events, yields nothing when the wish is already true, and raises a
Refusal otherwise. It knows no clock, no randomness and no I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, dataclass_transform

from domain.kernel.context import Subject
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.rule import Rule
from domain.kernel.values import Moment

_registry: dict[str, type["Command[Any]"]] = {}


class State(Protocol):
    """What a stream's events amount to. `initial` is the state before the first event."""

    @classmethod
    def initial(cls, stream: str) -> Self:
        """The state of a stream without events; it knows its own id."""

    def evolve(self, event: Event | Erased | Unknown) -> Self:
        """The next state. Never fails, never asks, never decides."""


@dataclass(frozen=True, slots=True)
class Filed:
    """The state of an `any_version` stream: its id, and whether it was known before."""

    stream: str
    known: bool = False

    @classmethod
    def initial(cls, stream: str) -> "Filed":
        """A stream nobody wrote to."""
        return cls(stream)

    def evolve(self, _event: Event | Erased | Unknown) -> "Filed":
        """Somebody wrote to it."""
        return Filed(self.stream, known=True)


@dataclass(frozen=True, slots=True)
class Reserved:
    """A value that may stand for one stream only: its kind (`registry.chart`) and the value.

    The log keeps a keyed hash of the value and the random stream id it stands for.
    """

    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream that a command reads, writes, or both.

    Exactly one of `id` and `reserved` is given. `also` are values that stand for the same stream:
    the first of them all that is known decides, and what is written reserves the rest. `owner`
    names whose key seals its events: a chart or a person; the `chart` unless given, and the
    organisation where there is neither. OWN stands for the stream's own id, ORGANISATION for the
    organisation. `any_version` lets others append in between (audit streams); such a stream is not
    loaded and its state is `Filed`.
    """

    fold: type[State]
    id: str | None = None
    reserved: Reserved | None = None
    also: tuple[Reserved, ...] = ()
    chart: str | None = None
    owner: str | None = None
    any_version: bool = False

    @property
    def values(self) -> tuple[Reserved, ...]:
        """Every value that it may be known by."""
        return () if self.reserved is None else (self.reserved, *self.also)


OWN = "own"
ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class At:
    """An event for another stream than the command's first; `stream` is its id."""

    stream: str
    event: Event


S = TypeVar("S")


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Command(Generic[S]):
    """A wish. `S` is the state of its stream, or a tuple of states for several streams.

    Class keywords: `name` is the operation (`capability.verb-noun`), `rule` who may wish it.
    """

    operation: ClassVar[str]
    rule: ClassVar[Rule]

    def __init_subclass__(cls, *, name: str, rule: Rule) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)
        if name in _registry and _registry[name].__qualname__ != cls.__qualname__:
            raise TypeError(f"two commands share the name {name}")
        cls.operation, cls.rule = name, rule
        _registry[name] = cls

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams, the one that plain yields go to first."""
        raise NotImplementedError

    def further(self, _states: tuple[State, ...]) -> tuple[Stream, ...]:
        """Streams that are known only from what others say; asked until it names no more.

        `_states` are those of `streams` and of what was named before, in that order; `decide` gets
        all of them.
        """
        return ()

    def subject(self, _state: S) -> Subject:
        """Whom the rule is asked about; the organisation unless overridden."""
        return Subject()

    @property
    def expected_version(self) -> int | None:
        """The version of the first stream that the client saw, where it gave one."""
        return None

    @property
    def occurred(self) -> Moment | None:
        """When the fact happened, as its source wrote it; None means now."""
        return None

    def decide(self, state: S, now: datetime) -> Iterator[Event | At]:
        """The events that make the wish true."""
        raise NotImplementedError


def commands() -> dict[str, type[Command[Any]]]:
    """Every command class by operation name."""
    return dict(_registry)
