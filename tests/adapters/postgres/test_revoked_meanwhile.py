"""A permission that is taken away while a command is under way wins over the command."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import pytest

from api.house import House
from domain.care import JoinCareTeam, LeaveCareTeam
from domain.consent import ProxyAccessGranted, WithdrawProxyAccess
from domain.directory import EndRole, GiveRole, ListPractitioner, Practitioner
from domain.identity import CloseAccount
from domain.kernel.command import Filed, Stream
from domain.kernel.context import Actor, Subject
from domain.kernel.perform import Request
from domain.kernel.refusal import NotFound
from domain.kernel.rule import Rule
from domain.kernel.values import Name
from domain.records import view
from domain.registry import MergeCharts, ReportDeath
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
    """A wish of whoever may see the records; not registered, so none of ours."""

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

    def further(self, _states: object) -> tuple[Stream, ...]:
        """None."""
        return ()

    def subject(self, _state: Filed) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, _state: Filed, _now: datetime) -> Iterator[ProxyAccessGranted]:
        """Always something new."""
        yield ProxyAccessGranted(grantee=str(UUID(int=self.number)), kind="helper", scopes=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Rosa and her chart, Ben and Dr Grey who may see it, and Sam who administers."""

    chart: str
    rosa: Actor
    ben: Actor
    ben_person: str
    sam: Actor
    sam_entry: str
    grey: Actor
    grey_entry: str


async def _account(house: House, login: str, **who: str) -> Actor:
    opened = await do(house, account(login, **who))
    return Actor(tenant=HERE, id=opened.streams[0], kind="account")


async def _listed(house: House, key: str, role: str) -> str:
    listing = ListPractitioner(key=key, practitioner=Practitioner(names=(Name(key),)))
    entry = (await do(house, listing)).streams[0]
    await do(house, GiveRole(practitioner=entry, role=role))
    return entry


@pytest.fixture
async def family(living_house: House) -> Family:
    """All of them, known to the permission read models."""
    house = living_house
    chart, rosa_person = (await do(house, patient(1))).streams
    _, ben_person = (await do(house, patient(2))).streams
    sam_entry = await _listed(house, "sam", "administrator")
    grey_entry = await _listed(house, "grey", "clinician")
    await do(house, JoinCareTeam(chart=chart, practitioner=grey_entry, function="nurse"))
    known = Family(
        chart=chart,
        rosa=await _account(house, "rosa", person=rosa_person),
        ben=await _account(house, "ben", person=ben_person),
        ben_person=ben_person,
        sam=await _account(house, "sam", practitioner=sam_entry),
        sam_entry=sam_entry,
        grey=await _account(house, "grey", practitioner=grey_entry),
        grey_entry=grey_entry,
    )
    granted = await do(house, granting(chart, ben_person))
    await house.progress.reach(HERE, granted.last or 0, PERMISSIONS)
    return known


def _closing(actor: Actor) -> CloseAccount:
    return CloseAccount(account=actor.id, reason="stolen")


def _sharing(family: Family) -> Any:
    return Share(chart=family.chart, stream=SOMEBODY)


CLOSED = "identity.account-closed"
CASES: dict[str, tuple[str, Callable[[Family], Any], Callable[[Family], Any], str]] = {
    "a proxy whose grant is withdrawn": (
        "ben",
        _sharing,
        lambda f: WithdrawProxyAccess(chart=f.chart, grantee=f.ben_person),
        "consent.proxy-access-withdrawn",
    ),
    "a proxy whose account is closed": ("ben", _sharing, lambda f: _closing(f.ben), CLOSED),
    "a proxy when the patient dies": (
        "ben",
        _sharing,
        lambda f: ReportDeath(chart=f.chart),
        "registry.death-reported",
    ),
    "a patient whose account is closed": (
        "rosa",
        lambda f: granting(f.chart, SOMEBODY),
        lambda f: _closing(f.rosa),
        CLOSED,
    ),
    "an administrator whose role ends": (
        "sam",
        lambda f: _closing(f.ben),
        lambda f: EndRole(practitioner=f.sam_entry, role="administrator"),
        "directory.role-ended",
    ),
    "an administrator whose account is closed": (
        "sam",
        lambda f: _closing(f.ben),
        lambda f: _closing(f.sam),
        CLOSED,
    ),
    "a clinician who leaves the care team": (
        "grey",
        _sharing,
        lambda f: LeaveCareTeam(chart=f.chart, practitioner=f.grey_entry),
        "care.care-team-left",
    ),
    "a clinician whose role ends": (
        "grey",
        _sharing,
        lambda f: EndRole(practitioner=f.grey_entry, role="clinician"),
        "directory.role-ended",
    ),
    "a clinician whose account is closed": ("grey", _sharing, lambda f: _closing(f.grey), CLOSED),
}
"""Who wishes what, what takes the permission away meanwhile, and the event that says so."""


@pytest.mark.parametrize(("who", "wishing", "taking", "taken"), CASES.values(), ids=CASES)
async def test_what_is_taken_away_between_the_rule_and_the_append_is_gone_for_the_append(
    living_house: House,
    dsn: str,
    family: Family,
    who: str,
    wishing: Callable[[Family], Any],
    taking: Callable[[Family], Any],
    taken: str,
) -> None:
    actor, wish = getattr(family, who), wishing(family)

    async def take() -> None:
        await do(living_house, taking(family), key="taking")

    log = Between(living_house.log, take)
    before = await book(dsn)
    assert await outcome(replace(living_house, log=log), wish, actor=actor) == NotFound()
    # The first append met what was taken, the second one is the record of the refused access.
    assert log.appends == 2
    left = Counter([taken, "audit.access-refused", "streams", "refusals"])
    both = left + Counter({"commands": 2, "commands with events": 2})
    assert await book(dsn) - before == both
    assert await outcome(living_house, wish, actor=actor) == NotFound()
    assert await book(dsn) - before == both
    await assert_sound(dsn)


@pytest.mark.parametrize(("who", "opens_then"), [("rosa", False), ("ben", False), ("grey", True)])
async def test_a_merge_between_the_rule_and_the_append_holds_for_the_append(
    living_house: House, dsn: str, family: Family, who: str, opens_then: bool
) -> None:
    into = (await do(living_house, patient(3))).streams[0]

    async def merge() -> None:
        wish = MergeCharts(chart=family.chart, into=into, reason="one patient")
        await do(living_house, wish, key="taking")

    log = Between(living_house.log, merge)
    wish, actor = _sharing(family), getattr(family, who)
    found = await outcome(replace(living_house, log=log), wish, actor=actor)
    assert (found != NotFound()) is opens_then
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
                halfway.set()
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
