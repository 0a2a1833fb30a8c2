"""The second wall: what PostgreSQL itself refuses, whatever the process above it asks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from adapters.postgres.authority import AuthorityReader
from adapters.postgres.progress import Progress
from api.house import House
from api.settings import ROLES, Settings
from domain.care import JoinCareTeam
from domain.directory import EndRole, GiveRole, ListPractitioner, Practitioner
from domain.identity import CloseAccount
from domain.kernel.context import Actor, Subject
from domain.kernel.values import Name
from projections.catalogue import PERMISSIONS, PROJECTIONS
from tests.adapters.postgres.acts import (
    HERE,
    THERE,
    account,
    do,
    granting,
    patient,
    problem,
    projector,
    rows,
)

pytestmark = pytest.mark.anyio
LOG_TABLES = (
    "checkpoint", "command", "dead_letter", "destroyed_key", "event", "log_head", "reservation",
    "signed_head", "stream_head",
)  # fmt: skip
WRITING = "('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')"
CHANGES = ("UPDATE event SET type = 'x'", "DELETE FROM event", "TRUNCATE event")
TABLES = sorted(table.name for known in PROJECTIONS for table in known.tables)
BY_CHART = "SELECT chart::text, id::text FROM model.records_condition"
BY_ROLE = pytest.mark.parametrize("role", ROLES)
# What tools may see is proven in tests/adapters/library: nothing but events and heads.
BY_READER = pytest.mark.parametrize("role", sorted({*ROLES} - {"tool"}))


async def as_role(
    settings: Settings, role: str, sql: str, tenant: str = "", who: str = ""
) -> list[tuple[object, ...]]:
    """What a role sees in a transaction with these settings."""
    connection = await asyncpg.connect(settings.role_dsn(role))
    try:
        async with connection.transaction():
            for name, value in (("tenant", tenant), ("account", who)):
                if value:
                    await connection.execute(
                        "SELECT set_config($1, $2, true)", f"anamnesis.{name}", value
                    )
            return [tuple(record) for record in await connection.fetch(sql)]
    finally:
        await connection.close()


@BY_ROLE
@pytest.mark.parametrize("change", CHANGES)
async def test_no_role_changes_an_event(settings: Settings, role: str, change: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await as_role(settings, role, change, HERE)


@pytest.mark.parametrize("change", CHANGES)
async def test_the_writer_and_the_owner_of_the_database_do_not_change_an_event_either(
    house: House, dsn: str, change: str
) -> None:
    await do(house, patient(1))
    before = await rows(dsn, "SELECT * FROM event ORDER BY position")
    connection = await asyncpg.connect(dsn)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="events are immutable"):
        await connection.execute(change)
    await connection.execute("SET ROLE anamnesis_log_writer")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await connection.execute(change)
    await connection.close()
    assert await rows(dsn, "SELECT * FROM event ORDER BY position") == before


async def test_only_the_writer_has_the_right_to_write_log_tables(dsn: str) -> None:
    found = await rows(
        dsn,
        "SELECT grantee, table_name, array_agg(privilege_type::text ORDER BY privilege_type)"
        f" FROM information_schema.role_table_grants WHERE privilege_type IN {WRITING}"
        " AND table_schema = 'public' AND grantee <> 'postgres' GROUP BY 1, 2 ORDER BY 1, 2",
    )
    writer, keeper = "anamnesis_log_writer", "anamnesis_projector"
    assert found == [
        (writer, "command", ["DELETE", "INSERT"]),
        (writer, "destroyed_key", ["INSERT"]),
        (writer, "event", ["INSERT"]),
        (writer, "log_head", ["INSERT", "UPDATE"]),
        (writer, "reservation", ["DELETE", "INSERT"]),
        (writer, "stream_head", ["INSERT", "UPDATE"]),
        (keeper, "checkpoint", ["DELETE", "INSERT", "UPDATE"]),
        (keeper, "dead_letter", ["DELETE", "INSERT", "UPDATE"]),
        ("anamnesis_worker", "dispatch", ["INSERT", "UPDATE"]),
        ("anamnesis_worker", "effect", ["INSERT", "UPDATE"]),
        ("anamnesis_worker", "outbox", ["INSERT", "UPDATE"]),
        ("anamnesis_worker", "signed_head", ["INSERT"]),
    ]


async def test_no_role_writes_a_part_of_a_log_table(dsn: str) -> None:
    grants = await rows(
        dsn,
        "SELECT grantee, table_name, column_name FROM information_schema.role_column_grants"
        " WHERE table_schema = 'public' AND privilege_type IN ('INSERT', 'UPDATE')"
        " AND grantee NOT IN ('postgres', 'anamnesis_log_writer', 'anamnesis_projector')"
        " AND NOT (grantee = 'anamnesis_worker'"
        " AND table_name IN ('signed_head', 'dispatch', 'effect', 'outbox'))",
    )
    assert grants == []


async def test_the_projector_alone_writes_read_models(dsn: str) -> None:
    grantees = await rows(
        dsn,
        "SELECT DISTINCT grantee FROM information_schema.role_table_grants"
        f" WHERE table_schema = 'model' AND privilege_type IN {WRITING}",
    )
    assert grantees == [("anamnesis_projector",)]


async def test_nobody_signs_in_as_the_writer_or_becomes_it(settings: Settings, dsn: str) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="not permitted"):
        await asyncpg.connect(settings.role_dsn("log_writer"))
    members = "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
    assert await rows(dsn, f"{members} WHERE r.rolname LIKE 'anamnesis%'") == [(0,)]
    for role in ROLES:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_role(settings, role, "SET ROLE anamnesis_log_writer")


async def test_no_role_is_above_the_row_policies(dsn: str) -> None:
    above = await rows(
        dsn,
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'anamnesis%'"
        " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)",
    )
    assert above == []


async def test_row_security_is_forced_on_every_table_of_the_log_and_the_read_models(
    dsn: str,
) -> None:
    found = await rows(
        dsn,
        "SELECT n.nspname || '.' || c.relname FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')"
        " AND n.nspname IN ('public', 'model') AND c.relrowsecurity AND c.relforcerowsecurity",
    )
    wanted = {f"public.{name}" for name in LOG_TABLES} | {f"model.{name}" for name in TABLES}
    assert wanted - {name for (name,) in found} == set()
    open_tables = await rows(
        dsn,
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'model')"
        " AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
    )
    assert open_tables == [("migration",)]
    seen = "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee <> 'postgres'"
    assert await rows(dsn, f"{seen} AND table_name = 'migration'") == [(0,)]


async def test_nobody_calls_a_function_without_a_grant_of_its_own(dsn: str) -> None:
    open_functions = await rows(
        dsn,
        "SELECT p.oid::regprocedure::text FROM pg_proc p"
        " CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a"
        " WHERE a.grantee = 0 AND p.prorettype <> 'trigger'::regtype"
        " AND p.pronamespace IN ('public'::regnamespace, 'model'::regnamespace)",
    )
    assert open_functions == []


async def test_every_table_with_a_tenant_is_cloned_with_all_of_its_guards(dsn: str) -> None:
    guards = (
        "SELECT policyname, permissive, cmd, roles, qual, with_check FROM pg_policies"
        " WHERE schemaname = 'model' AND tablename = '{0}' ORDER BY 1",
        "SELECT grantee, privilege_type FROM information_schema.role_table_grants"
        " WHERE table_schema = 'model' AND table_name = '{0}' ORDER BY 1, 2",
        "SELECT relrowsecurity, relforcerowsecurity, relowner FROM pg_class"
        " WHERE oid = 'model.{0}'::regclass",
    )
    restrictive = set()
    for table in TABLES:
        clone = "SET ROLE anamnesis_projector; SELECT model.clone_table('{0}', '{0}__copy')"
        connection = await asyncpg.connect(dsn)
        await connection.execute(clone.format(table))
        await connection.close()
        for sql in guards:
            kept = await rows(dsn, sql.format(table))
            assert await rows(dsn, sql.format(f"{table}__copy")) == kept, table
            restrictive |= {table for row in kept if "RESTRICTIVE" in row}
    assert {"registry_match", "records_condition"} <= restrictive


@pytest.fixture
async def two_tenants(house: House) -> House:
    """A patient with a problem in each tenant, projected."""
    async with projector(house) as moved:
        for tenant in (HERE, THERE):
            chart = (await do(house, patient(1), tenant)).streams[0]
            await do(house, problem(chart, 1), tenant)
            await moved.advance(tenant)
    return house


@BY_READER
async def test_a_role_sees_nothing_without_a_tenant_and_only_its_own_with_one(
    two_tenants: House, dsn: str, role: str
) -> None:
    settings = two_tenants.settings
    readable = await rows(
        dsn,
        "SELECT table_schema || '.' || table_name FROM information_schema.role_table_grants"
        " WHERE privilege_type = 'SELECT' AND grantee = $1 ORDER BY 1",
        f"anamnesis_{role}",
    )
    assert {f"model.{name}" for name in TABLES} <= {name for (name,) in readable}
    for (table,) in readable:
        count = f"SELECT count(*) FROM {table}"
        assert await as_role(settings, role, count) == [(0,)], table
        assert await as_role(settings, role, count, "nowhere") == [(0,)], table
        tenants = f"SELECT DISTINCT tenant FROM {table}"
        assert await as_role(settings, role, tenants, HERE) in ([], [(HERE,)]), table
    for table, number in (("public.event", 4), ("public.log_head", 1), ("model.audit_trail", 4)):
        found = await as_role(settings, role, f"SELECT count(*) FROM {table}", HERE)
        assert found == [(number,)], table


@dataclass(frozen=True, slots=True)
class Ward:
    """Three charts with a problem each, and the accounts of those who may see one of them."""

    house: House
    ada: str
    bob: str
    grey: str
    ada_chart: str
    eve_chart: str
    grey_entry: str
    bob_person: str

    async def move(self) -> None:
        """Bring the read models up to the head."""
        async with projector(self.house) as moved:
            await moved.advance(HERE)

    async def charts_of(self, who: str, tenant: str = HERE) -> list[str]:
        """The charts whose problems PostgreSQL shows to the api role for an account."""
        found = await as_role(self.house.settings, "api", BY_CHART, tenant, who)
        return sorted(str(chart) for chart, _ in found)


@pytest.fixture
async def ward(house: House) -> Ward:
    """Ada and Eve are patients, Bob is a patient too, Grey a clinician without a relationship."""
    charts, persons = [], []
    for number in range(3):
        chart, person = (await do(house, patient(number))).streams
        await do(house, problem(chart, number))
        charts.append(chart)
        persons.append(person)
    grey = (await do(house, ListPractitioner(key="grey", practitioner=PRACTITIONER))).streams[0]
    await do(house, GiveRole(practitioner=grey, role="clinician"))
    accounts = [
        (await do(house, account(name, person=person, practitioner=practitioner))).streams[0]
        for name, person, practitioner in (
            ("ada", persons[0], None),
            ("bob", persons[1], None),
            ("grey", None, grey),
        )
    ]
    opened = Ward(house, *accounts, charts[0], charts[2], grey, persons[1])
    await opened.move()
    return opened


PRACTITIONER = Practitioner(names=(Name("Grey"),))


async def test_the_api_role_sees_the_persons_own_chart_and_no_other(ward: Ward) -> None:
    assert await ward.charts_of(ward.ada) == [ward.ada_chart]
    assert await ward.charts_of(ward.ada, THERE) == []
    assert await ward.charts_of("00000000-0000-4000-8000-000000000009") == []
    assert await ward.charts_of("") == []


async def test_a_closed_account_sees_nothing(ward: Ward) -> None:
    await do(ward.house, CloseAccount(account=ward.ada, reason="left"))
    await ward.move()
    assert await ward.charts_of(ward.ada) == []


async def test_a_proxy_sees_the_chart_while_the_grant_is_in_force(ward: Ward) -> None:
    own = await ward.charts_of(ward.bob)
    until = datetime.now(UTC) + timedelta(days=1)
    await do(ward.house, granting(ward.ada_chart, ward.bob_person, until))
    await ward.move()
    assert await ward.charts_of(ward.bob) == sorted([*own, ward.ada_chart])
    past = "UPDATE model.consent_grant SET until = now() - interval '1 second'"
    await rows(ward.house.settings.dsn, past)
    assert await ward.charts_of(ward.bob) == own


async def test_a_clinician_sees_the_chart_within_the_relationship_and_the_role(
    ward: Ward,
) -> None:
    assert await ward.charts_of(ward.grey) == []
    join = JoinCareTeam(chart=ward.eve_chart, practitioner=ward.grey_entry, function="surgeon")
    await do(ward.house, join)
    await ward.move()
    assert await ward.charts_of(ward.grey) == [ward.eve_chart]
    over = "UPDATE model.care_relation SET until = now()"
    await rows(ward.house.settings.dsn, over)
    assert await ward.charts_of(ward.grey) == []
    await rows(ward.house.settings.dsn, "UPDATE model.care_relation SET until = NULL")
    await do(ward.house, EndRole(practitioner=ward.grey_entry, role="clinician"))
    await ward.move()
    assert await ward.charts_of(ward.grey) == []


async def test_settings_do_not_outlive_their_transaction_in_a_pool_that_resets_nothing(
    ward: Ward,
) -> None:
    async def nothing(_connection: object) -> None:
        return None

    actor = Actor(tenant=HERE, id=ward.ada, kind="account", purpose="PATRQT")
    dsn = ward.house.settings.role_dsn("api")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1, reset=nothing) as pool:
        reader = AuthorityReader(pool, Progress(pool, PERMISSIONS))
        authority = await reader.read(actor, Subject(chart=ward.ada_chart))
        assert authority.own_charts == frozenset({ward.ada_chart})
        for table in ("event", "model.identity_account", "model.records_condition"):
            assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0
        for name in ("tenant", "account"):
            left = await pool.fetchval(f"SELECT current_setting('anamnesis.{name}', true)")
            assert left in (None, "")


@BY_ROLE
async def test_no_role_sees_more_by_naming_another_search_path_or_temporary_tables(
    two_tenants: House, role: str
) -> None:
    count = "SELECT count(*) FROM public.event"
    connection = await asyncpg.connect(two_tenants.settings.role_dsn(role))
    await connection.execute("SET search_path = pg_temp, public")
    await connection.execute("SET row_security = on")
    assert await connection.fetchval(count) == 0
    await connection.execute("SET row_security = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.fetchval(count)
    await connection.close()
