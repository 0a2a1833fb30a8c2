"""Group commit: whatever arrived during the last commit becomes one call of `log_append`.

Two writer coroutines per process, sharded by tenant. A batch holds commands with distinct ids,
disjoint exact streams and disjoint reservations; the others wait for the next one. A lost
connection is resubmitted with the same command ids, so the first answer stands.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from zlib import crc32

import asyncpg
import structlog

from adapters.postgres.away import AWAY, COMMAND_SECONDS

_log = structlog.get_logger("anamnesis.writer")
# Small enough that the next batch is sealed while this one is committed: 128 gave 15.0k/s at 256
# clients, 512 gave 10.3k/s.
MAX_BATCH = 128
RECONNECT_SECONDS = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
# InternalClientError: the connection went away while asyncpg was between two messages.
FAILED = (
    OSError,
    ValueError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
APPEND_SECONDS = 10.0
"""How long a caller waits. What is committed after that is found under the command's id."""
CALL = """SELECT appended.* FROM log_append(
  $1::text[], $2::bytea[], $3::bytea[], $4::bytea[], $5::int[], $6::bool[],
  $7::int[], $8::text[], $9::uuid[], $10::bigint[],
  $11::int[], $12::text[], $13::uuid[], $14::bigint[],
  $15::int[], $16::text[], $17::bytea[], $18::uuid[],
  $19::int[], $20::text[], $21::uuid[], $22::text[], $23::uuid[],
  $24::bytea[], $25::bytea[], $26::bytea[], $27::bytea[],
  $28::int[], $29::text[], $30::uuid[]) AS appended
  WHERE (SELECT log_clock($31::timestamptz))"""
CALL_OF = CALL.replace("log_append(", "log_append_of($32::text,")
Shape = Literal["batch", "tenant"]
"""Whether one call takes commands of several tenants, or names the one whose they all are."""

# ValueError: a value that asyncpg cannot encode for its parameter.
REFUSED = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError)
"""What is said of a row that can never be written."""

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class LogUnavailable(Exception):
    """The log cannot be written now; nothing was acknowledged. Try again in a moment."""


