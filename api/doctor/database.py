"""Checks of the database: reachable, durable, walled, migrated, projected."""

from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from adapters.keys import KeyTree
from adapters.postgres.away import CONNECT_SECONDS
from adapters.postgres.migrate import migrations_at_hand
from adapters.postgres.opening import open_events
from adapters.postgres.replica import IDENTITY, REPLAYED, WRITTEN
from api.doctor.diagnosis import Check, Seen, expect
from api.house import POOL_SIZE
from api.keystore import open_store, root_of
from api.settings import ROLES, Settings
from api.standing import MAX_SKEW_SECONDS
from domain.audit import ChartErased, ErasureCarriedOut, Keeping
from projections.catalogue import PROJECTIONS

OLDEST = 150000
LAG = 10_000
LATE = 16 << 20
WRITES = "SELECT has_table_privilege($1, 'event', 'UPDATE, DELETE, TRUNCATE')"
UNWALLED = """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant' AND NOT a.attisdropped
  WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'model')
    AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1"""
STRONG = """SELECT rolname FROM pg_roles WHERE rolname LIKE 'anamnesis\\_%'
  AND (rolsuper OR rolbypassrls OR rolcreaterole) ORDER BY 1"""


UNSIGNED = """SELECT tenant FROM log_head h WHERE position > 0
  AND committed_at < clock_timestamp() - interval '1 minute' AND position >
    (SELECT coalesce(max(s.position), 0) FROM signed_head s WHERE s.tenant = h.tenant)
  ORDER BY tenant"""


ERASURES = """SELECT position, version, committed_at, header, context, body FROM event
  WHERE tenant = $1 AND type = ANY($2::text[]) ORDER BY position"""


@dataclass(frozen=True, slots=True)
class Surgery:
    """The owner's connection and the settings that led to it."""

    owner: asyncpg.Connection
    settings: Settings

    async def shown(self, name: str) -> str:
        """A PostgreSQL setting."""
        return str(await self.owner.fetchval(f"SHOW {name}"))


async def _version(at: Surgery) -> Seen:
    number, words = int(await at.shown("server_version_num")), await at.shown("server_version")
    return expect(number >= OLDEST, f"PostgreSQL {words}", f"PostgreSQL {words} is too old")


async def _encoding(at: Surgery) -> Seen:
    found = await at.shown("server_encoding")
    return expect(found == "UTF8", found, f"{found} cannot hold every name")


async def _durable(at: Surgery) -> Seen:
    off = [name for name in ("fsync", "full_page_writes") if await at.shown(name) != "on"]
    off += ["synchronous_commit"] if await at.shown("synchronous_commit") == "off" else []
    return expect(not off, "commits reach the disk", f"off: {', '.join(off)}")


async def _checksums(at: Surgery) -> Seen:
    found = await at.shown("data_checksums")
    return expect(found == "on", "on", "pages have no checksums", "warning")


async def _connections(at: Surgery) -> Seen:
    limit, wanted = int(await at.shown("max_connections")), POOL_SIZE + 4 + 4 + 4
    return expect(limit >= wanted, f"{limit} connections", f"{limit}, {wanted} needed", "warning")


async def _clock(at: Surgery) -> Seen:
    theirs = await at.owner.fetchval("SELECT clock_timestamp()")
    skew = abs((datetime.now(UTC) - theirs).total_seconds())
    return expect(skew <= MAX_SKEW_SECONDS, f"{skew:.3f} s apart", f"{skew:.1f} s apart")


async def _migrations(at: Surgery) -> Seen:
    rows = await at.owner.fetch("SELECT name, checksum FROM public.migration")
    applied = {row["name"]: row["checksum"] for row in rows}
    at_hand = {known.name: known.checksum for known in migrations_at_hand()}
    missing = sorted(at_hand.keys() - applied.keys())
    return expect(not missing, f"{len(applied)} applied", f"not applied: {', '.join(missing)}")


