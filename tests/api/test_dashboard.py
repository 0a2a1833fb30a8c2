"""What an operation costs in PostgreSQL: statements and durable commits are counted."""

import asyncio

import pytest

from bench.counted import Counted, counting
from bench.portal import DASHBOARD
from tests.api.panels import PANELS, entries
from tests.api.test_worklist import LIST
from tests.api.world import World

pytestmark = pytest.mark.anyio
MOST = 10
"""Statements of the dashboard: BEGIN, settings, audit and ROLLBACK count."""


async def cost(world: World, person: str, document: str, **variables: object) -> Counted:
    """Of the second time: the first prepares statements and opens keys."""
    await world.data(person, document, **variables)
    async with counting(world.house) as counted:
        await world.data(person, document, **variables)
    return counted


async def test_the_dashboard_sends_no_more_than_10_statements_and_commits_once(
    world: World,
) -> None:
    counted = await cost(world, "rosa", DASHBOARD)
    assert counted.statements <= MOST
    assert counted.commits == 1
    assert [sql.split()[0] for sql in counted.sent] == ["SELECT", "BEGIN", "SELECT", "ROLLBACK"]


async def test_settings_are_local_to_the_transaction_that_the_panels_are_read_in(
    world: World,
) -> None:
    await cost(world, "rosa", DASHBOARD)
    for _ in range(world.house.api.get_size()):
        left = await world.house.api.fetchrow(
            "SELECT current_setting('anamnesis.tenant', true) AS tenant,"
            " current_setting('anamnesis.account', true) AS account"
        )
        assert not left["tenant"]
        assert not left["account"]


@pytest.mark.parametrize(
    ("reader", "closed"), [("rosa", ()), ("adeyemi", ("policies", "claims", "proxies"))]
)
async def test_all_panels_of_a_record_are_as_many_statements_as_one(
    world: World, reader: str, closed: tuple[str, ...]
) -> None:
    panels = [entries(panel) for panel in PANELS if panel not in closed]
    chart = await world.chart("rosa", seen_by=reader)
    record = f'{{ record(chart: "{chart}") {{ %s }} }}'
    one = await cost(world, reader, record % entries("conditions"))
    many = await cost(world, reader, record % " ".join(panels))
    assert len(panels) > 20
    assert many.statements == one.statements <= MOST
    assert many.commits == 1


async def test_a_worklist_sends_no_more_statements_for_more_charts(world: World) -> None:
    few = await cost(world, "adeyemi", LIST, first=2)
    many = await cost(world, "adeyemi", LIST, first=50)
    assert many.statements == few.statements <= MOST
    assert many.commits == 1


async def test_simultaneous_dashboards_share_durable_commits(world: World) -> None:
    await cost(world, "rosa", DASHBOARD)
    async with counting(world.house) as counted:
        await asyncio.gather(*(world.data("rosa", DASHBOARD) for _ in range(16)))
    assert counted.commits < 16
