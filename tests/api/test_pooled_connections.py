"""Connections are handed on as they are: nothing of one user is left for the next."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from api.house import POOL_SIZE, House
from domain.audit import Selection
from domain.kernel.context import Actor, Subject
from tests.api.world import World

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
READ = """{ me { id name roles records { edges { node { relationship } } } }
  record { patient { name } conditions(first: 3) { edges { node { id } } }
    labReports(first: 3) { edges { node { id } } } } }"""
STATE = """SELECT
  (SELECT json_object_agg(name, setting ORDER BY name) FROM pg_settings
    WHERE setting IS DISTINCT FROM reset_val AND context <> 'internal')::text AS settings,
  coalesce(current_setting('anamnesis.tenant', true), '') AS tenant,
  coalesce(current_setting('anamnesis.account', true), '') AS account,
  current_user::text AS role, session_user::text AS signed_in,
  (SELECT count(*) FROM pg_listening_channels()) AS channels,
  (SELECT count(*) FROM pg_cursors WHERE name <> '' AND is_holdable) AS cursors,
  (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks,
  (SELECT count(*) FROM event) AS events,
  to_regnamespace('pg_temp')::text AS temporary"""


async def states(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Record]:
    """What each connection of a pool would hand on to its next user."""
    async with AsyncExitStack() as stack:
        held = [await stack.enter_async_context(pool.acquire()) for _ in range(pool.get_size())]
        for connection in held:
            yield await connection.fetchrow(STATE)


async def fresh(house: House, role: str) -> asyncpg.Record:
    """The same of a connection that nobody has used."""
    connection = await asyncpg.connect(house.settings.role_dsn(role))
    try:
        return await connection.fetchrow(STATE)
    finally:
        await connection.close()


async def used(world: World) -> None:
    """Reads and permissions of people of two tenants at once, and a look into the trail."""
    house = world.house
    people = [key for key in world.people if key in world.seeded.charts]
    assert len({world.people[key][0] for key in people}) == 2
    await asyncio.gather(*(world.data(key, READ) for key in people * 2))
    for key in people:
        tenant, account = world.people[key]
        await house.authorities.read(Actor(tenant=tenant, id=account, kind="account"), Subject())
        await world.trail(tenant).positions(Selection(actor=account))
        await house.progress.reach_head(tenant)


async def test_a_connection_is_handed_on_as_if_nobody_had_used_it(world: World) -> None:
    await used(world)
    house = world.house
    for role, pool in (("api", house.api), ("api", house.reads), ("auditor", house.auditor)):
        untouched = await fresh(house, role)
        assert (untouched["tenant"], untouched["events"]) == ("", 0)
        found = [state async for state in states(pool)]
        assert set(found) == {untouched}


async def test_more_operations_than_connections_do_not_wait_for_each_other_in_a_circle(
    world: World,
) -> None:
    people = [key for key in world.people if key in world.seeded.charts]
    times = 2 * POOL_SIZE // len(people) + 2
    answers = await asyncio.gather(*(world.ask(key, READ) for key in people * times))
    assert [answer.status_code for answer in answers] == [200] * len(people) * times


async def test_a_transaction_that_was_left_open_is_rolled_back_with_its_settings(
    world: World,
) -> None:
    house, said = world.house, []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: said.append(context["message"]))
    try:
        connection = await house.api.acquire()
        await connection.transaction().start()
        await connection.execute("SELECT set_config('anamnesis.tenant', 'riverside', true)")
        assert await connection.fetchval("SELECT count(*) FROM event") > 0
        await house.api.release(connection)
    finally:
        loop.set_exception_handler(None)
    assert len(said) == 1
    untouched = await fresh(house, "api")
    assert {state async for state in states(house.api)} == {untouched}


def test_every_setting_in_the_source_ends_with_its_transaction() -> None:
    sources = [
        path
        for top in ("adapters", "api", "migrations")
        for suffix in ("py", "sql")
        for path in (ROOT / top).rglob(f"*.{suffix}")
    ]
    texts = {path: path.read_text(encoding="utf-8") for path in sources}
    # Between the setting and `true` stands its value: no parenthesis, or a name in braces.
    local = re.compile(r"set_config\(\s*'[\w.]+',\s*(?:[^(){}]+|\{\w+\}),\s*true\)")
    counted = {
        path: (text.count("set_config("), len(local.findall(text))) for path, text in texts.items()
    }
    assert sum(all_of for all_of, _ in counted.values()) > 8
    assert [
        str(path) for path, (all_of, local_ones) in counted.items() if all_of != local_ones
    ] == []
    lasting = re.compile(r"""["'(]\s*(?:SET (?!LOCAL|TRANSACTION)|LISTEN|pg_advisory_lock)""")
    assert [str(path) for path, text in texts.items() if lasting.search(text)] == []
