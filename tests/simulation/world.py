"""A log behind a wire, clients and a projector that take turns as a seed decides.

Nothing here knows a real clock, a thread or an event loop: a coroutine runs until it asks the world
for something, and the seed says who is next, what is lost on the way, and when the projector dies.
The same seed gives the same history.
"""

import random
from collections.abc import Coroutine, Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from adapters import codec
from domain import audit
from domain.kernel.command import Stream
from domain.kernel.context import Actor, Authority, Subject
from domain.kernel.event import Erased, Event, Recorded, Unknown
from domain.kernel.log import Append, Appended, Conflict, Known, Recall
from domain.kernel.perform import Receipt, Request, perform
from domain.kernel.readmodel import Drop, Projection, Put
from domain.kernel.refusal import Refusal
from projections.catalogue import PROJECTIONS
from tests.domain.kernel.memory_log import MemoryLog

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


@dataclass
class WiredLog(MemoryLog):
    """The log in memory behind a wire: each step waits its turn, and may be lost on the way."""

    chance: random.Random = field(default_factory=random.Random)
    time: datetime = START

    def now(self) -> datetime:
        """The virtual clock."""
        return self.time

    async def authority(self, actor: Actor, subject: Subject) -> Authority:
        """An operator needs none."""
        await Turn()
        return await super().authority(actor, subject)

    async def settle(self, tenant: str) -> None:
        """Nobody waits for permissions here."""
        await Turn()
        await super().settle(tenant)

    async def recall(
        self, tenant: str, command: bytes, fingerprint: bytes, streams: Sequence[Stream]
    ) -> Recall:
        """One moment's view."""
        await self._wire()
        return await super().recall(tenant, command, fingerprint, streams)

    async def append(self, wish: Append) -> Appended | Conflict | Known:
        """All or nothing, in one moment; the answer may be lost."""
        await self._wire()
        answer = self.commit(wish)
        await self._wire()
        return answer

    def read_back(self, event: Event) -> Event | Erased | Unknown:
        """As it comes from its bytes."""
        kind = type(event)
        return codec.decode_body(kind.type_name, kind.type_version, codec.encode_body(event))

    async def _wire(self) -> None:
        await Turn()
        if self.chance.random() < 0.03:
            raise Lost


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

    log: WiredLog
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


async def client(log: WiredLog, wishes: Sequence[Request], told: Acknowledged) -> None:
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
