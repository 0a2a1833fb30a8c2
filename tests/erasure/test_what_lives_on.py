"""What an erasure must leave alone, and what it must not leave behind."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from api.erasing import Wanted, erase
from api.erasing.again import PART, by_chart, planned
from api.house import House
from api.settings import Settings
from domain.audit import (
    ChartErased,
    ErasureUnderWay,
    HoldPlaced,
    NothingToErase,
    PlaceHold,
    UnderHold,
)
from domain.identity import CloseAccount, OpenAccount
from domain.kernel.command import Command
from domain.kernel.perform import Request
from domain.kernel.refusal import NotFound
from domain.records import RecordFiled, RelabelRecord, WithdrawRecord
from domain.registry import MergeCharts
from tests.adapters.fhir import lived
from tests.adapters.fhir.bundles import SOURCE
from tests.erasure.conftest import (
    HERE,
    WHO,
    WORDS,
    condition,
    erased,
    lived_rows,
    marked,
    paper,
    virus,
)
from tests.erasure.remaining import opened
from tests.erasure.test_erasing import seen
from tests.erasure.test_steps import Interrupted

pytestmark = pytest.mark.anyio


async def do(house: House, command: Command[Any]) -> Any:
    """An operator's command, read by every model."""
    receipt = await house.do(Request(command=command, actor=WHO, key=uuid4().hex))
    await house.progress.reach_head(HERE, lived.NAMES, seconds=60)
    return receipt


def known_as(kind: str, ident: str) -> str:
    return f"{SOURCE}|{kind}|{ident}"


async def test_what_was_filed_in_the_right_chart_lives_on_when_the_wrong_one_is_erased(
    living_house: House, settings: Settings, tmp_path: Path
) -> None:
    house = living_house
    people = await marked(house, tmp_path)
    key = known_as("DocumentReference", "d1")
    wish = WithdrawRecord(chart=people.chart, key=key, reason="wrong", refile=people.other)
    await do(house, wish)
    facts = await lived.events(house, RecordFiled)
    documents = [one for one in facts if one.fact.document is not None]
    await erased(house, people.chart, item=documents[0].item)
    assert {"paper", "title"} <= seen(await opened(settings))
    await erased(house, people.chart)
    assert seen(await opened(settings)) == {"paper", "title"}
    await erased(house, people.other)
    assert seen(await opened(settings)) == set()


async def test_a_document_with_the_same_content_keeps_it(
    living_house: House, settings: Settings, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    await lived.brought(
        living_house, tmp_path, *_patient(), paper("d2", "cnry-other-title", WORDS["paper"])
    )
    facts = await lived.events(living_house, RecordFiled)
    first = next(one for one in facts if WORDS["title"] in str(one.fact))
    await erased(living_house, people.chart, item=first.item)
    assert "paper" in seen(await opened(settings))


def _patient() -> list[dict[str, Any]]:
    """The marked patient as they are sent again."""
    return [
        {
            "resourceType": "Patient",
            "id": "p1",
            "identifier": [{"system": "urn:mrn", "value": "cnry-number"}],
            "name": [{"family": WORDS["name"]}],
            "birthDate": "1931-05-17",
        }
    ]


async def test_statements_from_before_the_label_are_named_where_they_cannot_go_alone(
    living_house: House, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    key = known_as("Condition", "c1")
    await do(
        living_house,
        RelabelRecord(chart=people.chart, key=key, codes=("PSY",), reason="asked"),
    )
    done = await erased(living_house, people.chart, "PSY")
    assert any(one.startswith("1 earlier statements") for one in done.remains)


async def test_an_import_goes_on_beside_what_was_erased_and_keeps_nothing_of_it(
    living_house: House, settings: Settings, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    await erased(living_house, people.chart, "HIV")
    (document,) = [
        one for one in await lived.events(living_house, RecordFiled) if one.fact.document
    ]
    await erased(living_house, people.chart, item=document.item)
    report = await lived.brought(
        living_house,
        tmp_path,
        *_patient(),
        condition("c2", WORDS["hiv"], "86406008"),
        virus("o9", WORDS["virus"]),
        paper("d1", WORDS["title"], WORDS["paper"]),
        condition("c9", "cnry-new"),
    )
    assert {problem.reason for problem in report.problems} == {"kernel.record_erased"}
    plain = await opened(settings)
    assert b"cnry-new" in plain
    assert seen(plain).isdisjoint({"hiv", "virus", "paper", "title"})


async def test_what_was_erased_in_part_after_a_backup_leaves_the_chart_alive(
    living_house: House, tmp_path: Path
) -> None:
    house = living_house
    people = await marked(house, tmp_path)
    await erased(house, people.chart, "HIV")
    await erased(house, people.other)
    part, whole = await lived.events(house, ChartErased)
    charts = ((part, people.chart, PART), (whole, people.other, "everything"))
    for tombstone, chart, scope in charts:
        groups = await by_chart(house, HERE, tombstone.keys)
        assert set(groups) == {chart}
        wanted, plan = await planned(house, HERE, chart, groups[chart])
        assert wanted.scope == scope
        assert (chart in plan.streams) is (scope != PART)
        assert plan.commands


async def test_a_closed_account_goes_along(living_house: House, tmp_path: Path) -> None:
    people = await marked(living_house, tmp_path)
    closed = OpenAccount(login="old", display_name="cnry-login", person=people.person)
    account = (await do(living_house, closed)).streams[0]
    await do(living_house, CloseAccount(account=account, reason="moved"))
    await erased(living_house, people.chart)
    found = await lived.recorded(living_house)
    of_account = [one for one in found if one.header.stream == account]
    assert {type(one.event).__name__ for one in of_account} == {"Erased"}


async def test_a_hold_needs_a_chart_and_comes_before_an_erasure_or_not_at_all(
    living_house: House, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    hold = PlaceHold(chart=str(uuid4()), matter="m", basis="b")
    with pytest.raises(NotFound):
        await do(living_house, hold)

    def stops(step: str, _done: int, _total: int) -> None:
        if step == "objects":
            raise Interrupted

    with pytest.raises(Interrupted):
        await erase(living_house, Wanted(chart=people.chart), "b", WHO, stops)
    with pytest.raises(ErasureUnderWay):
        await do(living_house, PlaceHold(chart=people.chart, matter="m", basis="b"))
    await erased(living_house, people.chart)
    assert await lived.events(living_house, HoldPlaced) == []


async def test_a_hold_on_one_chart_of_a_patient_holds_what_was_merged_with_it(
    living_house: House, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    await do(living_house, MergeCharts(chart=people.other, into=people.chart, reason="same"))
    await do(living_house, PlaceHold(chart=people.chart, matter="m", basis="b"))
    with pytest.raises(UnderHold):
        await erased(living_house, people.other)


async def test_each_scope_is_an_erasure_of_its_own(living_house: House, tmp_path: Path) -> None:
    people = await marked(living_house, tmp_path)
    await erased(living_house, people.chart, "HIV")
    with pytest.raises(NothingToErase):
        await erased(living_house, people.chart, "PSY")
    linked = "SELECT chart::text FROM model.registry_link"
    assert {"chart": people.chart} in await lived_rows(living_house, linked)
