"""A log in memory, clients and a projector that take turns as a seed decides.

Nothing here knows a real clock, a thread or an event loop: a coroutine runs until it asks the world
for something, and the seed says who is next, what is lost on the way, and when the projector dies.
The same seed gives the same history.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Coroutine, Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from adapters import codec
from domain import audit
from domain.kernel.command import Reserved, Stream
from domain.kernel.context import Actor, Authority, Subject
from domain.kernel.event import Erased, Event, Header, Recorded, Unknown
from domain.kernel.log import Append, Appended, Conflict, Known, Loaded, Outcome, Recall
from domain.kernel.perform import Receipt, Request, perform
from domain.kernel.readmodel import Drop, Projection, Put
from domain.kernel.refusal import Refusal
from projections.catalogue import PROJECTIONS

TENANT = "simulated"
START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 7
WHO = Actor(tenant=TENANT, id="op", kind="operator", reason="simulated")
KEPT = [one for one in PROJECTIONS if not one.everything]
Rows = dict[str, dict[tuple[str, ...], dict[str, object]]]


class Lost(Exception):
    """The connection broke: before the commit or after it, nobody knows."""


class Turn:
    """Whoever awaits it gives the others a turn."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass(slots=True)
class MemoryLog:
    """What `log_append` and `log_recall` promise, one step at a time."""

    chance: random.Random
    time: datetime = START
    events: list[Recorded] = field(default_factory=list)
    versions: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    commands: dict[bytes, tuple[bytes, Outcome]] = field(default_factory=dict)
    reserved: dict[Reserved, str] = field(default_factory=dict)

    def now(self) -> datetime:
        """The virtual clock."""
        return self.time

    async def command_id(self, _tenant: str, actor: str, operation: str, key: str) -> bytes:
        """As the log's, without a secret."""
        return hashlib.sha256(repr((actor, operation, key)).encode()).digest()[:16]

    async def fingerprint(self, _tenant: str, command: object) -> bytes:
        """As the log's, without a secret."""
        return hashlib.sha256(repr(command).encode()).digest()

    async def authority(self, _actor: Actor, _subject: Subject) -> Authority:
        """An operator needs none."""
        await Turn()
        return Authority()

    async def settle(self, _tenant: str) -> None:
        """Nobody waits for permissions here."""
        await Turn()

    async def recall(
        self, _tenant: str, command: bytes, fingerprint: bytes, streams: Sequence[Stream]
    ) -> Recall:
        """One moment's view."""
        await self._wire()
        print_of, known = self.commands.get(command, (fingerprint, None))
        return Recall(
            known=known,
            same_request=print_of == fingerprint,
            streams=tuple(map(self._loaded, streams)),
        )

    def _loaded(self, stream: Stream) -> Loaded:
        found = stream.id or next(filter(None, map(self.reserved.get, stream.values)), None)
        ident = found or str(UUID(int=self.chance.getrandbits(128), version=4))
        events = () if stream.any_version else self._of(ident)
        return Loaded(
            id=ident,
            version=self.versions[ident],
            events=events,
            fresh=found is None,
            unclaimed=tuple(value for value in stream.values if value not in self.reserved),
        )

    def _of(self, stream: str) -> tuple[Recorded, ...]:
        return tuple(event for event in self.events if event.header.stream == stream)

    async def append(self, wish: Append) -> Appended | Conflict | Known:
        """All or nothing, in one moment; the answer may be lost."""
        await self._wire()
        answer = self._append(wish)
        await self._wire()
        return answer

    def _append(self, wish: Append) -> Appended | Conflict | Known:
        if wish.command in self.commands:
            fingerprint, outcome = self.commands[wish.command]
            return Known(outcome, fingerprint == wish.fingerprint)
        for expected in wish.expected:
            if expected.version not in (None, self.versions[expected.stream]):
                return Conflict("version", expected.stream, self.versions[expected.stream])
        if any(value in self.reserved for value, _ in wish.reservations):
            return Conflict("reservation")
        self.reserved.update(wish.reservations)
        first = len(self.events) + 1
        for draft in wish.drafts:
            self.versions[draft.stream] += 1
            self.events.append(self._recorded(wish, draft))
        span = (first, len(self.events)) if wish.drafts else (None, None)
        outcome = Outcome(first=span[0], last=span[1], refusal=wish.refusal)
        self.commands[wish.command] = (wish.fingerprint, outcome)
        return Appended(*span)

    def _recorded(self, wish: Append, draft: Any) -> Recorded:
        kind = type(draft.event)
        position = len(self.events) + 1
        return Recorded(
            position=position,
            version=self.versions[draft.stream],
            committed_at=self.time,
            header=Header(
                event=f"event {position}",
                command=wish.command.hex(),
                tenant=TENANT,
                stream=draft.stream,
                type=kind.type_name,
                version=kind.type_version,
                key="key",
                chart=draft.chart,
            ),
            context=wish.context,
            event=_read_back(draft.event),
        )

    async def _wire(self) -> None:
        await Turn()
        if self.chance.random() < 0.03:
            raise Lost


