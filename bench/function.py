"""The append function alone beside bulk INSERT of the same rows into the same tables.

Both are one prepared statement and one commit a batch, on one connection, each in a database of
its own. The bulk INSERT gets positions, versions, leaves and the new frontier for nothing.
"""

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import asyncpg

from adapters.keys.seal import DataKey
from adapters.postgres.writer import CALL, SealedCommand, columns
from bench.ground import TENANT, Ground
from bench.measure import Contender, Line, Pace, Run, alternate
from bench.rows import leaf, sealed
from bench.wishes import fresh_id, wishes

BATCH = 256
REQUIRED = 0.5
AHEAD = 32
BULK = """
WITH written AS (
  INSERT INTO event (tenant, position, stream, version, type, committed_at, header, context, salt,
    body, leaf)
  SELECT e.tenant, e.position, e.stream, e.version, e.type, clock_timestamp(), e.header, e.context,
    e.salt, e.body, e.leaf
  FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::bigint[], $5::text[], $6::bytea[],
    $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[])
    AS e (tenant, position, stream, version, type, header, context, salt, body, leaf)
), moved AS (
  INSERT INTO stream_head (tenant, stream, version)
  SELECT * FROM unnest($1::text[], $3::uuid[], $4::bigint[])
  ON CONFLICT (tenant, stream) DO UPDATE SET version = excluded.version
), noted AS (
  INSERT INTO command (tenant, id, fingerprint, first, last)
  SELECT c.tenant, c.id, c.fingerprint, c.position, c.position
  FROM unnest($1::text[], $11::bytea[], $12::bytea[], $2::bigint[])
    AS c (tenant, id, fingerprint, position)
)
UPDATE log_head SET position = $13, frontier = $14::bytea[], committed_at = clock_timestamp()
WHERE tenant = $15"""

Arguments = tuple[object, ...]


async def lines(ground: Ground, pace: Pace) -> list[Line]:
    """The line of the function alone; required: half of bulk INSERT."""
    key = DataKey(fresh_id(), os.urandom(32))
    async with AsyncExitStack() as stack:
        call = await _prepared(stack, ground, "function", "anamnesis_api", CALL)
        bulk = await _prepared(stack, ground, "bulk", "postgres", BULK)
        runs = await alternate(
            {
                "log_append": _turns(call, map(_dated, _batches(key))),
                "bulk INSERT": _turns(bulk, map(_bulk, _batches(key), itertools.count())),
            },
            pace,
        )
    line = Line(
        name=f"log_append alone, batches of {BATCH}",
        value=runs["log_append"].rate,
        unit="events/s",
        reference=runs["bulk INSERT"].rate,
        reference_name="bulk INSERT ... SELECT FROM unnest into the same tables",
        required=REQUIRED,
    )
    return [line]


def _dated(batch: list[SealedCommand]) -> Arguments:
    """As the writer sends it: with its time."""
    return (*columns(batch), datetime.now(UTC))


async def _prepared(
    stack: AsyncExitStack, ground: Ground, name: str, user: str, statement: str
) -> asyncpg.prepared_stmt.PreparedStatement:
    ground.database(name)
    connection = await asyncpg.connect(ground.server.dsn(user, name))
    stack.push_async_callback(connection.close)
    return await connection.prepare(statement)


def _turns(
    statement: asyncpg.prepared_stmt.PreparedStatement, batches: Iterator[Arguments]
) -> Contender:
    """Batches are made a few ahead, outside the time that counts."""

    async def work(seconds: float) -> Run:
        done, spent = 0, 0.0
        while spent < seconds:
            ahead = list(itertools.islice(batches, AHEAD))
            began = time.perf_counter()
            for arguments in ahead:
                await statement.fetch(*arguments)
            spent += time.perf_counter() - began
            done += BATCH * len(ahead)
        return Run(done / spent)

    return work


def _batches(key: DataKey) -> Iterator[list[SealedCommand]]:
    """Batches of new commands on distinct streams; every second batch is the streams' second."""
    clients = [wishes(TENANT, fresh_id()) for _ in range(BATCH)]
    while True:
        yield [sealed(next(client), key) for client in clients]


def _bulk(batch: list[SealedCommand], number: int) -> Arguments:
    first = number * BATCH + 1
    rows = [
        (
            *(command.tenant, position, event.stream, version, event.type),
            *(event.header, event.context, event.salt, event.body),
            *(leaf(event, position, version), command.id, command.fingerprint),
        )
        for position, command in enumerate(batch, first)
        for event in command.events
        for version in [(command.expected[0][1] or 0) + 1]
    ]
    head = first + len(rows) - 1
    frontier = [os.urandom(32) for _ in range(head.bit_count())]
    return (*(list(column) for column in zip(*rows, strict=True)), head, frontier, TENANT)
