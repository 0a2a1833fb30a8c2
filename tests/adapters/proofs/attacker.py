"""Somebody who owns the database and knows how the log is made, but has no key and no head of ours.

Each act changes what a signed head covers. Then the attacker mostly makes the whole database
fit: positions, versions, stream heads, leaves, frontier.
"""

import json
import os
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from adapters.proofs.merkle import Frontier, leaf_hash
from tests.adapters.postgres.acts import EPOCH

COLUMNS = (
    "tenant", "position", "stream", "version", "type", "committed_at", "header", "context", "salt",
    "body", "leaf",
)  # fmt: skip
TENANT = "riverside"


@dataclass(slots=True)
class Row:
    """An event as it lies in the table."""

    position: int
    stream: UUID
    version: int
    type: str
    committed_at: datetime
    header: bytes
    context: bytes
    salt: bytes
    body: bytes
    leaf: bytes

    def told(self) -> dict[str, Any]:
        """The header's members."""
        members: dict[str, Any] = json.loads(self.header)
        return members

    def tell(self, **members: object) -> None:
        """Another header, written as the log writes it."""
        told = self.told() | members
        self.header = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


@dataclass(slots=True)
class Attacker:
    """Acts at random, and says what was done."""

    owner: asyncpg.Connection
    chance: random.Random
    rows: list[Row] = field(default_factory=list)
    rehashed: bool = False
    """Whether the last act changed a leaf."""

    async def load(self) -> None:
        """Take the log as it is, and a copy to put back."""
        await self.owner.execute("CREATE TABLE kept AS SELECT * FROM event")
        await self.owner.execute("CREATE TABLE kept_head AS SELECT * FROM log_head")
        await self.owner.execute("CREATE TABLE kept_streams AS SELECT * FROM stream_head")

    async def restore(self) -> None:
        """Put the log back."""
        for table, kept in (
            ("event", "kept"), ("log_head", "kept_head"), ("stream_head", "kept_streams"),
        ):  # fmt: skip
            await self.owner.execute(
                f"DELETE FROM {table} WHERE tenant = '{TENANT}';"
                f" INSERT INTO {table} SELECT * FROM {kept} WHERE tenant = '{TENANT}'"
            )

    async def attack(self, covered: int) -> str:
        """Change something at or below a position that a head covers; what was done."""
        names = ", ".join(COLUMNS[1:])
        found = await self.owner.fetch(
            f"SELECT {names} FROM event WHERE tenant = $1 ORDER BY position", TENANT
        )
        before = [Row(*record) for record in found]
        fitted = self.chance.random() < 0.8
        self.rows, said = before, ""
        # What is made to fit may be what it was.
        while self.rows == before:
            self.rows = [Row(*record) for record in found]
            said = self.chance.choice(ACTS)(self, covered)
            if fitted:
                self.fit()
        self.rehashed = [row.leaf for row in self.rows] != [row.leaf for row in before]
        await self._write(fitted)
        return f"{said}{', made to fit' if fitted else ''}"

    def fit(self) -> None:
        """Number positions and versions anew, and hash every leaf again."""
        versions: dict[UUID, int] = defaultdict(int)
        at = EPOCH
        for position, row in enumerate(self.rows, 1):
            row.position = position
            versions[row.stream] += 1
            row.version = versions[row.stream]
            row.committed_at = at = max(at, row.committed_at)
            micros = (row.committed_at - EPOCH) // timedelta(microseconds=1)
            row.leaf = leaf_hash(
                position, row.version, micros, row.header, row.salt, row.context, row.body
            )

    async def _write(self, fitted: bool) -> None:
        await self.owner.execute("DELETE FROM event WHERE tenant = $1", TENANT)
        await self.owner.copy_records_to_table(
            "event",
            columns=list(COLUMNS),
            records=[(TENANT, *(getattr(row, c) for c in COLUMNS[1:])) for row in self.rows],
        )
        if not fitted:
            return
        nodes = Frontier.of(row.leaf for row in self.rows).nodes
        last = self.rows[-1].committed_at if self.rows else EPOCH
        await self.owner.execute(
            "UPDATE log_head SET frontier = $2, position = $3, committed_at = $4,"
            " access_position = least(access_position, $3) WHERE tenant = $1",
            TENANT, nodes, len(self.rows), last,
        )  # fmt: skip
        await self.owner.execute("DELETE FROM stream_head WHERE tenant = $1", TENANT)
        await self.owner.execute(
            "INSERT INTO stream_head SELECT tenant, stream, max(version) FROM event"
            " WHERE tenant = $1 GROUP BY 1, 2",
            TENANT,
        )

    def some(self, covered: int) -> Row:
        """An event that a head covers."""
        return self.rows[self.chance.randrange(covered)]

    def place(self, covered: int) -> int:
        """A place in the list, so that what is done there changes what a head covers."""
        return self.chance.randrange(covered)


