"""Staff correct, relabel and withdraw entries; history shows what changed and to whom."""

import json
from typing import Any

import pytest

from domain.audit import AccessRefused
from domain.directory import GiveRole, ListPractitioner, Practitioner
from domain.identity import OpenAccount
from domain.kernel.values import Name
from tests.api.test_reading import resources
from tests.api.world import Json, World

pytestmark = pytest.mark.anyio
RESULT = """{ __typename
  ... on RecordAmended { position repeated peopleReached applicationsReached }
  ... on Problem { code path } ... on StaleVersionProblem { currentVersion } }"""
CORRECT = f"mutation C($input: CorrectRecordInput!) {{ correctRecord(input: $input) {RESULT} }}"
RELABEL = f"mutation R($input: RelabelRecordInput!) {{ relabelRecord(input: $input) {RESULT} }}"
WITHDRAW = f"mutation W($input: WithdrawRecordInput!) {{ withdrawRecord(input: $input) {RESULT} }}"
HISTORY = """query H($record: ID!) { history(record: $record) { edges { node {
  version what by reason source labels changes { field before after } } } } }"""
REACH = "query R($record: ID!) { reachedBy(record: $record) { accounts applications } }"
CONDITIONS = """query C($chart: ID) { record(chart: $chart) { conditions(first: 100) {
  edges { node { id code { text } version corrected labels clinicalStatus } } } } }"""
WISH = {"idempotencyKey": "k", "reason": "typed into the wrong chart"}


async def staff(world: World) -> None:
    """An account `hana` of somebody in health information."""
    listing = ListPractitioner(key="hana", practitioner=Practitioner(names=(Name("Hana"),)))
    ident = (await world.do("riverside", listing)).streams[0]
    await world.do("riverside", GiveRole(practitioner=ident, role="health-information"))
    account = OpenAccount(login="hana", display_name="Hana", practitioner=ident)
    world.people["hana"] = ("riverside", (await world.do("riverside", account)).streams[0])


async def entries(
    world: World, person: str, chart: str | None = None, position: str | None = None
) -> list[Json]:
    """Conditions as somebody sees them."""
    answer = await world.ask(person, CONDITIONS, {"chart": chart}, position)
    found = answer.json()["data"]["record"]["conditions"]["edges"]
    return [edge["node"] for edge in found]


async def one(world: World, person: str, text: str, **more: Any) -> Json | None:
    found = [e for e in await entries(world, person, **more) if e["code"]["text"] == text]
    return found[0] if found else None


async def history(world: World, person: str, record: str) -> list[Json]:
    data = await world.data(person, HISTORY, record=record)
    return [edge["node"] for edge in data["history"]["edges"]]


async def amend(world: World, person: str, mutation: str, **wish: object) -> Json:
    data = await world.data(person, mutation, input={**WISH, **wish})
    result: Json = next(iter(data.values()))
    return result


async def test_a_correction_shows_what_changed_and_keeps_the_earlier(own_world: World) -> None:
    world = own_world
    await staff(world)
    first = resources("rosa", "Condition")[0]
    known = (await one(world, "rosa", first["code"]["text"])) or {}
    resolved: Json = json.loads(json.dumps(first))
    resolved["clinicalStatus"]["coding"][0]["code"] = "resolved"
    done = await amend(
        world, "hana", CORRECT, record=known["id"], resource=json.dumps(resolved),
        expectedVersion=known["version"],
    )  # fmt: skip
    assert (done["__typename"], done["peopleReached"]) == ("RecordAmended", 1)

    now = await one(world, "rosa", known["code"]["text"], position=done["position"])
    assert now is not None
    assert (now["version"], now["corrected"], now["clinicalStatus"]) == (2, True, "resolved")
    newest, oldest = await history(world, "rosa", known["id"])
    assert (newest["what"], newest["by"], newest["reason"]) == ("changed", "staff", WISH["reason"])
    assert newest["changes"] == [
        {"field": "condition.clinical_status", "before": "active", "after": "resolved"}
    ]
    assert (oldest["what"], oldest["by"], oldest["changes"]) == ("stated", "source", [])


async def test_a_correction_at_a_version_that_is_gone_changes_nothing(own_world: World) -> None:
    world = own_world
    await staff(world)
    known = (await entries(world, "rosa"))[0]
    wish = {"record": known["id"], "resource": "{}", "expectedVersion": 7}
    assert (await amend(world, "hana", CORRECT, **wish))["path"] == ["resource"]
    relabel = await amend(world, "hana", RELABEL, record=known["id"], labels=[], expectedVersion=7)
    assert (relabel["__typename"], relabel["currentVersion"]) == ("StaleVersionProblem", 1)
    assert len(await history(world, "rosa", known["id"])) == 1


