"""Writing read-model tables: one statement per table and batch."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import asyncpg

from adapters.postgres.rows import SealedRow
from domain.kernel.readmodel import Column, Drop, Table

Names = Mapping[str, str]
"""Where a table's rows go: its own name, or the name of the copy that a rebuild fills."""

_TENANT = Column("tenant", "text")
_SEALED = (Column("key", "uuid"), Column("body", "bytea"))


class TableRows:
    """The last row for each key of one table, and what a deletion finds them by."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.last: dict[tuple[str, ...], SealedRow] = {}
        self._places = {column.name: at for at, column in enumerate(table.columns, 1)}
        self._key = tuple(column.name for column in table.key)
        self._found: dict[tuple[str, ...], dict[tuple[str, ...], list[SealedRow]]] = {}

    def put(self, row: SealedRow) -> None:
        """The row replaces an earlier one with its key."""
        self.last[row.identity] = row
        for names, found in self._found.items():
            found.setdefault(self._values(row, names), []).append(row)

    def drop(self, where: Mapping[str, object]) -> Iterator[Drop]:
        """Forget the rows whose columns equal these values.

        What is stored under their keys had been replaced by them, so it goes as well: gives those
        deletions where `where` does not find it.
        """
        names = tuple(sorted(where))
        if names not in self._found:
            found: dict[tuple[str, ...], list[SealedRow]] = {}
            for row in self.last.values():
                found.setdefault(self._values(row, names), []).append(row)
            self._found[names] = found
        for row in self._found[names].pop(tuple(str(where[name]) for name in names), ()):
            if self.last.get(row.identity) is row:
                del self.last[row.identity]
                if not where.keys() <= set(self._key):
                    key = {name: row.values[self._places[name]] for name in self._key}
                    yield Drop(self.table, key)

    def _values(self, row: SealedRow, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(row.values[self._places[name]]) for name in names)


@dataclass(slots=True)
class Pending:
    """The net effect of a run of writes: deletions first, then the last row for each key."""

    drops: list[Drop] = field(default_factory=list)
    tables: dict[str, TableRows] = field(default_factory=dict)

    def add(self, sealed: Iterable[SealedRow | Drop | None]) -> None:
        """Take rows and deletions in, in order; None stands for a row that is erased."""
        for row in sealed:
            if row is None:
                continue
            held = self.tables.get(row.table.name)
            if held is None:
                held = self.tables[row.table.name] = TableRows(row.table)
            if isinstance(row, Drop):
                self.drops.append(row)
                self.drops.extend(held.drop(row.where))
            else:
                held.put(row)

    async def write(self, connection: asyncpg.Connection, tenant: str, names: Names) -> None:
        """Apply to the tables, inside the caller's transaction."""
        deletions: dict[str, list[tuple[object, ...]]] = {}
        for drop in self.drops:
            deletions.setdefault(_deletion(drop, names), []).append((tenant, *drop.where.values()))
        for statement, wanted in deletions.items():
            await connection.executemany(statement, wanted)
        for rows in self.tables.values():
            if rows.last:
                await _upsert(connection, list(rows.last.values()), names)
                await asyncio.sleep(0)


def row_columns(table: Table) -> tuple[Column, ...]:
    """The columns of a sealed row's values, in order."""
    return (_TENANT, *table.columns, *(_SEALED if table.body else ()))


def _deletion(drop: Drop, names: Names) -> str:
    types = {column.name: column.sql for column in drop.table.columns}
    conditions = [f'"{name}" = ${place}::{types[name]}' for place, name in enumerate(drop.where, 2)]
    target = names.get(drop.table.name, drop.table.name)
    return f"DELETE FROM model.{target} WHERE tenant = $1 AND {' AND '.join(conditions)}"


async def _upsert(connection: asyncpg.Connection, rows: list[SealedRow], names: Names) -> None:
    table = rows[0].table
    columns = row_columns(table)
    arrays = [c for c in columns if c.type.endswith("[]")]
    target = names.get(table.name, table.name)
    if arrays:
        # unnest flattens arrays of arrays, so tables with array columns go row by row.
        statement = _statement(table, columns, target, one_row=True)
        await connection.executemany(statement, [row.values for row in rows])
        return
    statement = _statement(table, columns, target, one_row=False)
    await connection.execute(
        statement, *(list(c) for c in zip(*(r.values for r in rows), strict=True))
    )


@cache
def _statement(table: Table, columns: tuple[Column, ...], target: str, *, one_row: bool) -> str:
    listed = ", ".join(f'"{column.name}"' for column in columns)
    key = ", ".join(["tenant", *(f'"{column.name}"' for column in table.key)])
    others = [column.name for column in columns[1 + len(table.key) :]]
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in others)
    action = f"DO UPDATE SET {changed}" if changed else "DO NOTHING"
    if one_row:
        source = f"VALUES ({', '.join(f'${n}::{c.sql}' for n, c in enumerate(columns, 1))})"
    else:
        arrays = ", ".join(f"${n}::{c.sql}[]" for n, c in enumerate(columns, 1))
        source = f"SELECT * FROM unnest({arrays})"
    return f"INSERT INTO model.{target} ({listed}) {source} ON CONFLICT ({key}) {action}"