def _edit_part(at: Attacker, covered: int) -> str:
    row, name = at.some(covered), at.chance.choice(["header", "context", "salt", "body"])
    part = bytearray(getattr(row, name))
    part[at.chance.randrange(len(part))] ^= 1 << at.chance.randrange(8)
    setattr(row, name, bytes(part))
    return f"a bit of the {name} of {row.position}"


def _edit_actor(at: Attacker, covered: int) -> str:
    row = at.some(covered)
    row.context = row.context.replace(b'"op"', b'"po"')
    return f"another actor of {row.position}"


def _edit_column(at: Attacker, covered: int) -> str:
    row, name = at.some(covered), at.chance.choice(["stream", "type", "version", "committed_at"])
    value: object = {
        "stream": uuid4(),
        "type": "records.fact-filed",
        "version": row.version + 1,
        "committed_at": row.committed_at + timedelta(microseconds=1),
    }[name]
    if value == row.type:
        value = "records.fact-corrected"
    setattr(row, name, value)
    return f"the column {name} of {row.position}"


def _edit_header(at: Attacker, covered: int) -> str:
    row = at.some(covered)
    stream = uuid4()
    row.stream = stream
    row.tell(stream=str(stream))
    return f"column and header of {row.position} say another stream"


def _delete(at: Attacker, covered: int) -> str:
    return f"without {at.rows.pop(at.place(covered)).position}"


def _insert(at: Attacker, covered: int) -> str:
    place = at.place(covered)
    other = at.rows[place]
    forged = Row(
        other.position, other.stream, other.version, other.type, other.committed_at, other.header,
        other.context, os.urandom(16), other.body, other.leaf,
    )  # fmt: skip
    # Of the same position as its neighbour until everything is made to fit: not in one table.
    at.rows.insert(place, forged)
    at.fit()
    return f"a forged event before {other.position}"


def _reorder(at: Attacker, covered: int) -> str:
    first, second = sorted(at.chance.sample(range(covered), 2))
    one, other = at.rows[first], at.rows[second]
    at.rows[first], at.rows[second] = other, one
    one.position, other.position = other.position, one.position
    return f"{first + 1} and {second + 1} in each other's place"


def _truncate(at: Attacker, covered: int) -> str:
    del at.rows[at.place(covered) :]
    return f"cut off after {len(at.rows)}"


def _fork(at: Attacker, covered: int) -> str:
    """Back to an older state, and on from there with other events."""
    place = at.place(covered)
    rest = at.rows[place:]
    at.chance.shuffle(rest)
    for row in rest:
        row.salt = os.urandom(16)
    at.rows[place:] = rest
    for position, row in enumerate(at.rows, 1):
        row.position = position
    return f"another history after {place}"


ACTS: Sequence[Callable[[Attacker, int], str]] = (
    _edit_part, _edit_actor, _edit_column, _edit_header, _delete, _insert, _reorder, _truncate,
    _fork,
)  # fmt: skip
