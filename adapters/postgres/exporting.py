"""Reads a tenant's log for an audit export: entries, leaves, and the heads that were published.

Short read-only transactions with the auditor's role; events never change, so that one snapshot is
not needed, and an export of a long log holds nothing open.
"""

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

import asyncpg

from adapters.postgres.tenant import tenant_rows
from adapters.proofs.exports import Entry
from adapters.proofs.notes import Note, NoteUnreadable
from adapters.proofs.paths import Leaves, inclusion_path
from adapters.proofs.span import MICROS_TO_2000

PORTION = 4_096
_COLUMNS = """position, version, timestamptz_send(committed_at) AS at, header, context, salt,
  sha256(body) AS body, leaf"""
RANGE = f"""SELECT {_COLUMNS} FROM event
  WHERE tenant = $1 AND position BETWEEN $2 AND $3 ORDER BY position"""
CHOSEN = f"""SELECT {_COLUMNS} FROM event
  WHERE tenant = $1 AND position = ANY($2::bigint[]) ORDER BY position"""
LEAVES = """SELECT leaf FROM event WHERE tenant = $1 AND position BETWEEN $2 AND $3
  ORDER BY position"""
ENTRIES = """SELECT leaf, int8send(position) || int8send(version)
  || int8send((extract(epoch FROM committed_at) * 1000000)::bigint) || sha256(header)
  || sha256(salt || context) || sha256(body) AS entry FROM event
  WHERE tenant = $1 AND position BETWEEN $2 AND $3 ORDER BY position"""
HEADS = """SELECT note FROM (
    SELECT note, position, row_number() OVER (ORDER BY position DESC) - 1 AS nth,
      greatest(1, (count(*) OVER () + $3 - 1) / $3) AS step
    FROM signed_head WHERE tenant = $1 AND position <= $2
  ) AS head WHERE nth % step = 0 ORDER BY position"""


class LogForked(Exception):
    """The log does not go on from the head that was signed last: it was cut off, replaced by an
    older copy, or rewritten. Nothing more is signed. Keep the files and run `anamnesis verify`."""


class LogUpTo:
    """One tenant's log up to a signed head."""

    def __init__(self, pool: asyncpg.Pool, tenant: str, size: int) -> None:
        """`pool` has connections of a role that reads the log, `size` is the head's."""
        self._pool = pool
        self._tenant = tenant
        self._size = size

    async def heads(self, most: int) -> list[Note]:
        """Published heads up to the size, evenly chosen and the newest among them, oldest first;
        what is no note is left out.
        """
        notes = []
        for row in await self._fetch(HEADS, self._tenant, self._size, most):
            try:
                notes.append(Note.of(row["note"].decode("utf-8", "replace")))
            except NoteUnreadable:
                continue
        return notes

    async def leaves(self, since: int = 0) -> list[bytes]:
        """The leaves after `since` as they are stored. Raises LogForked where one is missing."""
        leaves: list[bytes] = []
        for low in range(since, self._size, PORTION):
            upto = min(low + PORTION, self._size)
            rows = await self._fetch(LEAVES, self._tenant, low + 1, upto)
            leaves += [row["leaf"] for row in rows]
        if since + len(leaves) != self._size:
            raise LogForked(f"{self._tenant}: {since + len(leaves)} of {self._size} events")
        return leaves

    async def tree(self) -> Leaves:
        """The whole tree: 64 bytes of memory for each event. Raises LogForked."""
        return Leaves(await self.leaves())

    async def all(self) -> AsyncIterator[Sequence[Entry]]:
        """Every entry, in portions."""
        for low in range(0, self._size, PORTION):
            upto = min(low + PORTION, self._size)
            rows = await self._fetch(RANGE, self._tenant, low + 1, upto)
            yield [_entry(row, None) for row in rows]

    async def chosen(
        self, positions: Sequence[int], tree: Leaves
    ) -> AsyncIterator[Sequence[Entry]]:
        """The entries at these positions with their paths, in portions."""
        for low in range(0, len(positions), PORTION):
            rows = await self._fetch(CHOSEN, self._tenant, list(positions[low : low + PORTION]))
            yield [
                _entry(row, inclusion_path(tree, row["position"] - 1, self._size)) for row in rows
            ]

    async def entries(self, since: int) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """The stored leaf of each event after `since`, with the entry that it is the hash of."""
        for low in range(since, self._size, PORTION):
            upto = min(low + PORTION, self._size)
            rows = await self._fetch(ENTRIES, self._tenant, low + 1, upto)
            yield [(row["leaf"], row["entry"]) for row in rows]

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        return await tenant_rows(self._pool, self._tenant, sql, *arguments)


def _entry(row: asyncpg.Record, path: Sequence[bytes] | None) -> Entry:
    return Entry(
        position=row["position"],
        version=row["version"],
        at=int.from_bytes(row["at"], "big", signed=True) + MICROS_TO_2000,
        # What is no UTF-8 was tampered with, and its replacement does not hash to the leaf.
        header=row["header"].decode("utf-8", "replace"),
        context=row["context"].decode("utf-8", "replace"),
        salt=row["salt"],
        body=row["body"],
        leaf=row["leaf"],
        path=path,
    )


def context_hash(entry: Entry) -> bytes:
    """What a receipt has in the place of the context."""
    return sha256(entry.salt + entry.context.encode()).digest()
