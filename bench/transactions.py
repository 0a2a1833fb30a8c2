"""Append at 256 clients beside one transaction a command on 32 connections.

The reference seals the same bytes and writes the same event, stream_head and command rows into the
same tables with the same indexes, in a database of its own. It keeps neither a gapless head nor
a frontier, checks no version, and takes positions from a counter in this process.
"""

import itertools
from collections.abc import Iterator
from contextlib import AsyncExitStack

import asyncpg

from adapters.keys.seal import DataKey
from bench.clients import Clients
from bench.ground import TENANT, Ground
from bench.measure import Act, Contender, Line, Pace, Run, alternate, closed_loop
from bench.rows import leaf, sealed
from bench.wishes import wishes
from domain.kernel.log import Append

CLIENTS = 256
CONNECTIONS = 32
REQUIRED = 1.5
EVENT = """INSERT INTO event (tenant, position, stream, version, type, committed_at, header,
  context, salt, body, leaf) VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6, $7, $8, $9, $10)"""
HEAD = """INSERT INTO stream_head (tenant, stream, version) VALUES ($1, $2, $3)
  ON CONFLICT (tenant, stream) DO UPDATE SET version = excluded.version"""
COMMAND = """INSERT INTO command (tenant, id, fingerprint, first, last)
  VALUES ($1, $2, $3, $4, $4)"""


async def lines(ground: Ground, pace: Pace) -> list[Line]:
    """The line of group commit beside single transactions; required: 1.5 times as many."""
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(ground.house("grouped"))
        clients = await Clients.of(house, CLIENTS)
        ground.database("single")
        single = await _single(stack, ground.server.dsn(database="single"), await clients.keys())
        runs = await alternate({"append": clients.appending(CLIENTS), "single": single}, pace)
    line = Line(
        name=f"append, {CLIENTS} clients, beside single transactions",
        value=runs["append"].rate,
        unit="events/s",
        reference=runs["single"].rate,
        reference_name=f"one transaction a command, {CONNECTIONS} connections",
        required=REQUIRED,
    )
    return [line]


async def _single(stack: AsyncExitStack, dsn: str, keys: list[DataKey]) -> Contender:
    positions = itertools.count(1)
    acts: list[Act] = []
    for key in keys[:CONNECTIONS]:
        connection = await asyncpg.connect(dsn)
        stack.push_async_callback(connection.close)
        acts.append(await _transaction(connection, key, positions))

    async def work(seconds: float) -> Run:
        return await closed_loop(acts, seconds)

    return work


async def _transaction(
    connection: asyncpg.Connection, key: DataKey, positions: Iterator[int]
) -> Act:
    insert, move, note = [await connection.prepare(sql) for sql in (EVENT, HEAD, COMMAND)]
    mine: Iterator[Append] = wishes(TENANT, key.id)

    async def commit_one() -> int:
        command = sealed(next(mine), key)
        [event], [(stream, before)] = command.events, command.expected
        version = (before or 0) + 1
        position = next(positions)
        parts = (event.header, event.context, event.salt, event.body)
        place = (TENANT, position, stream, version, event.type)
        await connection.execute("BEGIN")
        await insert.fetch(*place, *parts, leaf(event, position, version))
        await move.fetch(TENANT, stream, version)
        await note.fetch(TENANT, command.id, command.fingerprint, position)
        await connection.execute("COMMIT")
        return 1

    return commit_one
