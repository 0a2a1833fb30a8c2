"""The log as the kernel sees it: recall, append, and what an append answers.

`adapters/postgres` implements `Log`; the domain knows only these shapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.kernel.command import Filed, Reserved, State, Stream
from domain.kernel.context import Actor, Authority, Context, Subject
from domain.kernel.event import Event, Recorded
from domain.kernel.refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a command: its refusal, or the positions written.

    `first` and `last` are None for a no-op and a refusal.
    """

    first: int | None = None
    last: int | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A stream as recalled: its id, version, and events (none where `any_version`).

    Where there is a `baseline`, that is the state before these events. `unclaimed` are the values
    of the stream that stand for nothing yet.
    """

    id: str
    version: int
    events: tuple[Recorded, ...] = ()
    fresh: bool = False
    unclaimed: tuple[Reserved, ...] = ()
    baseline: State | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What the log knows before a decision."""

    known: Outcome | None
    same_request: bool
    streams: tuple[Loaded, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One event to append: `owner` names whose key seals it (None: the organisation)."""

    stream: str
    event: Event
    chart: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A stream that is written: its version now, or None for any."""

    stream: str
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """One command's whole effect, appended atomically or not at all."""

    tenant: str
    command: bytes
    fingerprint: bytes
    context: Context
    drafts: tuple[Draft, ...] = ()
    expected: tuple[Expected, ...] = ()
    relied: tuple[tuple[str, int], ...] = ()
    reservations: tuple[tuple[Reserved, str], ...] = ()
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """It is durable: positions first..last (None when no event was written)."""

    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody was first. `cause`: version, relied, reservation, or destroyed-key."""

    cause: str
    stream: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """This command id was appended before; its first outcome stands."""

    outcome: Outcome
    same_request: bool


class Log(Protocol):
    """The ports of `perform`; all ids are canonical UUID text, all times aware UTC."""

    def now(self) -> datetime:
        """The clock."""

    async def command_id(self, tenant: str, actor: str, operation: str, key: str) -> bytes:
        """The keyed hash (16 bytes) of who wishes what under which idempotency key."""

    async def fingerprint(self, tenant: str, command: object) -> bytes:
        """The keyed hash (32 bytes) of a command's fields."""

    async def recall(
        self, tenant: str, command: bytes, fingerprint: bytes, streams: Sequence[Stream]
    ) -> Recall:
        """The earlier outcome of this command, if any, and its streams."""

    async def authority(self, actor: Actor, subject: Subject) -> Authority:
        """The permissions of an actor, not older than the last withdrawal of access."""

    async def append(self, wish: Append) -> Appended | Conflict | Known:
        """Durable when it returns. Raises EventTooLarge, and nothing is written then."""

    async def settle(self, tenant: str) -> None:
        """Wait (bounded) until the permission read models have reached the head."""


def fold(stream: Stream, loaded: Loaded) -> State:
    """The state that a stream's events amount to."""
    if stream.any_version:
        return Filed(loaded.id, known=not loaded.fresh)
    state = stream.fold.initial(loaded.id) if loaded.baseline is None else loaded.baseline
    for recorded in loaded.events:
        state = state.evolve(recorded.event)
    return state
