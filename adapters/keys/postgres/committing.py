"""Records put into the tables, many in one transaction."""

from collections.abc import Sequence
from typing import Final

import asyncpg

from adapters.keys.port import KeyRecord
from adapters.keys.postgres import statements as sql
from adapters.keys.postgres.server import KeyServer
from adapters.keys.refused import KeyDestroyed, KeyStoreUnavailable

_TRIES: Final = 3
Where = tuple[str, str, str, str, int]


async def committed(
    server: KeyServer, records: Sequence[KeyRecord]
) -> list[KeyRecord | KeyDestroyed]:
    """What is kept of each record, or why nothing is. Raises KeyStoreUnavailable."""
    for left in reversed(range(_TRIES)):
        try:
            return await _once(server, records)
        except KeyStoreUnavailable as error:
            # Two batches that meet in two places may wait for each other; one of them is told.
            if error.subject != "DeadlockDetectedError" or not left:
                raise
    raise AssertionError


async def _once(server: KeyServer, records: Sequence[KeyRecord]) -> list[KeyRecord | KeyDestroyed]:
    parents = sorted({record.parent for record in records if record.parent is not None})
    async with server.transaction() as at:
        await at.fetch(sql.SHARED, parents)
        gone = {row["id"] for row in await at.fetch(sql.GONE, parents)}
        living = [record for record in records if record.parent not in gone]
        kept = {row["id"] for row in await at.fetch(sql.INSERT, *_columns(living))}
        others = await _at_places(at, [one for one in living if one.id not in kept])
    return [
        KeyDestroyed(record.parent or "")
        if record.parent in gone
        else record
        if record.id in kept
        else others[_place(record)]
        for record in records
    ]


def _place(record: KeyRecord) -> Where:
    return (record.tenant, record.kind, record.owner, record.key_class, record.epoch)


async def _at_places(
    at: asyncpg.Connection, records: Sequence[KeyRecord]
) -> dict[Where, KeyRecord]:
    """What others put in the places of these records. Raises for a second item of one id."""
    if not records:
        return {}
    if any(record.kind == "item" for record in records):
        raise KeyStoreUnavailable("UniqueViolationError")
    places = [list(column) for column in zip(*map(_place, records), strict=True)]
    found = [KeyRecord(*row) for row in await at.fetch(sql.AT_PLACES, *places)]
    return {_place(record): record for record in found}


def _columns(records: Sequence[KeyRecord]) -> list[list[object]]:
    rows = [
        (
            *(one.id, one.tenant, one.kind, one.owner, one.key_class, one.epoch, one.parent),
            *(one.wrapped, one.commitment),
        )
        for one in records
    ]
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(9)]