def _read_back(event: Event) -> Event | Erased | Unknown:
    """As it comes from its bytes."""
    kind = type(event)
    return codec.decode_body(kind.type_name, kind.type_version, codec.encode_body(event))


def projected(rows: Rows, projection: Projection, events: Sequence[Recorded]) -> Rows:
    """The rows after these events, as a new value: a transaction that may be thrown away."""
    told = {name: dict(table) for name, table in rows.items()}
    for recorded in events:
        if recorded.header.type not in projection.types:
            continue
        for write in projection.project(recorded):
            table = told.setdefault(write.table.name, {})
            if isinstance(write, Put):
                key = tuple(str(write.values[column.name]) for column in write.table.key)
                table[key] = {**write.values, "": write.body}
            else:
                _drop(table, write)
    return told


def _drop(table: dict[tuple[str, ...], dict[str, object]], drop: Drop) -> None:
    for key, values in list(table.items()):
        if all(str(values[name]) == str(value) for name, value in drop.where.items()):
            del table[key]


@dataclass(slots=True)
class Projecting:
    """A projector: rows and checkpoint change in one moment; it may die before that."""

    log: MemoryLog
    chance: random.Random
    at: dict[str, int] = field(default_factory=lambda: dict.fromkeys((o.name for o in KEPT), 0))
    rows: dict[str, Rows] = field(default_factory=lambda: {one.name: {} for one in KEPT})
    deaths: int = 0

    async def run(self) -> None:
        """For ever."""
        while True:
            await Turn()
            one = self.chance.choice(KEPT)
            after = self.at[one.name]
            events = self.log.events[after : after + self.chance.randrange(1, BATCH)]
            told = projected(self.rows[one.name], one, events)
            await Turn()
            if self.chance.random() < 0.1:
                self.deaths += 1
                continue
            self.rows[one.name] = told
            self.at[one.name] = after + len(events)


@dataclass(slots=True)
class Acknowledged:
    """What clients were told."""

    receipts: list[tuple[str, Receipt]] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)


async def client(log: MemoryLog, wishes: Sequence[Request], told: Acknowledged) -> None:
    """One client: each wish until it is answered, under the same key."""
    for wish in wishes:
        answered = False
        while not answered:
            await Turn()
            try:
                told.receipts.append((wish.key, await perform(wish, log, audit.refused)))
                answered = True
            except Refusal as refusal:
                told.refusals.append((wish.key, refusal.code))
                answered = not refusal.retryable
            except Lost:
                continue


def simulate(
    seed: int, clients: Sequence[Coroutine[None, None, None]], projector: Projecting
) -> int:
    """Let everybody take turns until the clients are done; how many turns it took."""
    chance = random.Random(seed)
    running, beside = list(clients), projector.run()
    turns = 0
    while running:
        turns += 1
        projector.log.time += timedelta(milliseconds=chance.randrange(0, 50))
        if chance.random() < 0.3:
            beside.send(None)
            continue
        one = chance.choice(running)
        try:
            one.send(None)
        except StopIteration:
            running.remove(one)
    beside.close()
    return turns
