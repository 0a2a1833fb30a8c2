"""What is promised about a command: once, its first outcome for ever, and for its actor alone."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from api.house import House, open_house
from api.settings import Settings
from domain.consent import GrantProxyAccess, WithdrawProxyAccess
from domain.kernel.command import Command
from domain.kernel.context import Actor
from domain.kernel.perform import ATTEMPTS, Receipt, Request
from domain.kernel.refusal import Busy, KeyReused, NotFound, RecordErased, Refusal, StaleVersion
from tests.adapters.postgres.acts import (
    HERE,
    assert_sound,
    book,
    called,
    damage,
    do,
    granting,
    operator,
    problem,
    rows,
)
from tests.adapters.postgres.racer import CHART, GRANTEE, STRANGER, STRANGERS

pytestmark = pytest.mark.anyio
GRANT = granting(CHART, GRANTEE)
WITHDRAW = WithdrawProxyAccess(chart=CHART, grantee=GRANTEE)
STALE = replace(WITHDRAW, seen_version=9)
COMMAND = Counter({"commands": 1})
WRITING = COMMAND + Counter({"commands with events": 1})
REFUSED = COMMAND + Counter({"refusals": 1})


class Between:
    """The house's log, where something happens between each decision and its append."""

    def __init__(self, log: Any, act: Any) -> None:
        self._log, self._act = log, act
        self.appends = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, wish: Any) -> Any:
        """First what others do, then the append of the house."""
        self.appends += 1
        await self._act()
        return await self._log.append(wish)


async def outcome(
    house: House, command: Command[Any], key: str = "k", actor: Actor | None = None
) -> Receipt | Refusal:
    """The receipt or the refusal of a command."""
    request = Request(command=command, actor=actor or operator(), key=key)
    try:
        return await house.do(request)
    except Refusal as refusal:
        return refusal


OUTCOMES = pytest.mark.parametrize(
    ("how", "wish", "first", "left"),
    [
        (
            "",
            "patient",
            "again 2-4",
            WRITING
            + Counter(["registry.chart-opened", "registry.person-registered"])
            + Counter({"registry.chart-linked": 1, "reservations": 2, "streams": 2}),
        ),
        ("", "grant", "again nothing", COMMAND),
        ("", "stale withdrawal", "kernel.stale_version 1", REFUSED),
        (
            " as a stranger",
            "grant",
            "kernel.not_found",
            Counter({"audit.access-refused": 1, "streams": 1, "refusals": 1}) + WRITING,
        ),
    ],
    ids=["events", "a no-op", "a refusal", "a denial"],
)


@OUTCOMES
async def test_a_crash_between_commit_and_answer_leaves_the_first_outcome_to_be_told(
    house: House, dsn: str, how: str, wish: str, first: str, left: Counter[str]
) -> None:
    await do(house, GRANT)
    before = await book(dsn)
    assert not await called(dsn, house.settings, f"die{how}", wish)
    assert await book(dsn) - before == left
    # The world moves on: what was a no-op, a refusal or a stranger's wish would be none now.
    await do(house, WITHDRAW)
    before = await book(dsn)
    for _ in range(2):
        [told] = await called(dsn, house.settings, f"answer{how}", wish)
        assert told.startswith(first)
    assert await book(dsn) == before
    await assert_sound(dsn)


async def test_the_streams_that_a_crashed_command_opened_are_those_of_its_answer(
    house: House, dsn: str
) -> None:
    await do(house, GRANT)
    await called(dsn, house.settings, "die", "patient")
    [told] = await called(dsn, house.settings, "answer", "patient")
    written = "SELECT stream::text FROM event WHERE type IN ('registry.chart-opened',"
    opened = await rows(dsn, f"{written} 'registry.person-registered') ORDER BY position")
    assert sorted(told.split()[2:]) == sorted(stream for (stream,) in opened)


async def test_a_repeated_no_op_and_refusal_are_the_first_ones_after_the_world_changed(
    house: House, dsn: str
) -> None:
    first = await outcome(house, WITHDRAW, "no-op")
    refused = await outcome(house, replace(GRANT, seen_version=7), "refusal")
    assert (first.first, first.repeated, refused) == (None, False, StaleVersion(current_version=0))
    for number in range(7):
        await do(house, replace(GRANT, kind=("parent", "caregiver")[number % 2]))
    before = await book(dsn)
    again = await outcome(house, WITHDRAW, "no-op")
    assert (again.first, again.last, again.repeated) == (None, None, True)
    assert await outcome(house, replace(GRANT, seen_version=7), "refusal") == refused
    assert await book(dsn) == before


