"""Heads of all logs are signed in time, and nothing that a connection meets ends that."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from structlog.testing import capture_logs

from adapters.heads import HeadSigner, KeptHeadDamaged, LogForked
from adapters.heads.duty import MANY, RETRY_S, SOON_S, HeadDuty, Watch
from adapters.postgres.migrate import add_tenant
from api.house import House
from api.signing import signing
from tests.adapters.heads.conftest import Signed
from tests.adapters.postgres.acts import HERE, THERE, do, patient

pytestmark = pytest.mark.anyio
SIGNED = "SELECT coalesce(max(position), 0) FROM signed_head WHERE tenant = $1"
HEAD = "SELECT position FROM log_head WHERE tenant = $1"
PATIENCE_S = 20.0


async def until(met: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if await met():
                return
            await asyncio.sleep(0.02)


class Fake:
    """A signer that says or raises what it is told."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def sign(self) -> int | None:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def watch(signed: int) -> Watch:
    return Watch(HERE, Fake(0), end=signed, signed=signed)


def test_an_event_is_signed_soon_and_many_at_once() -> None:
    at = watch(10)
    assert at.due(100.0) is None
    at.heard(11, 100.0)
    assert at.due(100.0) == SOON_S
    at.heard(12, 100.0 + SOON_S / 2)
    assert at.due(100.0 + SOON_S / 2) == SOON_S / 2
    assert at.due(100.0 + SOON_S) == 0.0
    at = watch(10)
    at.heard(10 + MANY - 1, 100.0)
    assert at.due(100.0) == SOON_S
    at.heard(10 + MANY, 100.1)
    assert at.due(100.1) == 0.0


async def test_what_fails_is_not_tried_again_at_once_however_much_waits() -> None:
    at = Watch(HERE, Fake(OSError()), end=0, signed=0)
    at.heard(10 * MANY, 100.0)
    assert at.due(100.0) == 0.0
    await at.sign(lambda: 100.0)
    assert at.due(100.0) == RETRY_S
    assert at.since == 100.0
    assert at.due(100.0 + RETRY_S) == 0.0


async def test_nothing_that_signing_meets_ends_the_duty() -> None:
    odd = Fake(TypeError(), ValueError(), 5)
    duty = await of_fakes({HERE: odd}, lambda: odd.asked >= 3)
    assert duty.refused == 0


def test_what_is_heard_late_is_nothing_new() -> None:
    at = watch(10)
    at.heard(9, 100.0)
    assert at.due(100.0) is None


async def no_database() -> asyncpg.Connection:
    raise OSError("nobody there")


async def of_fakes(fakes: dict[str, Fake], until_asked: Callable[[], bool]) -> HeadDuty:
    async def signer_of(tenant: str) -> HeadSigner:
        return fakes[tenant]

    duty = HeadDuty(signer_of, no_database)
    running = asyncio.create_task(duty.run(fakes))

    async def met() -> bool:
        return until_asked()

    try:
        await until(met)
    finally:
        duty.stop()
        await running
    return duty


@pytest.mark.parametrize("error", [LogForked("riverside"), KeptHeadDamaged("riverside.json")])
async def test_a_log_that_is_refused_is_told_once_and_the_others_go_on(error: Exception) -> None:
    bad, good = Fake(error), Fake(7)
    with capture_logs() as logs:
        duty = await of_fakes({HERE: bad, THERE: good}, lambda: good.asked >= 3)
    assert bad.asked == 1
    assert duty.refused == 1
    told = [log for log in logs if log["event"] == "heads.refused"]
    assert [(log["tenant"], log["error"]) for log in told] == [(HERE, type(error).__name__)]


async def test_a_database_that_is_away_is_asked_again_and_the_waiting_is_told() -> None:
    away = Fake(OSError(), OSError(), 5)
    duty = await of_fakes({HERE: away}, lambda: away.asked >= 3)
    assert duty.refused == 0
    assert duty.unsigned_s == 0.0
    gone = Fake(OSError())
    duty = await of_fakes({HERE: gone}, lambda: gone.asked >= 2)
    assert duty.unsigned_s > 0.0


async def test_the_heads_of_a_living_house_are_signed_without_being_asked_for(
    house: House, signed: Signed
) -> None:
    async def behind() -> bool:
        heads = [await signed.owner.fetchval(HEAD, tenant) for tenant in (HERE, THERE)]
        found = [await signed.owner.fetchval(SIGNED, tenant) for tenant in (HERE, THERE)]
        return found == heads

    async with signing(house) as duty:
        for number, tenant in enumerate((HERE, THERE, HERE)):
            await do(house, patient(number), tenant)
            await until(behind)
        # Who listens is cut off, and the next event is signed all the same.
        await signed.owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'anamnesis_worker' AND datname = current_database()"
        )
        await do(house, patient(9), THERE)
        await until(behind)
        assert duty.refused == 0


async def test_a_log_that_is_opened_meanwhile_is_signed_too(house: House, signed: Signed) -> None:
    async with signing(house):
        await asyncio.to_thread(add_tenant, house.settings.dsn, "hillside")
        await do(house, patient(1), "hillside")

        async def met() -> bool:
            found: int = await signed.owner.fetchval(SIGNED, "hillside")
            return found == await signed.owner.fetchval(HEAD, "hillside")

        await until(met)
