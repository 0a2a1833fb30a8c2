"""The table of events in partitions by tenant, made while appends go on.

Events never change, so a copy made in runs is right for ever: what is left for the moment in which
the tables change places are the newest events. A copy that was interrupted goes on where it was.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import asyncpg

from adapters.postgres.migrate import LOCK

RUN: Final = 20_000
"""Events of one transaction of the copy."""
LOCK_SECONDS: Final = 2
"""How long appends may be held up by a switch that waits for others; then it is tried again."""
HELD: Final = f"""SET LOCAL lock_timeout = '{LOCK_SECONDS}s';
  SET LOCAL idle_in_transaction_session_timeout = '10s'"""
"""A console that is stopped, or that loses its network, lets appends go on."""
PAUSE_SECONDS: Final = 5.0
"""How long appends then have before the next try."""
MOST: Final = 256
COPY: Final = "event_apart"
Moved = Callable[[int, int], None]

_HEADS: Final = """SELECT t.tenant, coalesce(h.position, 0) AS position, coalesce(
    (SELECT max(e.position) FROM event e WHERE e.tenant = t.tenant), 0) AS last
  FROM log_tenants() AS t (tenant) LEFT JOIN log_head h ON h.tenant = t.tenant"""
_NEWEST: Final = "SELECT max(name) FROM public.migration"
_BEGUN: Final = "SELECT obj_description(to_regclass('public.' || $1), 'pg_class')"
_COLUMNS: Final = """SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
  FROM pg_attribute WHERE attrelid = 'public.event'::regclass AND attnum > 0 AND NOT attisdropped"""
_KIND: Final = "SELECT relkind::text FROM pg_class WHERE oid = to_regclass('public.' || $1)"
_PARTS: Final = """SELECT count(*)::int FROM pg_inherits
  WHERE inhparent = to_regclass('public.' || $1)"""
# Statements that give a table, $1, what the table of events has.
_GRANTS: Final = """SELECT format('GRANT %s ON %I TO %I', g.privilege_type, $1::text, r.rolname)
  FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) g
  JOIN pg_roles r ON r.oid = g.grantee
  WHERE c.oid = 'public.event'::regclass AND g.grantee <> c.relowner
  UNION ALL
  SELECT format('GRANT %s (%I) ON %I TO %I', g.privilege_type, a.attname, $1::text, r.rolname)
  FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) g
  JOIN pg_roles r ON r.oid = g.grantee
  WHERE a.attrelid = 'public.event'::regclass AND NOT a.attisdropped"""
_POLICIES: Final = """SELECT format('CREATE POLICY %I ON %I AS %s FOR %s TO %s%s%s', policyname,
    $1::text, permissive, cmd, (SELECT string_agg(quote_ident(r), ', ') FROM unnest(roles) r),
    coalesce(' USING (' || qual || ')', ''), coalesce(' WITH CHECK (' || with_check || ')', ''))
  FROM pg_policies WHERE schemaname = 'public' AND tablename = 'event'"""
_TRIGGERS: Final = """SELECT replace(pg_get_triggerdef(oid), ' ON public.event ',
    format(' ON public.%I ', $1::text))
  FROM pg_trigger WHERE tgrelid = 'public.event'::regclass AND NOT tgisinternal"""
_INDEXES: Final = """SELECT format('ALTER INDEX public.%I RENAME TO %I', n.relname, o.relname)
  FROM pg_index older JOIN pg_class o ON o.oid = older.indexrelid
  JOIN pg_index newer ON newer.indkey::text = older.indkey::text
  JOIN pg_class n ON n.oid = newer.indexrelid
  WHERE older.indrelid = 'public.event'::regclass AND newer.indrelid = to_regclass($1)"""


class PartitionedAlready(Exception):
    """The events are in partitions already. Nothing is left to do."""


class PartitionsUnclear(Exception):
    """Give a number of partitions from 2 to 256; an interrupted copy goes on with its own."""


class MigrationRuns(Exception):
    """The tables are being migrated or put into partitions. Wait until that has ended."""


class CopyOutdated(Exception):
    """The database was migrated since this copy began. DROP TABLE event_apart, then begin again."""


class CopyIncomplete(Exception):
    """The copy lacks events, or the log has gaps: run `anamnesis verify`. Nothing was changed."""


async def partition(dsn: str, parts: int, moved: Moved) -> Mapping[str, int]:
    """Put events into so many partitions; returns how many each tenant has.

    `dsn` is the owner's. `moved` is told (events copied, events). Raises PartitionsUnclear,
    PartitionedAlready, MigrationRuns, CopyOutdated, CopyIncomplete.
    """
    if not 2 <= parts <= MOST:
        raise PartitionsUnclear(parts)
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            raise MigrationRuns
        if await connection.fetchval(_KIND, "event") == "p":
            raise PartitionedAlready
        await _prepare(connection, parts)
        copy = _Copy(connection, await connection.fetchval(_COLUMNS), moved)
        await copy.begin()
        events = await _switched(connection, copy)
        await connection.execute("ANALYZE public.event")
        return events
    finally:
        await connection.close()


async def _prepare(connection: asyncpg.Connection, parts: int) -> None:
    """An empty table in partitions with everything that stands around the one of today."""
    known, newest = await connection.fetchval(_PARTS, COPY), await connection.fetchval(_NEWEST)
    if known not in (0, parts):
        raise PartitionsUnclear(f"{parts}, not {known}")
    if known:
        if await connection.fetchval(_BEGUN, COPY) != newest:
            raise CopyOutdated
        return
    async with connection.transaction():
        await connection.execute(
            f"CREATE TABLE public.{COPY} (LIKE public.event INCLUDING ALL)"
            " PARTITION BY HASH (tenant)"
        )
        for statements in (_GRANTS, _POLICIES):
            await _execute_each(connection, statements, COPY)
        names = [f"{COPY}_{number}" for number in range(parts)]
        for number, name in enumerate(names):
            await connection.execute(
                f"CREATE TABLE public.{name} PARTITION OF public.{COPY}"
                f" FOR VALUES WITH (MODULUS {parts}, REMAINDER {number})"
            )
        # What migrations add to the table later, the copy would lack.
        await connection.execute(f"COMMENT ON TABLE public.{COPY} IS '{newest}'")
        for name in (COPY, *names):
            await connection.execute(f"ALTER TABLE public.{name} ENABLE ROW LEVEL SECURITY")
            await connection.execute(f"ALTER TABLE public.{name} FORCE ROW LEVEL SECURITY")
            # A trigger for statements is not of a table's partitions.
            await _execute_each(connection, _TRIGGERS, name)


async def _execute_each(connection: asyncpg.Connection, statements: str, name: str) -> None:
    for row in await connection.fetch(statements, name):
        await connection.execute(row[0])


class _Copy:
    """How far the copy of each tenant's events is."""

    def __init__(self, connection: asyncpg.Connection, columns: str, moved: Moved) -> None:
        self._connection = connection
        self._columns = columns
        self._moved = moved
        self._reached: dict[str, int] = {}

    async def begin(self) -> None:
        """What is there from earlier. Its events are counted: each has a position of its own."""
        async with self.writing():
            rows = await self._connection.fetch(
                f"SELECT tenant, count(*) AS events, max(position) AS last FROM {COPY} GROUP BY 1"
            )
        self._reached = {row["tenant"]: row["last"] for row in rows}
        for row in rows:
            if row["events"] != row["last"]:
                raise CopyIncomplete(row["tenant"])

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """A transaction as the role that sees every tenant's events and may write them."""
        async with self._connection.transaction():
            await self._connection.execute("SET LOCAL ROLE anamnesis_log_writer")
            yield
            await self._connection.execute("SET LOCAL ROLE NONE")

    async def heads(self) -> dict[str, int]:
        """The last position of each tenant's log. Raises CopyIncomplete.

        Events beyond a head, or of a tenant without one, are what somebody tampered with: they are
        evidence, and are not to be dropped with the table.
        """
        async with self.writing():
            rows = await self._connection.fetch(_HEADS)
        for row in rows:
            if row["position"] != row["last"]:
                raise CopyIncomplete(row["tenant"])
        return {row["tenant"]: row["position"] for row in rows}

    async def go_on(self) -> dict[str, int]:
        """Copy up to the heads of now; returns them. Raises CopyIncomplete."""
        heads = await self.heads()
        self._tell(heads)
        for tenant, head in heads.items():
            while self._reached.get(tenant, 0) < head:
                await self._run(tenant, min(self._reached.get(tenant, 0) + RUN, head))
                self._tell(heads)
        return heads

    async def catch_up(self) -> None:
        """Copy until what came while it was copied is no more than a run."""
        while True:
            before = sum(self._reached.values())
            await self.go_on()
            if sum(self._reached.values()) - before <= RUN:
                return

    async def _run(self, tenant: str, until: int) -> None:
        after = self._reached.get(tenant, 0)
        async with self.writing():
            done = await self._connection.execute(
                f"INSERT INTO {COPY} ({self._columns}) SELECT {self._columns} FROM event"
                " WHERE tenant = $1 AND position > $2 AND position <= $3 ORDER BY position",
                *(tenant, after, until),
            )
            if done != f"INSERT 0 {until - after}":
                raise CopyIncomplete(tenant)
        self._reached[tenant] = until

    def _tell(self, heads: Mapping[str, int]) -> None:
        self._moved(sum(self._reached.values()), sum(heads.values()))


async def _switched(connection: asyncpg.Connection, copy: _Copy) -> dict[str, int]:
    """Copy what came meanwhile, with appends held up, and let the tables change places."""
    while True:
        await copy.catch_up()
        try:
            async with connection.transaction():
                await connection.execute(HELD)
                # The copy and its partitions, too: nothing that follows waits for anybody.
                await connection.execute(f"LOCK TABLE public.event, public.{COPY}")
                heads = await copy.go_on()
                await _change_places(connection)
                return heads
        except asyncpg.LockNotAvailableError:
            # What was copied in there is not there any more.
            await copy.begin()
            await asyncio.sleep(PAUSE_SECONDS)


async def _change_places(connection: asyncpg.Connection) -> None:
    names = await connection.fetch(_INDEXES, f"public.{COPY}")
    parts = await connection.fetchval(_PARTS, COPY)
    await connection.execute("DROP TABLE public.event")
    await connection.execute(f"COMMENT ON TABLE public.{COPY} IS NULL")
    await connection.execute(f"ALTER TABLE public.{COPY} RENAME TO event")
    for number in range(parts):
        await connection.execute(f"ALTER TABLE public.{COPY}_{number} RENAME TO event_{number}")
    for row in names:
        await connection.execute(row[0])