@pytest.mark.parametrize("wish", [GRANT, WITHDRAW, STALE], ids=["events", "a no-op", "a refusal"])
async def test_another_input_under_the_key_of_any_outcome_is_key_reused_and_nothing_else(
    house: House, dsn: str, wish: GrantProxyAccess | WithdrawProxyAccess
) -> None:
    first = await outcome(house, wish)
    before = await book(dsn)
    for other in (replace(wish, grantee=STRANGER), replace(wish, seen_version=3)):
        assert await outcome(house, other) == KeyReused()
    again = await outcome(house, wish)
    assert again == (first if isinstance(first, Refusal) else replace(first, repeated=True))
    assert await book(dsn) == before


async def test_two_inputs_under_one_key_at_once_are_one_command(
    house: House, settings: Settings, dsn: str
) -> None:
    async with open_house(settings) as second:
        found = await asyncio.gather(
            *(
                outcome(
                    (house, second)[n // 2 % 2], replace(GRANT, grantee=(GRANTEE, STRANGER)[n % 2])
                )
                for n in range(16)
            )
        )
    receipts = [answer for answer in found if isinstance(answer, Receipt)]
    assert found.count(KeyReused()) == len(receipts) == 8
    assert {(r.first, r.last) for r in receipts} == {(1, 1)}
    assert await book(dsn) == WRITING + Counter(
        ["consent.proxy-access-granted", "reservations", "streams"]
    )


async def test_another_actor_never_gets_the_receipt(house: House, dsn: str) -> None:
    first = await outcome(house, GRANT)
    before = await book(dsn)
    colleague = await outcome(house, GRANT, actor=replace(operator(), id="colleague"))
    assert (colleague.first, colleague.last, colleague.repeated) == (None, None, False)
    assert await outcome(house, GRANT, actor=STRANGERS) == NotFound()
    elsewhere = await outcome(house, GRANT, actor=operator("lakeside"))
    assert (elsewhere.tenant, elsewhere.repeated) == ("lakeside", False)
    assert elsewhere.streams != first.streams
    assert await book(dsn) - before == Counter(
        ["audit.access-refused", "streams", "refusals", "commands with events"]
    ) + Counter({"commands": 2})


async def test_the_key_of_another_operation_is_another_command(house: House) -> None:
    assert (await outcome(house, GRANT)).first == 1
    withdrawn = await outcome(house, WITHDRAW)
    assert (withdrawn.first, withdrawn.repeated) == (2, False)


async def test_a_race_is_decided_again_so_many_times_and_then_answered_busy(
    house: House, dsn: str
) -> None:
    kinds = ["parent", "caregiver"] * ATTEMPTS

    async def rival() -> None:
        await do(house, replace(GRANT, kind=kinds.pop()))

    await do(house, GRANT)
    log = Between(house.log, rival)
    before = await book(dsn)
    assert await outcome(replace(house, log=log), WITHDRAW) == Busy()
    assert log.appends == ATTEMPTS
    assert await book(dsn) - before == Counter(
        dict.fromkeys(("consent.proxy-access-granted", *WRITING), ATTEMPTS)
    )
    done = await outcome(house, WITHDRAW)
    assert (done.first, done.repeated) == (ATTEMPTS + 2, False)
    await assert_sound(dsn)


async def test_what_another_call_of_the_command_did_meanwhile_is_the_answer(
    house: House, dsn: str
) -> None:
    async def twin() -> None:
        first.append(await outcome(house, GRANT))

    first: list[Any] = []
    log = Between(house.log, twin)
    again = await outcome(replace(house, log=log), GRANT)
    assert again == replace(first[0], repeated=True)
    assert log.appends == 1
    assert (await book(dsn))["commands"] == 1


@pytest.mark.parametrize("knows", ["the log", "the key store"])
async def test_nothing_is_added_to_what_was_erased_and_that_is_said_at_once(
    house: House, dsn: str, knows: str
) -> None:
    await do(house, problem(CHART, 1))
    key = await house.keys.compartment(HERE, CHART, "clinical")
    if knows == "the log":
        await damage(dsn, "INSERT INTO destroyed_key VALUES ($1, $2, 1)", HERE, key.id)
    else:
        await house.keys.destroy(HERE, key.id, STRANGER, 1)

    async def nothing() -> None:
        return None

    log = Between(house.log, nothing)
    before = await book(dsn)
    for _ in range(2):
        assert await outcome(replace(house, log=log), problem(CHART, 2)) == RecordErased()
    assert log.appends == 2
    # Not remembered: once the chart is opened again, the same wish may come true.
    assert await book(dsn) - before == Counter()
    await assert_sound(dsn)
