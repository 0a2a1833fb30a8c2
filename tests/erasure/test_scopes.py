"""Holds, retention, one sensitivity class, one item: what may be erased, and only that."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.erasing import Wanted, erase, reopen
from api.house import House, open_house, projecting
from api.settings import Settings
from domain.audit import (
    AuditReplayed,
    LiftHold,
    NoKeyOfItsOwn,
    NothingErased,
    PlaceHold,
    TooYoung,
    UnderHold,
    kept_until,
)
from domain.kernel.command import Command
from domain.kernel.perform import Request
from domain.kernel.refusal import NotFound, RecordErased
from domain.records import RecordFiled
from domain.registry import ChartOpened
from domain.results import ResultReceived
from tests.adapters.fhir import lived
from tests.erasure.conftest import WHO, WORDS, Backups, erased, look, marked
from tests.erasure.remaining import opened
from tests.erasure.test_erasing import seen
from tests.erasure.test_steps import filed

pytestmark = pytest.mark.anyio
SENSITIVE = {"hiv", "virus", "value", "conclusion"}
"""What is sealed with the HIV class: the problem, and the report that one of its values is of."""


async def do(house: House, command: Command, key: str) -> None:
    await house.do(Request(command=command, actor=WHO, key=key))


async def test_a_legal_hold_forbids_every_erasure_until_it_is_lifted(
    living_house: House, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    for matter in ("2026-CV-114", "OCR"):
        place = PlaceHold(chart=people.chart, matter=matter, basis="litigation")
        await do(living_house, place, matter)
    for matter in ("2026-CV-114", "OCR"):
        for scope in ("everything", "HIV", "audit"):
            with pytest.raises(UnderHold) as refusal:
                await erased(living_house, people.chart, scope)
            assert refusal.value.matter == matter
        lift = LiftHold(chart=people.chart, matter=matter, reason="settled")
        await do(living_house, lift, f"lift {matter}")
    await erased(living_house, people.other)
    assert (await erased(living_house, people.chart)).keys > 0


async def test_who_looked_is_kept_for_ten_years_and_can_be_erased_then(
    living_house: House, settings: Settings, tmp_path: Path
) -> None:
    house = living_house
    people = await marked(house, tmp_path)
    await look(house, people.chart, "cnry-look")
    await erased(house, people.chart)
    assert b"cnry-look" in await opened(settings)
    with pytest.raises(TooYoung) as refusal:
        await erased(house, people.chart, "audit")
    assert abs((refusal.value.until - house.log.now().date()).days - 3652) < 3
    now: Callable[[], datetime] = house.log.now
    house.log.now = lambda: now() + timedelta(days=3654)
    await erased(house, people.chart, "audit")
    assert b"cnry-look" not in await opened(settings)
    assert all(event.selection != "cnry-look" for event in await lived.events(house, AuditReplayed))


async def test_a_deployment_may_keep_records_for_longer_and_never_the_trail_for_less(
    living_house: House, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    await look(living_house, people.chart)
    for scope, years in (("everything", 7), ("audit", 1)):
        wanted = Wanted(chart=people.chart, scope=scope)
        with pytest.raises(TooYoung) as refusal:
            await erase(living_house, wanted, "wish", WHO, lambda *_: None, years)
        days = (refusal.value.until - living_house.log.now().date()).days
        assert round(days / 365.25) == max(years, 7 if scope == "everything" else 10)


def test_what_is_kept_for_years_from_a_leap_day_is_kept_to_its_end() -> None:
    leap = datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert kept_until(leap, 10) == datetime(2034, 3, 1, 12, tzinfo=UTC)
    assert kept_until(leap, 4) == datetime(2028, 2, 29, 12, tzinfo=UTC)


async def test_one_sensitivity_class_goes_alone_and_can_be_opened_again(
    settings: Settings, tmp_path: Path, backups: Backups
) -> None:
    async with open_house(settings) as house, projecting(house):
        people = await marked(house, tmp_path)
    before = backups.take(settings)
    async with open_house(settings) as house, projecting(house):
        await erased(house, people.chart, "HIV")
        with pytest.raises(RecordErased):
            await filed(house, people.chart, "more", "HIV")
        await filed(house, people.chart, "other")
        with pytest.raises(NothingErased):
            await reopen(house, people.chart, "PSY", WHO)
        await reopen(house, people.chart, "HIV", WHO)
        await filed(house, people.chart, "once more", "HIV")
    for place in (settings, before):
        assert seen(await opened(place)) == set(WORDS) - SENSITIVE


async def test_one_report_is_shredded_alone_also_in_a_backup(
    settings: Settings, tmp_path: Path, backups: Backups
) -> None:
    async with open_house(settings) as house, projecting(house):
        people = await marked(house, tmp_path)
        (received,) = await lived.events(house, ResultReceived)
    before = backups.take(settings)
    async with open_house(settings) as house, projecting(house):
        await erased(house, people.chart, item=received.result)
    for place in (settings, before):
        assert seen(await opened(place)) == set(WORDS) - {"value", "virus", "conclusion"}


async def test_one_document_is_shredded_alone_and_a_problem_is_not(
    settings: Settings, tmp_path: Path, backups: Backups
) -> None:
    async with open_house(settings) as house, projecting(house):
        people = await marked(house, tmp_path)
        facts = await lived.events(house, RecordFiled)
    (document,) = [one for one in facts if one.fact.document is not None]
    (problem,) = [one for one in facts if WORDS["problem"] in str(one.fact)]
    before = backups.take(settings)
    async with open_house(settings) as house, projecting(house):
        with pytest.raises(NoKeyOfItsOwn):
            await erased(house, people.chart, item=problem.item)
        with pytest.raises(NotFound):
            await erased(house, people.other, item=document.item)
        await erased(house, people.chart, item=document.item)
        assert await lived.events(house, ChartOpened)
    for place in (settings, before):
        assert seen(await opened(place)) == set(WORDS) - {"paper", "title"}
