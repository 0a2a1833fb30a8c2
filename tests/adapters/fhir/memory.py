"""An intake in memory: reservations, folded states and real decisions, without a database."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from adapters.fhir.intake import Known, Under, Waiting
from domain.kernel.command import OWN, At, Command, Filed, Reserved, State, Stream
from domain.kernel.event import Event
from domain.kernel.perform import Receipt
from domain.kernel.refusal import KeyReused
from domain.kernel.values import Source

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Written:
    """An event as the memory holds it."""

    position: int
    stream: str
    chart: str | None
    event: Event


@dataclass
class Memory:
    """The platform's side of an import; `journal` tells in which order things were asked."""

    log: list[Written] = field(default_factory=list)
    streams: dict[str, list[Event]] = field(default_factory=dict)
    reservations: dict[Reserved, str] = field(default_factory=dict)
    commands: dict[tuple[str, str], tuple[Command[Any], Receipt]] = field(default_factory=dict)
    kept: set[tuple[str, str | None]] = field(default_factory=set)
    journal: list[tuple[str, str]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0

    async def do(self, command: Command[Any], key: str) -> Receipt:
        """Perform the command in one step, after others had their turn."""
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        self.journal.append(("do", command.operation))
        known = self.commands.get((command.operation, key))
        if known is None:
            receipt = self._performed(command)
            self.commands[command.operation, key] = command, receipt
            return receipt
        earlier, receipt = known
        if earlier != command:
            raise KeyReused()
        return replace(receipt, repeated=True)

    async def keep(self, contents: Sequence[tuple[bytes, str]], under: Under) -> list[str]:
        """Remember that these bytes are stored for this owner."""
        await asyncio.sleep(0)
        for content, _scope in contents:
            self.journal.append(("keep", sha256(content).hexdigest()))
            self.kept.add((sha256(content).hexdigest(), under.owner))
        return []

    async def discard(self, objects: Sequence[str]) -> None:
        """Nothing is let go of here."""

    async def trace(self, content: bytes, scope: str = "") -> tuple[str, str]:
        """An id and a digest that follow from the bytes."""
        del scope
        digest = sha256(content).hexdigest()
        return f"object-{digest[:16]}", digest

    async def find(self, reserved: Reserved) -> str | None:
        """The reserved stream, if any."""
        await asyncio.sleep(0)
        return self.reservations.get(reserved)

    async def find_all(self, reserved: Sequence[Reserved]) -> Mapping[Reserved, str]:
        """Those that are reserved."""
        return {one: self.reservations[one] for one in reserved if one in self.reservations}

    async def catch_up(self) -> None:
        """There is no map to wait for."""

    async def known(self, sources: Collection[tuple[str, str, str]]) -> Mapping[str, Known]:
        """Nothing: no map is kept here, so that every command is decided."""
        del sources
        return {}

    async def label(self, category: str) -> str:
        """The category itself."""
        return category

    async def waiting(self, reason: str | None = None) -> Sequence[Waiting]:
        """Nothing comes back from here."""
        del reason
        return ()

    async def aside(self, sources: Collection[tuple[str, str, str]]) -> Collection[str]:
        """Nothing comes back from here."""
        del sources
        return ()

    async def received(self, original: Source) -> bytes:
        """Bytes are not kept here."""
        raise KeyError(original.object)

    def events(self, kind: type[Event]) -> list[Any]:
        """All events of a type, in order."""
        return [written.event for written in self.log if isinstance(written.event, kind)]

    def _performed(self, command: Command[Any]) -> Receipt:
        streams = command.streams
        ids = tuple(self._stream_id(stream) for stream in streams)
        states = tuple(map(self._state, streams, ids))
        state = states[0] if len(states) == 1 else states
        command.subject(state)
        first = len(self.log) + 1
        by_id = dict(zip(ids, streams, strict=True))
        for item in list(command.decide(state, NOW)):
            at = item if isinstance(item, At) else At(ids[0], item)
            chart = at.stream if by_id[at.stream].chart == OWN else by_id[at.stream].chart
            self.streams.setdefault(at.stream, []).append(at.event)
            self.log.append(Written(len(self.log) + 1, at.stream, chart, at.event))
        if len(self.log) < first:
            return Receipt(tenant="t", first=None, last=None, streams=ids)
        for stream, stream_id in zip(streams, ids, strict=True):
            for value in stream.values:
                self.reservations.setdefault(value, stream_id)
        return Receipt(tenant="t", first=first, last=len(self.log), streams=ids)

    def _stream_id(self, stream: Stream) -> str:
        if stream.id is not None:
            return stream.id
        known = (self.reservations.get(value) for value in stream.values)
        return next(filter(None, known), None) or str(uuid4())

    def _state(self, stream: Stream, stream_id: str) -> State:
        if stream.any_version:
            return Filed(stream_id, known=stream.reserved in self.reservations)
        state = stream.fold.initial(stream_id)
        for event in self.streams.get(stream_id, []):
            state = state.evolve(event)
        return state