async def test_an_entry_of_another_chart_is_withdrawn_and_filed_there_in_one_act(
    own_world: World,
) -> None:
    world = own_world
    await staff(world)
    known = (await entries(world, "rosa"))[0]
    before = await world.head()
    chart = await world.chart("omar", "hana")
    done = await amend(world, "hana", WITHDRAW, record=known["id"], refileTo=chart)
    assert done["__typename"] == "RecordAmended"

    wrote = [e for e in await world.since(before) if e.header.type.startswith("records.")]
    assert [(e.header.type, e.header.chart) for e in wrote] == [
        ("records.record-withdrawn", world.seeded.charts["rosa"]),
        ("records.record-filed", world.seeded.charts["omar"]),
    ]
    text, position = known["code"]["text"], done["position"]
    assert await one(world, "rosa", text, position=position) is None
    assert await one(world, "omar", text, position=position) is not None
    told = await history(world, "rosa", known["id"])
    assert [version["what"] for version in told] == ["withdrawn", "stated"]
    assert [version["changes"] for version in told] == [[], []]
    reach = (await world.data("priya", REACH, record=known["id"]))["reachedBy"]
    assert reach["accounts"] == [
        (await world.ids("priya")).hide("account", world.people["rosa"][1])
    ]


async def test_an_entry_is_not_withdrawn_for_its_own_chart_or_one_that_is_none(
    own_world: World,
) -> None:
    world = own_world
    await staff(world)
    known = (await entries(world, "rosa"))[0]
    before = await world.head()
    own, strange = await world.chart("rosa", "hana"), known["id"]
    for key, chart, code in (("a", own, "in_this_chart"), ("b", strange, "unknown_chart")):
        refused = await amend(
            world, "hana", WITHDRAW, record=known["id"], refileTo=chart, idempotencyKey=key
        )
        problem = {"__typename": "InputProblem", "code": f"kernel.{code}", "path": ["refileTo"]}
        assert refused == problem
    wrote = {event.header.type.partition(".")[0] for event in await world.since(before)}
    assert wrote <= {"audit"}
    assert await one(world, "rosa", known["code"]["text"]) is not None


async def test_a_relabelled_entry_and_its_history_are_hidden_from_a_proxy(
    own_world: World,
) -> None:
    world = own_world
    await staff(world)
    jun = await world.chart("jun", "mei")
    known = (await entries(world, "mei", jun))[0]
    text = known["code"]["text"]
    done = await amend(world, "hana", RELABEL, record=known["id"], labels=["PSY"])
    position = done["position"]
    assert await one(world, "mei", text, chart=jun, position=position) is None
    seen = await one(world, "jun", text, position=position)
    assert seen is not None
    assert seen["labels"] == ["PSY"]
    assert [v["labels"] for v in await history(world, "jun", known["id"])] == [["PSY"], []]
    before = await world.head()
    answer = await world.ask("mei", HISTORY, {"record": known["id"]})
    nobody = await world.ask("mei", HISTORY, {"record": "record_none"})
    assert answer.json()["data"] == nobody.json()["data"] == {"history": None}
    refused = [each.event for each in await world.since(before)]
    assert [type(each) for each in refused] == [AccessRefused] * 2
    assert refused[0].chart == world.seeded.charts["jun"]


@pytest.mark.parametrize("person", ["rosa", "omar", "adeyemi", "sam", "priya"])
async def test_nobody_else_amends_and_nobody_learns_whether_it_exists(
    own_world: World, person: str
) -> None:
    world = own_world
    known = (await entries(world, "rosa"))[0]["id"]
    before = await world.head()
    for record in (known, "record_none"):
        tries = (
            (CORRECT, {"resource": "{}"}),
            (RELABEL, {"labels": ["PSY"]}),
            (WITHDRAW, {}),
        )
        for number, (mutation, more) in enumerate(tries):
            key = f"{record} {number}"
            refused = await amend(
                world, person, mutation, record=record, idempotencyKey=key, **more
            )
            assert refused["__typename"] == "NotFoundProblem"
    kinds = {event.header.type for event in await world.since(before)}
    assert kinds == {"audit.access-refused"}