class LogNotOpen(Exception):
    """This tenant has no log. Open it first (`add_tenant`)."""


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """One event ready for the log; ids are canonical UUID text.

    `key` is the compartment that seals the body, or that the body's own key lies below.
    """

    stream: str
    type: str
    key: str
    header: bytes
    context: bytes
    salt: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class SealedCommand:
    """One command's effect as `log_append` takes it."""

    tenant: str
    id: bytes
    fingerprint: bytes
    outcome: bytes | None
    withdraws: bool
    events: tuple[SealedEvent, ...]
    expected: tuple[tuple[str, int | None], ...]
    relied: tuple[tuple[str, int], ...]
    reservations: tuple[tuple[bytes, str], ...]
    destroys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A row of `log_append`."""

    status: str
    first: int | None
    last: int | None
    fingerprint: bytes | None
    outcome: bytes | None
    stream: str | None
    version: int | None


@dataclass(slots=True)
class _Waiting:
    command: SealedCommand
    answer: asyncio.Future[Answer]


@dataclass(slots=True)
class _Claims:
    """What a batch already touches; `only` commands of this tenant may join it."""

    only: str | None = None
    ids: set[tuple[str, bytes]] = field(default_factory=set)
    exact: set[tuple[str, str]] = field(default_factory=set)
    shared: set[tuple[str, str]] = field(default_factory=set)
    keys: set[tuple[str, bytes]] = field(default_factory=set)
    alone: bool = False

    def admit(self, command: SealedCommand) -> bool:
        """Take the command in, unless it shares what only one command of a batch may touch."""
        if self.alone or (command.destroys and self.ids):
            return False  # what a key sealed and the key's destruction are never in one batch
        if self.only not in (None, command.tenant):
            return False
        tenant = command.tenant
        exact = {(tenant, stream) for stream, version in command.expected if version is not None}
        shared = {(tenant, stream) for stream, version in command.expected if version is None}
        keys = {(tenant, key) for key, _ in command.reservations}
        relied = {(tenant, stream) for stream, _ in command.relied}
        if (
            (tenant, command.id) in self.ids
            or not self.exact.isdisjoint(exact | shared | relied)
            or not self.shared.isdisjoint(exact)
            or not self.keys.isdisjoint(keys)
        ):
            return False
        self.alone = bool(command.destroys)
        self.ids.add((tenant, command.id))
        self.exact |= exact
        self.shared |= shared | relied
        self.keys |= keys
        return True


class Writer:
    """Appends sealed commands; `batches`, `commands` and `seconds` sum up what was sent."""

    def __init__(
        self,
        connect: Connect,
        admitted: Callable[[], None] = lambda: None,
        shards: int = 2,
        shape: Shape = "batch",
    ) -> None:
        """`admitted` is asked before each append, and raises LogUnavailable for a no."""
        self._connect = connect
        self._shape = shape
        self._admitted = admitted
        self._queues: list[deque[_Waiting]] = [deque() for _ in range(shards)]
        self._wakes = [asyncio.Event() for _ in range(shards)]
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self.batches = 0
        self.commands = 0
        self.seconds = 0.0

    async def append(self, command: SealedCommand) -> Answer:
        """Durable when it returns an `appended` answer. Raises LogUnavailable and LogNotOpen."""
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._run(shard), name=f"log-writer-{shard}")
                for shard in range(len(self._queues))
            ]
        if self._closing:
            raise LogUnavailable
        self._admitted()
        shard = crc32(command.tenant.encode()) % len(self._queues)
        waiting = _Waiting(command, asyncio.get_running_loop().create_future())
        self._queues[shard].append(waiting)
        self._wakes[shard].set()
        try:
            async with asyncio.timeout(APPEND_SECONDS):
                return await waiting.answer
        except TimeoutError as error:
            raise LogUnavailable from error

    async def close(self) -> None:
        """Finish what is queued, then stop."""
        self._closing = True
        for wake in self._wakes:
            wake.set()
        await asyncio.gather(*self._tasks)

    async def _run(self, shard: int) -> None:
        queue, wake = self._queues[shard], self._wakes[shard]
        session = _Session(self._connect, self._shape)
        while queue or not self._closing:
            if not queue:
                wake.clear()
                if not self._closing:
                    await wake.wait()
                continue
            batch = _take(queue, self._shape)
            try:
                await self._commit(session, batch)
            except Exception as error:  # a shard outlives whatever a batch meets
                _log.warning("writer.failed", error=type(error).__name__)
                _fail(batch, error)
                await session.close()
        await session.close()

    async def _commit(self, session: "_Session", batch: list[_Waiting]) -> None:
        began = time.monotonic()
        try:
            rows = await session.call([waiting.command for waiting in batch])
        except FAILED as error:
            if isinstance(error, REFUSED) and len(batch) > 1:
                # One command's row is refused: the others must not fail with it.
                for waiting in batch:
                    await self._commit(session, [waiting])
                return
            _fail(batch, error)
            return
        self.batches += 1
        self.commands += len(batch)
        self.seconds += time.monotonic() - began
        _distribute(rows, batch)


def _fail(batch: list[_Waiting], error: Exception) -> None:
    """Answer every command that has no answer yet with LogUnavailable."""
    for waiting in batch:
        if not waiting.answer.done():
            failure = LogUnavailable()
            failure.__cause__ = error
            waiting.answer.set_exception(failure)


def _distribute(rows: list[asyncpg.Record], batch: list[_Waiting]) -> None:
    """Answer every command; one whose tenant has no head row gets no row and LogNotOpen."""
    for row in rows:
        answer = batch[row["command"] - 1].answer
        if not answer.done():
            stream = row["stream"]
            answer.set_result(
                Answer(
                    row["status"],
                    row["first"],
                    row["last"],
                    row["fingerprint"],
                    row["outcome"],
                    None if stream is None else str(stream),
                    row["version"],
                )
            )
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(LogNotOpen(waiting.command.tenant))


class _Session:
    """One connection that is made again when it is lost."""

    def __init__(self, connect: Connect, shape: Shape) -> None:
        self._connect = connect
        self._shape = shape
        self._connection: asyncpg.Connection | None = None
        self._call: asyncpg.prepared_stmt.PreparedStatement | None = None

    async def call(self, batch: list[SealedCommand]) -> list[asyncpg.Record]:
        arrays = columns(batch)
        first = () if self._shape == "batch" else (batch[0].tenant,)
        for pause in RECONNECT_SECONDS:
            try:
                if self._connection is None or self._call is None:
                    self._connection = await self._connect()
                    self._call = await self._connection.prepare(
                        CALL if self._shape == "batch" else CALL_OF
                    )
                rows: list[asyncpg.Record] = await self._call.fetch(
                    *arrays, datetime.now(UTC), *first, timeout=COMMAND_SECONDS
                )
                return rows
            except REFUSED:
                raise
            except AWAY as error:
                lost = error
                self._give_up()
                await asyncio.sleep(pause)
        raise lost

    def _give_up(self) -> None:
        """At once: whoever is gone does not say goodbye."""
        connection, self._connection, self._call = self._connection, None, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        connection, self._connection, self._call = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.close(timeout=5)


def _take(queue: deque[_Waiting], shape: Shape) -> list[_Waiting]:
    """The next batch; whatever must wait keeps its place in the queue."""
    claims = _Claims(only=queue[0].command.tenant if shape == "tenant" else None)
    batch: list[_Waiting] = []
    later: list[_Waiting] = []
    while queue and len(batch) < MAX_BATCH and len(later) < MAX_BATCH:
        waiting = queue.popleft()
        (batch if claims.admit(waiting.command) else later).append(waiting)
    queue.extendleft(reversed(later))
    return batch


def columns(batch: list[SealedCommand]) -> tuple[list[object], ...]:
    """The batch as the parallel arrays of `log_append`; commands are numbered from 1."""
    commands: list[tuple[object, ...]] = []
    expected: list[tuple[object, ...]] = []
    relied: list[tuple[object, ...]] = []
    reserved: list[tuple[object, ...]] = []
    events: list[tuple[object, ...]] = []
    destroyed: list[tuple[object, ...]] = []
    for number, c in enumerate(batch, 1):
        tenant = c.tenant
        commands.append((tenant, c.id, c.fingerprint, c.outcome, len(c.events), c.withdraws))
        expected.extend((number, tenant, stream, at) for stream, at in c.expected)
        relied.extend((number, tenant, stream, at) for stream, at in c.relied)
        reserved.extend((number, tenant, key, stream) for key, stream in c.reservations)
        destroyed.extend((number, tenant, key) for key in c.destroys)
        events.extend(
            (number, tenant, e.stream, e.type, e.key, e.header, e.context, e.salt, e.body)
            for e in c.events
        )
    return (
        *_transposed(commands, 6),
        *_transposed(expected, 4),
        *_transposed(relied, 4),
        *_transposed(reserved, 4),
        *_transposed(events, 9),
        *_transposed(destroyed, 3),
    )


def _transposed(rows: list[tuple[object, ...]], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
