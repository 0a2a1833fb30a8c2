"""Writing read-model tables: one statement per table and batch."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import asyncpg

from adapters.keys.tree import KeyTree
from adapters.postgres.rows import SealedRow, seal_row
from domain.kernel.readmodel import Column, Drop, Table, Write

Names = Mapping[str, str]
"""Where a table's rows go: its own name, or the name of the copy that a rebuild fills."""

_TENANT = Column("tenant", "text")
_SEALED = (Column("key", "uuid"), Column("body", "bytea"))


@dataclass(slots=True)
class Pending:
    """The net effect of a run of writes: deletions first, then the last row for each key."""

    drops: list[Drop] = field(default_factory=list)
    rows: dict[str, dict[tuple[object, ...], SealedRow]] = field(default_factory=dict)

    async def add(self, tenant: str, writes: Iterable[Write], keys: KeyTree) -> None:
        """Take writes in, in order: all of them, or none where one cannot be sealed."""
        sealed = [
            write if isinstance(write, Drop) else await seal_row(tenant, write, keys)
            for write in writes
        ]
        for row in sealed:
            if isinstance(row, Drop):
                self._drop(row)
            elif row is not None:
                self.rows.setdefault(row.table.name, {})[row.identity] = row

    def _drop(self, drop: Drop) -> None:
        places = {column.name: at for at, column in enumerate(drop.table.columns, 1)}
        wanted = [(places[name], str(value)) for name, value in drop.where.items()]
        self.drops.append(drop)
        self.rows[drop.table.name] = {
            ident: row
            for ident, row in self.rows.get(drop.table.name, {}).items()
            if any(str(row.values[at]) != value for at, value in wanted)
        }

    async def write(self, connection: asyncpg.Connection, tenant: str, names: Names) -> None:
        """Apply to the tables, inside the caller's transaction."""
        for drop in self.drops:
            await connection.execute(*_delete(drop, tenant, names))
        for rows in self.rows.values():
            if rows:
                await _upsert(connection, list(rows.values()), names)
                await asyncio.sleep(0)


def _delete(drop: Drop, tenant: str, names: Names) -> tuple[object, ...]:
    types = {column.name: column.sql for column in drop.table.columns}
    conditions = [f'"{name}" = ${place}::{types[name]}' for place, name in enumerate(drop.where, 2)]
    target = names.get(drop.table.name, drop.table.name)
    sql = f"DELETE FROM model.{target} WHERE tenant = $1 AND {' AND '.join(conditions)}"
    return (sql, tenant, *drop.where.values())


async def _upsert(connection: asyncpg.Connection, rows: list[SealedRow], names: Names) -> None:
    table = rows[0].table
    columns = (_TENANT, *table.columns, *(_SEALED if table.body else ()))
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
