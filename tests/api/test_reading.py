"""A patient reads her record: exact values, stable pages, ids that mean nothing elsewhere."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from demo.stories import stories
from domain.kernel.values import Concept, Moment, Quantity
from domain.results import Analyte, ReceiveResult, Report
from tests.api.world import TODAY, Json, World

pytestmark = pytest.mark.anyio
UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
CONCEPT = "{ text codings { system code display } }"
QUANTITY = "{ value comparator unit code }"
EVERYTHING = f"""query Everything {{ me {{ id person name organization roles
    records {{ edges {{ cursor node {{ relationship patient {{ id name }} }} }} }} }}
  record {{
    patient {{ id name birthDate {{ text }} gender languages medicalRecordNumber }}
    conditions(first: 100) {{ edges {{ cursor node {{ id code {CONCEPT} clinicalStatus
      source {{ system type }} }} }} }}
    allergies(first: 100) {{ edges {{ cursor node {{ id code {CONCEPT} criticality }} }} }}
    medications(first: 100) {{ edges {{ node {{ id code {CONCEPT} status directions }} }} }}
    immunizations(first: 100) {{ edges {{ node {{ id vaccine {CONCEPT} given {{ text }} }} }} }}
    observations(first: 100) {{ edges {{ node {{ id code {CONCEPT} }} }} }}
    visits(first: 100) {{ edges {{ cursor node {{ id }} }} }}
    proxies {{ edges {{ cursor node {{ id grantee }} }} }}
    labReports(first: 100) {{
      pageInfo {{ endCursor hasNextPage }} edges {{ cursor node {{ id }} }} }} }} }}"""
REPORTS = f"""query Reports($chart: ID, $first: Int!, $after: String) {{ record(chart: $chart) {{
  labReports(first: $first, after: $after) {{
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
    edges {{ cursor node {{ id code {CONCEPT} status effective {{ text precision }}
      issued {{ text }} conclusion
      observations {{ code {CONCEPT} status value {QUANTITY} unit text
        referenceRange {{ low {QUANTITY} high {QUANTITY} text }}
        interpretation {CONCEPT} }} }} }} }} }} }}"""


def resources(story: str, kind: str) -> list[Json]:
    """The resources of a type in a story's bundle, in its order."""
    bundle: Any = next(one for one in stories(TODAY) if one.key == story).bundle
    return [
        entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind
    ]


def concept(given: Json) -> Json:
    codings = given.get("coding", [])
    shown = given.get("text") or next(c.get("display") or c["code"] for c in codings)
    return {
        "text": shown,
        "codings": [{name: c.get(name) for name in ("system", "code", "display")} for c in codings],
    }


def quantity(given: Json | None) -> Json | None:
    if given is None:
        return None
    value = json.dumps(given["value"]) if "value" in given else None
    parts = {name: given.get(name) for name in ("comparator", "unit", "code")}
    return {"value": value, **parts}


def observation(given: Json) -> Json:
    """A laboratory observation of the bundle as the API should show it."""
    measured = given.get("valueQuantity")
    coded = given.get("valueCodeableConcept")
    return {
        "code": concept(given["code"]),
        "status": given["status"],
        "value": quantity(measured),
        "unit": measured["unit"] if measured else None,
        "text": given.get("valueString") or (concept(coded)["text"] if coded else None),
        "referenceRange": [
            {
                "low": quantity(one.get("low")),
                "high": quantity(one.get("high")),
                "text": one.get("text"),
            }
            for one in given.get("referenceRange", [])
        ],
        "interpretation": [concept(one) for one in given.get("interpretation", [])],
    }


def told_reports(story: str) -> list[Json]:
    """Every laboratory report of a story with its observations, newest first."""
    bundle: Any = next(one for one in stories(TODAY) if one.key == story).bundle
    by_url = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    reports = [one for one in resources(story, "DiagnosticReport") if _is_laboratory(one)]
    newest_first = sorted(
        reports, key=lambda one: Moment(one["effectiveDateTime"]).instant, reverse=True
    )
    return [
        {
            "code": concept(one["code"]),
            "status": one["status"],
            "effective": {"text": one["effectiveDateTime"], "precision": "INSTANT"},
            "issued": {"text": one["issued"]},
            "conclusion": one.get("conclusion"),
            "observations": [observation(by_url[r["reference"]]) for r in one["result"]],
        }
        for one in newest_first
    ]


def _is_laboratory(report: Json) -> bool:
    codes = {coding["code"] for one in report["category"] for coding in one["coding"]}
    return bool(codes & {"LAB", "laboratory"})