async def _unchanged(at: Surgery) -> Seen:
    rows = await at.owner.fetch("SELECT name, checksum FROM public.migration")
    at_hand = {known.name: known.checksum for known in migrations_at_hand()}
    edited = [r["name"] for r in rows if at_hand.get(r["name"], r["checksum"]) != r["checksum"]]
    return expect(not edited, "as they ran", f"edited since they ran: {', '.join(edited)}")


async def _roles(at: Surgery) -> Seen:
    strong = [row["rolname"] for row in await at.owner.fetch(STRONG)]
    return expect(not strong, "no role may look over a wall", f"too strong: {', '.join(strong)}")


async def _sign_in(at: Surgery) -> Seen:
    shut = []
    for role in ROLES:
        try:
            connection = await asyncpg.connect(at.settings.role_dsn(role), timeout=5)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            shut.append(role)
        else:
            await connection.close()
    return expect(not shut, "every role signs in", f"cannot sign in: {', '.join(shut)}")


async def _append_only(at: Surgery) -> Seen:
    able = [r for r in ROLES if await at.owner.fetchval(WRITES, f"anamnesis_{r}")]
    return expect(not able, "no role may change an event", f"may change events: {', '.join(able)}")


async def _trigger(at: Surgery) -> Seen:
    enabled = await at.owner.fetchval(
        "SELECT bool_and(EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p.relid"
        " AND t.tgname = 'event_is_immutable' AND t.tgenabled <> 'D'))"
        " FROM (SELECT 'public.event'::regclass AS relid"
        " UNION SELECT relid FROM pg_partition_tree('public.event')) p"
    )
    return expect(bool(enabled), "armed", "the trigger on event is gone or disabled")


async def _walls(at: Surgery) -> Seen:
    open_tables = [row["relname"] for row in await at.owner.fetch(UNWALLED)]
    return expect(
        not open_tables, "forced on every table", f"no row policy: {', '.join(open_tables)}"
    )


async def _tenants(at: Surgery) -> Seen:
    tenants = await _open_tenants(at)
    return expect(bool(tenants), f"{len(tenants)} open", "no tenant has a log", "warning")


async def _tenant_keys(at: Surgery) -> Seen:
    """Raises the key tree's errors for a root key that is not this database's."""
    store = open_store(at.settings)
    try:
        tree = KeyTree(root_of(at.settings), store)
        for tenant in await _open_tenants(at):
            # A doctor makes no keys: in an empty store they would be in the way of those to come.
            if await store.epochs(tenant, "tenant", "", ""):
                await tree.tenant_secret(tenant, "doctor")
    finally:
        await store.close()
    return Seen("the root key opens every tenant's keys")


async def _erasures(at: Surgery) -> Seen:
    """Charts of which a tombstone is not carried out."""
    store, left = open_store(at.settings), 0
    try:
        keys = KeyTree(root_of(at.settings), store)
        for tenant in await _open_tenants(at):
            kinds = [ChartErased.type_name, ErasureCarriedOut.type_name]
            rows = await at.owner.fetch(ERASURES, tenant, kinds)
            states: dict[str, Keeping] = {}
            for one in await open_events(tenant, rows, keys):
                stream = one.header.stream
                state = states.get(stream, Keeping.initial(stream))
                states[stream] = state.evolve(one.event)
            left += sum(bool(state.under_way) for state in states.values())
    finally:
        await store.close()
    words = f"{left} erasures are not carried out yet"
    return expect(not left, "every erasure is carried out", words)


async def _versions(at: Surgery) -> Seen:
    known = {projection.name: projection.version for projection in PROJECTIONS}
    rows = await at.owner.fetch("SELECT DISTINCT projection, version FROM checkpoint")
    old = sorted({r["projection"] for r in rows if r["version"] < known.get(r["projection"], 0)})
    return expect(not old, "of this release", f"of an earlier release: {', '.join(old)}", "warning")


