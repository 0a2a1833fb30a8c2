"""The copies that a rebuild fills: bare tables while rows stream in by COPY, whole ones at the end.

Runs are written in any order, by several processes at once. Each row knows the run that wrote it,
and a run is known by the position that it begins after: the latest run wins, for rows and for
deletions alike. Indexes are built when the last row is in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from adapters.postgres.tables import Names, Pending, TableRows, row_columns
from domain.kernel.readmodel import Drop, Projection, Table

RUN = "written_in_run"
MEMORY = "SET LOCAL work_mem = '64MB'; SET LOCAL maintenance_work_mem = '256MB'"
INDEXES = """SELECT CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
    ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, c.conname,
      pg_get_constraintdef(c.oid)) END AS making,
  CASE WHEN c.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
    ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, c.conname)
    END AS dropping
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid
    AND c.conrelid = i.indrelid
  WHERE i.indrelid = $1::text::regclass ORDER BY i.indisprimary DESC, i.indexrelid"""
DROPS = """CREATE UNLOGGED TABLE model.{name} (tenant text COLLATE "C" NOT NULL,
  target text NOT NULL, names text[] NOT NULL, vals text[] NOT NULL, run bigint NOT NULL)"""


class CopiesGone(Exception):
    """The copies belong to another rebuild by now. What was read for these is thrown away."""


@dataclass(frozen=True, slots=True)
class Copies:
    """The bare copies of one rebuild, for any process that fills them.

    `drops` holds the deletions of all runs; `oids` tell these copies from those of another rebuild;
    `making` are the statements that build the indexes.
    """

    tables: tuple[Table, ...]
    names: Names
    drops: str
    oids: tuple[int, ...]
    making: tuple[str, ...]

    async def hold(self, connection: asyncpg.Connection) -> None:
        """Keep the copies from being dropped while this transaction lasts. Raises CopiesGone."""
        targets = _targets(self.names, self.drops)
        try:
            await connection.execute(f"LOCK TABLE {', '.join(targets)} IN ROW EXCLUSIVE MODE")
        except asyncpg.UndefinedTableError:
            raise CopiesGone from None
        if await _oids(connection, targets) != self.oids:
            raise CopiesGone

    async def write(
        self, connection: asyncpg.Connection, tenant: str, pending: Pending, run: int
    ) -> None:
        """The net effect of a run. Raises what PostgreSQL says of a bad row."""
        drops = {_dropped(tenant, drop, run): None for drop in pending.drops}
        if drops:
            await connection.copy_records_to_table(
                self.drops,
                schema_name="model",
                records=((*key, list(names), list(vals), run) for *key, names, vals, run in drops),
            )
        for rows in pending.tables.values():
            if rows.last:
                await self._copy(connection, rows, run)

    async def _copy(self, connection: asyncpg.Connection, rows: TableRows, run: int) -> None:
        await connection.copy_records_to_table(
            self.names[rows.table.name],
            schema_name="model",
            columns=[*(column.name for column in row_columns(rows.table)), RUN],
            records=[(*row.values, run) for row in rows.last.values()],
        )

    async def empty(self, connection: asyncpg.Connection) -> None:
        """Begin again."""
        await connection.execute(f"TRUNCATE {', '.join(_targets(self.names, self.drops))}")

    async def finish(self, connection: asyncpg.Connection) -> None:
        """The last run wins; then columns, indexes and guards are as in the old tables.

        Raises what PostgreSQL says of a row that no index can hold.
        """
        async with connection.transaction():
            await connection.execute(MEMORY)
            deletions = await connection.fetch(
                f"SELECT DISTINCT target, names FROM model.{self.drops}"
            )
            for table in self.tables:
                # First: a row that was replaced is gone, whatever became of the one after it.
                await connection.execute(self._superseded(table))
                for target, names in deletions:
                    if target == table.name:
                        await connection.execute(self._deletion(table, names), target, names)
            for copy in self.names.values():
                await connection.execute(
                    f"ALTER TABLE model.{copy} DROP COLUMN {RUN}, FORCE ROW LEVEL SECURITY"
                )
            for statement in self.making:
                await connection.execute(statement)
            await connection.execute(f"DROP TABLE model.{self.drops}")

    def _deletion(self, table: Table, names: Sequence[str]) -> str:
        types = {column.name: column.sql for column in table.columns}
        places = range(1, len(names) + 1)
        values = ", ".join(
            f"vals[{n}]::{types[name]} AS v{n}" for n, name in zip(places, names, strict=True)
        )
        same = " AND ".join(f'c."{name}" = d.v{n}' for n, name in zip(places, names, strict=True))
        groups = ", ".join(str(n + 1) for n in range(len(names) + 1))
        return (
            f"DELETE FROM model.{self.names[table.name]} c USING (SELECT tenant, {values},"
            f" max(run) AS run FROM model.{self.drops} WHERE target = $1 AND names = $2"
            f" GROUP BY {groups}) d WHERE c.tenant = d.tenant AND {same} AND c.{RUN} < d.run"
        )

    def _superseded(self, table: Table) -> str:
        key = ["tenant", *(f'"{column.name}"' for column in table.key)]
        copy = f"model.{self.names[table.name]}"
        same = " AND ".join(f"c.{name} = d.{name}" for name in key)
        return (
            f"DELETE FROM {copy} c USING (SELECT {', '.join(key)}, max({RUN}) AS run FROM {copy}"
            f" GROUP BY {', '.join(key)} HAVING count(*) > 1) d WHERE {same} AND c.{RUN} < d.run"
        )


async def bare_copies(connection: asyncpg.Connection, projection: Projection) -> Copies:
    """Fresh copies without indexes. COPY refuses tables whose row policies bind their owner."""
    names = {table.name: f"{table.name}__rebuilt" for table in projection.tables}
    drops = f"{projection.name}__drops"
    making: list[str] = []
    async with connection.transaction():
        await clone(connection, names)
        await connection.execute(f"DROP TABLE IF EXISTS model.{drops}")
        await connection.execute(DROPS.format(name=drops))
        for copy in names.values():
            for index in await connection.fetch(INDEXES, f"model.{copy}"):
                making.append(index["making"])
                await connection.execute(index["dropping"])
            await connection.execute(
                f"ALTER TABLE model.{copy} NO FORCE ROW LEVEL SECURITY, ADD COLUMN {RUN} bigint"
            )
        oids = await _oids(connection, _targets(names, drops))
    return Copies(projection.tables, names, drops, oids, tuple(making))


async def clone(connection: asyncpg.Connection, names: Names) -> None:
    """An empty copy of each table with its indexes, policies and grants."""
    for table, copy in names.items():
        await connection.execute("SELECT model.clone_table($1, $2)", table, copy)


def _targets(names: Names, drops: str) -> list[str]:
    return [f"model.{name}" for name in (*names.values(), drops)]


async def _oids(connection: asyncpg.Connection, targets: Sequence[str]) -> tuple[int, ...]:
    rows = await connection.fetch("SELECT t::regclass::oid FROM unnest($1::text[]) AS t", targets)
    return tuple(row[0] for row in rows)


def _dropped(
    tenant: str, drop: Drop, run: int
) -> tuple[str, str, tuple[str, ...], tuple[str, ...], int]:
    names = tuple(sorted(drop.where))
    return tenant, drop.table.name, names, tuple(_text(drop.where[name]) for name in names), run


def _text(value: object) -> str:
    """As PostgreSQL reads it."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
