"""Processes that ask for heads instead of listening: everything moves as it does by NOTIFY."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import asyncpg
import pytest

from adapters.keys import KeyDestroyed
from adapters.postgres.listening import LOG_CHANNEL
from adapters.postgres.polling import polling
from api.house import House, open_house, projecting
from api.settings import Settings
from api.signing import signing
from tests.adapters.postgres.acts import HERE, THERE, do, patient

pytestmark = pytest.mark.anyio
SECONDS = 5.0


async def until(true: Callable[[], object]) -> None:
    """Wait for it."""
    async with asyncio.timeout(SECONDS):
        while True:
            if true():
                return
            await asyncio.sleep(0.02)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The house asks."""
    return replace(settings, wake="poll")


@pytest.fixture
async def another(settings: Settings, house: House) -> AsyncIterator[House]:
    """A second process of the house, which projects."""
    del house
    async with open_house(settings) as opened, projecting(opened):
        yield opened


async def test_what_one_process_writes_the_other_projects_and_the_first_one_hears_of(
    house: House, another: House
) -> None:
    for number in range(5):
        receipt = await do(house, patient(number), (HERE, THERE)[number % 2])
        await house.progress.reach(receipt.tenant, receipt.last or 0, ("registry",), SECONDS)
    # Once it has heard of a read model it asks for nothing by itself.
    assert house.progress._hears_of(HERE, ("registry",))
    assert another.progress._reached[HERE, "registry"] > 0


async def test_a_key_that_one_process_destroys_leaves_the_other(
    house: House, another: House
) -> None:
    key = await house.keys.compartment(HERE, "chart", "clinical")
    assert await another.keys.by_id(HERE, key.id)
    owner = await asyncpg.connect(house.settings.dsn)
    await owner.execute("INSERT INTO destroyed_key VALUES ($1, $2, 1)", HERE, key.id)
    await owner.close()
    await until(lambda: another.keys.cached(HERE, key.id) is None)
    with pytest.raises(KeyDestroyed):
        await another.keys.by_id(HERE, key.id)


async def test_a_head_is_signed_within_its_second(house: House) -> None:
    async with signing(house):
        await do(house, patient(1))
        file = house.settings.kept_heads / f"{HERE}.json"
        await until(file.exists)


async def test_who_cannot_ask_any_more_is_closed_and_tells_nothing_twice(house: House) -> None:
    told: list[str] = []
    dsn = house.settings.role_dsn("api")
    made = await polling(lambda: asyncpg.connect(dsn))
    await made.add_listener(LOG_CHANNEL, lambda *words: told.append(words[-1]))
    receipt = await do(house, patient(1))
    await until(lambda: told)
    await asyncio.sleep(0.1)
    assert told == [f"{HERE} {receipt.last}"]
    assert not made.is_closed()
    owner = await asyncpg.connect(house.settings.dsn)
    await owner.execute("SELECT pg_terminate_backend($1)", made._asking.get_server_pid())
    await owner.close()
    await until(made.is_closed)
    await made.close(timeout=1)
