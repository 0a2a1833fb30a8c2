"""Waiting for the read models: no longer than needed, never for ever."""

import asyncio

import pytest

from adapters.postgres.progress import PositionTimeout, Progress
from api.house import House, open_house, projecting
from api.settings import Settings
from domain.consent import WithdrawProxyAccess
from domain.kernel.context import Actor, Subject
from projections.catalogue import PERMISSIONS
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


async def test_a_position_is_reached_when_the_projector_was_there(living_house: House) -> None:
    receipt = await do(living_house, patient(1))
    assert receipt.last == 3
    await living_house.progress.reach(HERE, 3, ["registry", "audit"])
    found = await rows(living_house.settings.dsn, "SELECT count(*) FROM model.registry_chart")
    assert found == [(1,)]


async def test_a_position_that_nobody_works_towards_times_out(house: House) -> None:
    await do(house, patient(1))
    with pytest.raises(PositionTimeout):
        await house.progress.reach(HERE, 3, ["registry"], seconds=0.2)
    assert house.progress.waits > 0


async def test_a_position_beyond_the_log_times_out(living_house: House) -> None:
    await do(living_house, patient(1))
    with pytest.raises(PositionTimeout):
        await living_house.progress.reach(HERE, 4, ["registry"], seconds=0.2)


async def test_position_zero_and_a_wait_of_no_time_are_answered_at_once(house: House) -> None:
    await house.progress.reach(HERE, 0, ["registry"], seconds=0)
    with pytest.raises(PositionTimeout):
        await house.progress.reach(HERE, 1, ["registry"], seconds=0)
    assert house.progress.waits == 0


async def test_the_position_of_one_tenant_says_nothing_of_another(living_house: House) -> None:
    await do(living_house, patient(1))
    await living_house.progress.reach(HERE, 3, ["registry"])
    with pytest.raises(PositionTimeout):
        await living_house.progress.reach(THERE, 1, ["registry"], seconds=0.1)


async def test_one_projection_that_is_behind_is_waited_for(house: House) -> None:
    await do(house, patient(1))
    async with projector(house) as moved:
        await moved.advance(HERE)
    behind = "UPDATE checkpoint SET position = 1 WHERE projection = 'audit'"
    await rows(house.settings.dsn, behind)
    fresh = Progress(house.api, PERMISSIONS)
    await fresh.reach(HERE, 3, ["registry"], seconds=0)
    with pytest.raises(PositionTimeout):
        await fresh.reach(HERE, 3, ["registry", "audit"], seconds=0.1)


async def test_a_process_that_hears_nothing_still_sees_progress(
    house: House, settings: Settings
) -> None:
    async with open_house(settings) as elsewhere, projecting(elsewhere):
        receipt = await do(house, patient(1))
        deaf = Progress(house.api, PERMISSIONS)
        await deaf.reach(HERE, receipt.last or 0, ["registry"])


async def test_many_waiters_are_woken_together(living_house: House) -> None:
    wait = living_house.progress.reach(HERE, 3, ["registry"])
    waiters = [asyncio.create_task(wait)]
    waiters += [
        asyncio.create_task(living_house.progress.reach(HERE, n, ["audit"])) for n in (1, 2, 3)
    ]
    await do(living_house, patient(1))
    assert await asyncio.gather(*waiters) == [None] * 4


async def test_the_head_is_reached_by_the_permission_read_models(house: House) -> None:
    await house.progress.reach_head(HERE)
    await do(house, patient(1))
    short = Progress(house.api, PERMISSIONS, seconds=0.1)
    with pytest.raises(PositionTimeout):
        await short.reach_head(HERE)
    async with projector(house) as moved:
        await moved.advance(HERE)
    await short.reach_head(HERE)


async def test_permissions_are_never_older_than_the_last_withdrawal(house: House) -> None:
    chart = (await do(house, patient(1))).streams[0]
    bob = (await do(house, patient(2))).streams[1]
    who = (await do(house, account("bob", person=bob))).streams[0]
    await do(house, granting(chart, bob))
    actor = Actor(tenant=HERE, id=who, kind="account", purpose="PATRQT")
    async with projector(house) as moved:
        await moved.advance(HERE)
        authority = await house.authorities.read(actor, Subject(chart=chart))
        assert [grant.scopes for grant in authority.grants] == [frozenset({"records"})]
        await do(house, problem(chart, 1))
        assert await house.authorities.read(actor, Subject(chart=chart)) == authority
        await do(house, WithdrawProxyAccess(chart=chart, grantee=bob))
        reading = asyncio.create_task(house.authorities.read(actor, Subject(chart=chart)))
        done, _ = await asyncio.wait([reading], timeout=0.2)
        assert done == set()
        await moved.advance(HERE)
        assert (await reading).grants == ()
