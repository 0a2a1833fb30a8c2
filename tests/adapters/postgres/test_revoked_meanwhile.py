"""A permission that is taken away while a command is under way wins over the command."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

import pytest

from api.house import House
from domain.consent import ProxyAccessGranted, WithdrawProxyAccess, view
from domain.directory import EndRole, GiveRole, ListPractitioner, Practitioner
from domain.identity import CloseAccount
from domain.kernel.command import Command, Filed, Stream
from domain.kernel.context import Actor, Subject
from domain.kernel.perform import Request
from domain.kernel.refusal import NotFound
from domain.kernel.rule import Rule
from domain.kernel.values import Name
from projections.catalogue import PERMISSIONS
from tests.adapters.postgres.acts import (
    HERE,
    account,
    assert_sound,
    book,
    do,
    granting,
    patient,
    rows,
)
from tests.adapters.postgres.test_promises_of_commands import Between, outcome

pytestmark = pytest.mark.anyio
SOMEBODY = "00000000-0000-4000-8000-00000000000a"


@dataclass(frozen=True, kw_only=True)
class Share:
    """A wish that proxy access to the records allows; not registered, so none of ours."""

    chart: str
    stream: str
    number: int = 0
    operation: ClassVar[str] = "test.share"
    rule: ClassVar[Rule] = view
    expected_version: ClassVar[None] = None
    occurred: ClassVar[None] = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """A stream that anybody may append to."""
        return (Stream(fold=Filed, id=self.stream, chart=self.chart, any_version=True),)

    def subject(self, _state: Filed) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, _state: Filed, _now: datetime) -> Iterator[ProxyAccessGranted]:
        """Always something new."""
        yield ProxyAccessGranted(grantee=f"{self.number}", kind="helper", scopes=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Rosa and her chart, Ben who may see it, and Sam who administers; their accounts."""

    chart: str
    rosa: Actor
    ben: Actor
    ben_person: str
    sam: Actor
    sam_entry: str


async def _account(house: House, login: str, **who: str) -> Actor:
    opened = await do(house, account(login, **who))
    return Actor(tenant=HERE, id=opened.streams[0], kind="account")


@pytest.fixture
async def family(living_house: House) -> Family:
    """All of them, known to the permission read models."""
    house = living_house
    chart, rosa_person = (await do(house, patient(1))).streams
    _, ben_person = (await do(house, patient(2))).streams
    listing = ListPractitioner(key="sam", practitioner=Practitioner(names=(Name("Sam"),)))
    sam_entry = (await do(house, listing)).streams[0]
    await do(house, GiveRole(practitioner=sam_entry, role="administrator"))
    known = Family(
        chart=chart,
        rosa=await _account(house, "rosa", person=rosa_person),
        ben=await _account(house, "ben", person=ben_person),
        ben_person=ben_person,
        sam=await _account(house, "sam", practitioner=sam_entry),
        sam_entry=sam_entry,
    )
    granted = await do(house, granting(chart, ben_person))
    await house.progress.reach(HERE, granted.last or 0, PERMISSIONS)
    return known


Wished = tuple[Actor, Command[Any], Command[Any], Counter[str]]


def _cases(family: Family) -> dict[str, Wished]:
    """Who wishes what, what takes the permission away meanwhile, and what that leaves behind."""
    share = Share(chart=family.chart, stream=SOMEBODY)
    closing_ben = CloseAccount(account=family.ben.id, reason="left")
    return {
        "a proxy whose grant is withdrawn": (
            family.ben,
            share,
            WithdrawProxyAccess(chart=family.chart, grantee=family.ben_person),
            Counter(["consent.proxy-access-withdrawn"]),
        ),
        "a patient whose account is closed": (
            family.rosa,
            granting(family.chart, SOMEBODY),
            CloseAccount(account=family.rosa.id, reason="stolen"),
            Counter(["identity.account-closed"]),
        ),
        "an administrator whose role ends": (
            family.sam,
            closing_ben,
            EndRole(practitioner=family.sam_entry, role="administrator"),
            Counter(["directory.role-ended"]),
        ),
    }


@pytest.mark.parametrize(
    "case",
    [
        "a proxy whose grant is withdrawn",
        "a patient whose account is closed",
        "an administrator whose role ends",
    ],
)
async def test_what_is_taken_away_between_the_rule_and_the_append_is_gone_for_the_append(
    living_house: House, dsn: str, family: Family, case: str
) -> None:
    actor, wish, taking, taken = _cases(family)[case]

    async def take() -> None:
        await do(living_house, taking, key="taking")

    log = Between(living_house.log, take)
    before = await book(dsn)
    assert await outcome(replace(living_house, log=log), wish, actor=actor) == NotFound()
    # The first append met what was taken, the second one is the record of the refused access.
    assert log.appends == 2
    left = taken + Counter(["audit.access-refused", "streams", "refusals"])
    both = left + Counter({"commands": 2, "commands with events": 2})
    assert await book(dsn) - before == both
    assert await outcome(living_house, wish, actor=actor) == NotFound()
    assert await book(dsn) - before == both
    await assert_sound(dsn)


async def test_what_was_not_taken_away_is_still_there_for_the_append(
    living_house: House, dsn: str, family: Family
) -> None:
    async def take_another() -> None:
        await do(living_house, granting(family.chart, SOMEBODY), key="another")

    log = Between(living_house.log, take_another)
    wish = Share(chart=family.chart, stream=SOMEBODY)
    receipt = await outcome(replace(living_house, log=log), wish, actor=family.ben)
    assert (receipt.repeated, log.appends) == (False, 1)
    await assert_sound(dsn)


async def test_no_event_of_a_grant_stands_behind_its_withdrawal(
    living_house: House, dsn: str, family: Family
) -> None:
    halfway = asyncio.Event()

    async def share(number: int) -> int:
        """Wish again and again; returns how often it was granted before it was refused."""
        for turn in range(1_000):
            wish = Share(chart=family.chart, stream=SOMEBODY, number=number)
            request = Request(command=wish, actor=family.ben, key=f"{number} {turn}")
            try:
                await living_house.do(request)
            except NotFound:
                return turn
            if turn == 3:
                halfway.set()
        raise AssertionError("never refused")

    async def withdraw() -> int:
        await halfway.wait()
        wish = WithdrawProxyAccess(chart=family.chart, grantee=family.ben_person)
        return (await do(living_house, wish)).last or 0

    withdrawn, *granted = await asyncio.gather(withdraw(), *(share(n) for n in range(24)))
    shared = await rows(dsn, "SELECT position FROM event WHERE stream = $1", SOMEBODY)
    assert len(shared) == sum(granted) > 0
    assert max(shared)[0] < withdrawn
    await assert_sound(dsn)
