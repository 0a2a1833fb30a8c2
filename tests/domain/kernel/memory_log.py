"""The log of one test in memory, with the semantics of the real one: versions, reservations,
known commands, gapless positions; everything of a command or nothing."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.kernel.command import Reserved, Stream
from domain.kernel.context import Actor, Authority, Subject
from domain.kernel.event import Erased, Event, Header, Recorded, Unknown
from domain.kernel.log import Append, Appended, Conflict, Draft, Known, Loaded, Outcome, Recall
from tests.story import NOW

Racer = Callable[[Append], None]


@dataclass(slots=True)
class Memory:
    """What the log keeps, and how an append meets it: in one moment, all or nothing."""

    events: list[Recorded] = field(default_factory=list)
    wishes: list[Append] = field(default_factory=list)
    destroyed: set[str | None] = field(default_factory=set)
    """Owners whose keys are gone."""
    _commands: dict[tuple[str, bytes], tuple[bytes, Outcome]] = field(default_factory=dict)
    _reserved: dict[tuple[str, Reserved], str] = field(default_factory=dict)
    _versions: Counter[str] = field(default_factory=Counter)
    _fresh: int = 0

    def now(self) -> datetime:
        """Always the same moment."""
        return NOW

    def commit(self, wish: Append) -> Appended | Conflict | Known:
        """The append itself, in the order of the real one's checks."""
        known = self._commands.get((wish.tenant, wish.command))
        if known is not None:
            return Known(known[1], known[0] == wish.fingerprint)
        conflict = self._conflict(wish)
        if conflict is not None:
            return conflict
        self.wishes.append(wish)
        first = len(self.events) + 1 if wish.drafts else None
        for draft in wish.drafts:
            self._record(wish, draft)
        last = len(self.events) if wish.drafts else None
        for reserved, stream in wish.reservations:
            self._reserved[wish.tenant, reserved] = stream
        refused = wish.refusal is not None
        outcome = Outcome(refusal=wish.refusal) if refused else Outcome(first=first, last=last)
        self._commands[wish.tenant, wish.command] = (wish.fingerprint, outcome)
        return Appended(first, last)

    def version(self, stream: str) -> int:
        """How many events a stream has."""
        return self._versions[stream]

    def read_back(self, event: Event) -> Event | Erased | Unknown:
        """The event as a reader gets it: the very same."""
        return event

    def facts(self) -> list[object]:
        """The events alone, in order."""
        return [recorded.event for recorded in self.events]

    def _conflict(self, wish: Append) -> Conflict | None:
        for expected in wish.expected:
            at = self.version(expected.stream)
            if expected.version not in (None, at):
                return Conflict("version", expected.stream, at)
        for stream, version in wish.relied:
            if self.version(stream) != version:
                return Conflict("relied", stream, self.version(stream))
        for reserved, _ in wish.reservations:
            taken = self._reserved.get((wish.tenant, reserved))
            if taken is not None:
                return Conflict("reservation", taken)
        if any(draft.owner in self.destroyed for draft in wish.drafts):
            return Conflict("destroyed-key")
        return None

    def _load(self, tenant: str, stream: Stream) -> Loaded:
        claimed = {value: self._reserved.get((tenant, value)) for value in stream.values}
        known = stream.id or next(filter(None, claimed.values()), None)
        unclaimed = tuple(value for value, holder in claimed.items() if holder is None)
        fresh = known is None
        if known is None:
            self._fresh += 1
            known = str(UUID(int=self._fresh))
        events = tuple(event for event in self.events if event.header.stream == known)
        if stream.any_version:
            return Loaded(id=known, version=0, fresh=fresh, unclaimed=unclaimed)
        return Loaded(
            id=known, version=len(events), events=events, fresh=fresh, unclaimed=unclaimed
        )

    def _record(self, wish: Append, draft: Draft) -> None:
        position, version = len(self.events) + 1, self.version(draft.stream) + 1
        header, event = header_of(wish, draft, position), self.read_back(draft.event)
        self._versions[draft.stream] = version
        self.events.append(Recorded(position, version, self.now(), header, wish.context, event))


@dataclass(slots=True)
class MemoryLog(Memory):
    """`before_append` is called before each append: what it appends itself came first."""

    authorities: dict[str, Authority] = field(default_factory=dict)
    before_append: Racer | None = None
    asked: list[Subject] = field(default_factory=list)
    settled: int = 0

    async def command_id(self, tenant: str, actor: str, operation: str, key: str) -> bytes:
        """A hash keyed by the tenant."""
        return hmac.digest(tenant.encode(), repr((actor, operation, key)).encode(), "sha256")[:16]

    async def fingerprint(self, tenant: str, command: object) -> bytes:
        """A hash keyed by the tenant."""
        return hashlib.sha256(f"{tenant}\0{command!r}".encode()).digest()

    async def recall(
        self, tenant: str, command: bytes, fingerprint: bytes, streams: Sequence[Stream]
    ) -> Recall:
        """What is known; a fresh stream gets the next id."""
        known = self._commands.get((tenant, command))
        return Recall(
            known=known[1] if known else None,
            same_request=known is None or known[0] == fingerprint,
            streams=tuple(self._load(tenant, stream) for stream in streams),
        )

    async def authority(self, actor: Actor, subject: Subject) -> Authority:
        """What the test gave the actor."""
        self.asked.append(subject)
        return self.authorities.get(actor.id, Authority())

    async def settle(self, tenant: str) -> None:
        """Counts how often somebody waited for the permission read models."""
        del tenant
        self.settled += 1

    async def append(self, wish: Append) -> Appended | Conflict | Known:
        """All or nothing, after what the racer appended."""
        if self.before_append is not None:
            racer, self.before_append = self.before_append, None
            racer(wish)
            if self.before_append is None:
                self.before_append = racer
        return self.commit(wish)


def header_of(wish: Append, draft: Draft, position: int) -> Header:
    """The header that the log writes; its key is named by the owner."""
    return Header(
        event=str(UUID(int=position)),
        command=wish.command.hex(),
        tenant=wish.tenant,
        stream=draft.stream,
        type=draft.event.type_name,
        version=draft.event.type_version,
        key=draft.owner or wish.tenant,
        chart=draft.chart,
    )
