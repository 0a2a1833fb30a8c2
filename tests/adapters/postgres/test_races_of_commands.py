"""200 commands at once from two processes: one wins, 199 get a typed answer, and nothing else."""

from collections import Counter

import pytest

from api.house import House
from domain.identity import LoginTaken
from domain.kernel.refusal import Busy, StaleVersion
from tests.adapters.postgres.acts import (
    HERE,
    account,
    assert_sound,
    book,
    called,
    do,
    granting,
    patient,
)
from tests.adapters.postgres.racer import CHART, GRANTEE

pytestmark = pytest.mark.anyio
EACH, PROCESSES = 100, 2


@pytest.fixture
async def used(house: House) -> House:
    """A house whose key tree exists before other processes start, as in one that has been used."""
    await do(house, patient(1))
    return house


async def raced(dsn: str, house: House, how: str, wish: str) -> tuple[Counter[str], Counter[str]]:
    """How often each answer was given, and what the race left behind."""
    before = await book(dsn)
    answers = await called(dsn, house.settings, how, wish, each=EACH, ends=PROCESSES)
    await assert_sound(dsn)
    return answers, await book(dsn) - before


def kinds(answers: Counter[str]) -> Counter[str]:
    """The answers by their first word."""
    found: Counter[str] = Counter()
    for answer, count in answers.items():
        found[answer.split()[0]] += count
    return found


async def test_one_of_200_commands_gets_a_reserved_value(used: House, dsn: str) -> None:
    answers, left = await raced(dsn, used, "race", "login")
    assert kinds(answers) == {"done": 1, LoginTaken.code: 199}
    assert left == {
        "identity.account-opened": 1,
        "reservations": 1,
        "streams": 1,
        "commands": 200,
        "commands with events": 1,
        "refusals": 199,
    }


async def test_one_of_200_reports_of_an_external_identifier_opens_its_chart(
    house: House, dsn: str
) -> None:
    await house.keys.tenant_secret(HERE, "command")
    answers, left = await raced(dsn, house, "race", "patient")
    [opened] = [answer for answer in answers if answer.startswith("done 1-3")]
    assert answers == {opened: 1, opened.replace("done 1-3", "done nothing"): 199}
    assert left == {
        "registry.chart-opened": 1,
        "registry.person-registered": 1,
        "registry.chart-linked": 1,
        "reservations": 2,
        "streams": 2,
        "commands": 200,
        "commands with events": 1,
    }


async def test_one_of_200_commands_changes_the_version_that_all_of_them_saw(
    used: House, dsn: str
) -> None:
    await do(used, granting(CHART, GRANTEE))
    answers, left = await raced(dsn, used, "race", "change of version 1")
    assert kinds(answers) == {"done": 1, StaleVersion.code: 199}
    assert answers[f"{StaleVersion.code} 2"] == 199
    assert left == {
        "consent.proxy-access-granted": 1,
        "commands": 200,
        "commands with events": 1,
        "refusals": 199,
    }


async def test_one_of_200_commands_makes_the_wish_of_all_of_them_true(
    used: House, dsn: str
) -> None:
    stream = (await do(used, account("ada", person=GRANTEE))).streams[0]
    answers, left = await raced(dsn, used, "race", f"close {stream}")
    assert answers == {f"done 5-5 {stream}": 1, f"done nothing {stream}": 199}
    assert left == {"identity.account-closed": 1, "commands": 200, "commands with events": 1}


async def test_200_calls_of_one_command_get_one_outcome(used: House, dsn: str) -> None:
    answers, left = await raced(dsn, used, "same", "grant")
    assert kinds(answers) == {"done": 1, "again": 199}
    assert len({answer.split(maxsplit=1)[1] for answer in answers}) == 1
    assert left == {
        "consent.proxy-access-granted": 1,
        "reservations": 1,
        "streams": 1,
        "commands": 1,
        "commands with events": 1,
    }


async def test_of_200_inputs_under_one_key_one_is_the_command(used: House, dsn: str) -> None:
    answers, left = await raced(dsn, used, "same", "login")
    assert kinds(answers) == {"done": 1, "kernel.key_reused": 199}
    assert left == {
        "identity.account-opened": 1,
        "reservations": 1,
        "streams": 1,
        "commands": 1,
        "commands with events": 1,
    }


async def test_200_changes_of_one_stream_are_made_one_after_another_or_answered_busy(
    used: House, dsn: str
) -> None:
    answers, left = await raced(dsn, used, "race", "change")
    found = kinds(answers)
    assert found["done"] + found[Busy.code] == found.total() == 200
    assert found["done"] > 0
    assert left == {
        "consent.proxy-access-granted": found["done"],
        "reservations": 1,
        "streams": 1,
        "commands": found["done"],
        "commands with events": found["done"],
    }