async def _lag(at: Surgery) -> Seen:
    behind = await at.owner.fetchval(
        "SELECT coalesce(max(h.position - c.position), 0) FROM checkpoint c"
        " JOIN log_head h USING (tenant)"
    )
    return expect(behind < LAG, f"{behind} events behind", f"{behind} events behind", "warning")


async def _signed(at: Surgery) -> Seen:
    behind = [row["tenant"] for row in await at.owner.fetch(UNSIGNED)]
    return expect(
        not behind, "every log's head is signed", f"unsigned: {', '.join(behind)}", "warning"
    )


async def _set_aside(at: Surgery) -> Seen:
    rows = await at.owner.fetch("SELECT consumer, count(*) AS n FROM dead_letter GROUP BY 1")
    found = ", ".join(f"{row['n']} in {row['consumer']}" for row in rows)
    return expect(not rows, "none", f"events set aside: {found}", "warning")


async def _follows(at: Surgery) -> Seen:
    if at.settings.replica is None:
        return Seen("no replica is named")
    there = await asyncpg.connect(at.settings.replica_dsn("api"), timeout=CONNECT_SECONDS)
    try:
        same = await there.fetchrow(IDENTITY) == await at.owner.fetchrow(IDENTITY)
        written, replayed = await at.owner.fetchval(WRITTEN), await there.fetchval(REPLAYED)
    finally:
        await there.close()
    if not same or replayed is None:
        return Seen("another database, or no replica", "failure")
    behind = max(0, written - replayed)
    return expect(behind <= LATE, f"{behind} bytes behind", f"{behind} bytes behind", "warning")


async def _open_tenants(at: Surgery) -> list[str]:
    return [row["tenant"] for row in await at.owner.fetch("SELECT tenant FROM log_head")]


DATABASE: tuple[Check[Surgery], ...] = (
    Check("postgresql", "Upgrade to PostgreSQL 15 or newer.", _version),
    Check("encoding", "Create the database with ENCODING 'UTF8'.", _encoding),
    Check("durability", "Set fsync, full_page_writes, synchronous_commit to on.", _durable),
    Check("page-checksums", "Run `pg_checksums --enable` while the server is stopped.", _checksums),
    Check("connections", "Raise max_connections in postgresql.conf.", _connections),
    Check("clock", "Synchronise both machines' clocks (NTP); processes refuse over 2 s.", _clock),
    Check("migrations", "Run `anamnesis migrate`.", _migrations),
    Check("migrations-unchanged", "Restore the files; a change is a new migration.", _unchanged),
    Check("roles", "ALTER ROLE ... NOSUPERUSER NOBYPASSRLS NOCREATEROLE.", _roles),
    Check("sign-in", "Set the role's password and ANAMNESIS_DSN_<ROLE>.", _sign_in),
    Check("append-only", "REVOKE UPDATE, DELETE, TRUNCATE ON event from that role.", _append_only),
    Check("immutability", "ALTER TABLE event ENABLE TRIGGER event_is_immutable; verify.", _trigger),
    Check("row-policies", "ENABLE and FORCE ROW LEVEL SECURITY; see migrations.", _walls),
    Check("tenants", "Run `anamnesis migrate --tenant NAME`.", _tenants),
    Check("tenant-keys", "Restore the root key and key store of this database.", _tenant_keys),
    Check("erasures", "Run the same `anamnesis erase` again: it goes on.", _erasures),
    Check("read-models", "Start `anamnesis serve`, or `anamnesis rebuild NAME`.", _versions),
    Check("projector-lag", "Look whether `anamnesis serve` runs and what it logs.", _lag),
    Check(
        "signed-heads", "Look whether `anamnesis serve` runs, and for heads.* in its log.", _signed
    ),
    Check("replica", "Name a streaming replica of this database, or none.", _follows),
    Check("set-aside", "Read table dead_letter; after the fix `anamnesis rebuild`.", _set_aside),
)