def in_any_order(reports: list[Json]) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in reports)


async def pages(world: World, size: int, person: str = "rosa") -> list[Json]:
    """The edges of all pages, walked by cursor; checks what each page says of itself."""
    edges: list[Json] = []
    after = None
    while True:
        answer = await world.data(person, REPORTS, first=size, after=after)
        page = answer["record"]["labReports"]
        edges += page["edges"]
        assert len(page["edges"]) <= size
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        after = page["pageInfo"]["endCursor"]
        assert after == page["edges"][-1]["cursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return edges
        assert len(page["edges"]) == size


def report(text: str, when: str) -> Report:
    """A small report, taken at that moment."""
    value = Analyte(concept=Concept(text=text), status="final", quantity=Quantity(value="1.10"))
    return Report(
        category="laboratory",
        concept=Concept(text=text),
        status="final",
        effective=Moment(when),
        observations=(value,),
    )


async def test_rosa_reads_every_report_exactly_as_her_story_tells_it(world: World) -> None:
    edges = await pages(world, 100)
    shown = [{k: v for k, v in edge["node"].items() if k != "id"} for edge in edges]
    told = told_reports("rosa")
    # Reports of one specimen are equally new; their ids, which no story knows, settle the order.
    assert [one["effective"] for one in shown] == [one["effective"] for one in told]
    assert in_any_order(shown) == in_any_order(told)


async def test_the_newest_hba1c_has_value_unit_range_and_interpretation(world: World) -> None:
    edges = await pages(world, 100)
    values = [one for edge in edges for one in edge["node"]["observations"]]
    newest = next(one for one in values if "4548-4" in {c["code"] for c in one["code"]["codings"]})
    told = max(
        (
            one
            for one in resources("rosa", "Observation")
            if "4548-4" in {c["code"] for c in one["code"]["coding"]}
        ),
        key=lambda one: Moment(one["effectiveDateTime"]).instant,
    )
    assert newest == observation(told)
    assert newest["value"]["value"] == json.dumps(told["valueQuantity"]["value"])
    assert newest["unit"] == "%"
    assert newest["referenceRange"]
    assert newest["interpretation"]


@pytest.mark.parametrize(
    ("panel", "kind", "code"),
    [
        ("conditions", "Condition", "code"),
        ("allergies", "AllergyIntolerance", "code"),
        ("medications", "MedicationRequest", "code"),
        ("immunizations", "Immunization", "vaccine"),
    ],
)
@pytest.mark.parametrize("person", ["rosa", "jun", "noor"])
async def test_a_panel_shows_what_the_bundle_holds_and_nothing_else(
    world: World, person: str, panel: str, kind: str, code: str
) -> None:
    answer = await world.data(person, EVERYTHING)
    shown = [edge["node"][code] for edge in answer["record"][panel]["edges"]]
    names = ("medicationCodeableConcept", "vaccineCode", "code")
    told = [
        concept(next(given[name] for name in names if name in given))
        for given in resources(person, kind)
    ]
    assert sorted(map(str, shown)) == sorted(map(str, told))


@pytest.mark.parametrize("size", [1, 3, 20])
async def test_paging_by_cursor_gives_each_report_once_in_order(world: World, size: int) -> None:
    edges = await pages(world, size)
    whole = await pages(world, 100)
    assert edges == whole
    assert len({edge["node"]["id"] for edge in edges}) == len(told_reports("rosa"))


async def test_pages_stay_stable_while_new_reports_are_filed(own_world: World) -> None:
    before = await pages(own_world, 100)
    first = (await own_world.data("rosa", REPORTS, first=2))["record"]["labReports"]
    for number, when in enumerate(("2030-01-01", "2001-01-01")):
        await own_world.do(
            "riverside",
            ReceiveResult(
                chart=own_world.seeded.charts["rosa"], key=f"new {number}", report=report("x", when)
            ),
        )
    edges, after = list(first["edges"]), first["pageInfo"]["endCursor"]
    while after is not None:
        answer = await own_world.data("rosa", REPORTS, first=2, after=after)
        page = answer["record"]["labReports"]
        edges += page["edges"]
        after = page["pageInfo"]["endCursor"] if page["pageInfo"]["hasNextPage"] else None
    assert edges[: len(before)] == before
    assert [edge["node"]["effective"]["text"] for edge in edges[len(before) :]] == ["2001-01-01"]


async def test_the_number_of_a_report_keeps_its_written_digits(own_world: World) -> None:
    wish = ReceiveResult(
        chart=own_world.seeded.charts["rosa"], key="digits", report=report("x", "2030-01-01")
    )
    await own_world.do("riverside", wish)
    page = (await own_world.data("rosa", REPORTS, first=1))["record"]["labReports"]
    shown = page["edges"][0]["node"]
    assert shown["observations"][0]["value"]["value"] == "1.10"
    assert shown["effective"] == {"text": "2030-01-01", "precision": "DAY"}


async def test_undated_facts_come_last_and_page_like_the_others(own_world: World) -> None:
    chart = own_world.seeded.charts["rosa"]
    for number in range(3):
        value = report(f"undated {number}", "")
        wish = ReceiveResult(chart=chart, key=str(number), report=replace(value, effective=None))
        await own_world.do("riverside", wish)
    whole = await pages(own_world, 100)
    assert await pages(own_world, 1) == whole
    assert {edge["node"]["code"]["text"] for edge in whole[-3:]} == {
        "undated 0", "undated 1", "undated 2",
    }  # fmt: skip
    past = REPORTS.replace("$chart: ID,", "$chart: ID!,").replace("record(", "recordAsOf(")
    given = {"chart": await own_world.chart("rosa"), "first": 2}
    after = whole[-3]["cursor"]
    page = (await own_world.data("priya", past, **given, after=after))["recordAsOf"]["labReports"]
    assert page["edges"] == whole[-2:]


@pytest.mark.parametrize("size", [0, 101, -1])
async def test_a_page_size_out_of_bounds_is_refused_by_its_code(world: World, size: int) -> None:
    answer = await world.ask("rosa", REPORTS, {"first": size})
    body = answer.json()
    assert body["data"]["record"]["labReports"] is None
    assert [e["extensions"]["code"] for e in body["errors"]] == ["schema.page_size_refused"]


@pytest.mark.parametrize("panel", ["record { labReports", "me { records"])
async def test_a_cursor_that_this_tenant_did_not_make_is_refused(world: World, panel: str) -> None:
    foreign = (await world.data("noor", REPORTS, first=1))["record"]["labReports"]["pageInfo"]
    own = (await world.data("rosa", REPORTS, first=1))["record"]["labReports"]["pageInfo"]
    flipped = own["endCursor"][:-2] + ("AA" if own["endCursor"][-2:] != "AA" else "BB")
    document = f"query ($after: String) {{ {panel}(after: $after) {{ edges {{ cursor }} }} }} }}"
    for cursor in (foreign["endCursor"], flipped, "x", "", "é"):
        body = (await world.ask("rosa", document, {"after": cursor})).json()
        codes = {error["extensions"]["code"] for error in body["errors"]}
        assert codes == {"schema.cursor_invalid"}, cursor


async def test_the_ids_of_one_tenant_are_nothing_in_the_other(world: World) -> None:
    document = "query ($chart: ID!) { record(chart: $chart) { patient { name } } }"
    theirs = await world.chart("noor")
    assert (await world.data("noor", document, chart=theirs))["record"] is not None
    assert await world.data("rosa", document, chart=theirs) == {"record": None}
    assert await world.data("adeyemi", document, chart=theirs) == {"record": None}


async def test_no_answer_holds_an_id_of_the_log(world: World) -> None:
    trail = """query { auditTrail(first: 100) { edges { cursor node { id position type at actor
      actorKind onBehalfOf chart purpose basis rule operation panels records count outcome
    } } } }"""
    past = """query ($chart: ID!) { recordAsOf(chart: $chart) { patient { id }
      labReports { edges { cursor node { id } } } } }"""
    answers = [(await world.ask(person, EVERYTHING)).text for person in ("rosa", "mei", "noor")]
    answers.append((await world.ask("priya", trail)).text)
    answers.append((await world.ask("priya", past, {"chart": await world.chart("rosa")})).text)
    for answer in answers:
        assert "errors" not in json.loads(answer)
        assert UUID_TEXT.findall(answer) == []
    log = [world.seeded.charts["rosa"], world.seeded.accounts["rosa"]]
    assert not any(ident in answer for ident in log for answer in answers)


async def test_me_lists_own_record_first_then_the_granted_ones(world: World) -> None:
    me = (await world.data("mei", EVERYTHING))["me"]
    shown = [
        (e["node"]["relationship"], e["node"]["patient"]["name"]) for e in me["records"]["edges"]
    ]
    assert [kind for kind, _ in shown] == ["own-record", "proxy-grant"]
    assert me["name"] == "Mei Chen"
    assert me["organization"] == "riverside"
    assert me["roles"] == []
    assert "Jun" in shown[1][1]
