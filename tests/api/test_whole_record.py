"""The whole record over HTTP: every panel tells whence and when, and what we wait for."""

import pytest

from demo.seed import source_of
from domain.care import AnswerOrder
from tests.api.test_reading import resources
from tests.api.world import Json, World

pytestmark = pytest.mark.anyio
STATED = """id occurred { text } received source { system type } version corrected labels
  alsoStatedBy { reason } absent { element reason }"""
PANELS = {
    "conditions": "code { text }",
    "allergies": "code { text }",
    "medications": "code { text } kind directions",
    "immunizations": "vaccine { text }",
    "labReports": "code { text }",
    "observations": "code { text } absentReason { text }",
    "visits": "status",
    "procedures": "code { text } start { text } end { text } performers",
    "documents": "type { text } title authors attachments { mediaType size digest }",
    "carePlans": "title activities { code { text } status }",
    "goals": "description { text } targets { detail }",
    "devices": "type { text } use serial",
    "provenance": "agents { name role } targets count",
    "careTeams": "name members { name roles { text } }",
    "orders": "code { text } waiting referral requester reasons { text }",
}


def asking(panel: str) -> str:
    """A query of a panel of one's own record."""
    return f"""{{ record {{ {panel}(first: 100) {{ edges {{ node {{
      {STATED} {PANELS[panel]} }} }} }} }} }}"""


async def shown(world: World, person: str, panel: str) -> list[Json]:
    """The entries of a panel of one's own record."""
    data = await world.data(person, asking(panel))
    return [edge["node"] for edge in data["record"][panel]["edges"]]


@pytest.mark.parametrize("panel", PANELS)
async def test_every_entry_tells_its_source_and_when_it_happened_and_arrived(
    world: World, panel: str
) -> None:
    entries = await shown(world, "rosa", panel)
    assert entries
    for entry in entries:
        assert entry["source"]["system"] == source_of("riverside")
        assert entry["received"].startswith("20")
        assert entry["version"] >= 1
        assert entry["corrected"] is False
        assert entry["occurred"] is not None or panel in ("allergies", "devices")


async def test_a_procedure_has_its_exact_times_and_who_did_it(world: World) -> None:
    [seen] = await shown(world, "rosa", "procedures")
    assert seen["code"]["text"] == "Colonoscopy"
    [told] = resources("rosa", "Procedure")
    assert seen["start"]["text"] == told["performedPeriod"]["start"]
    assert seen["end"]["text"] == told["performedPeriod"]["end"]
    assert ["Adeyemi" in name for name in seen["performers"]] == [True]


async def test_a_document_tells_its_bytes_without_showing_them(world: World) -> None:
    [paper] = await shown(world, "rosa", "documents")
    [content] = paper["attachments"]
    assert (paper["title"], content["mediaType"]) == (
        "Diabetes follow-up",
        "text/plain; charset=utf-8",
    )
    assert (content["size"], len(content["digest"])) == (67, 64)


async def test_pending_orders_are_what_we_wait_for_until_a_result_is_here(
    own_world: World,
) -> None:
    world = own_world
    waiting = "{ record { pendingOrders { edges { node { code { text } requester } } } } }"
    edges = (await world.data("rosa", waiting))["record"]["pendingOrders"]["edges"]
    assert [edge["node"]["code"]["text"] for edge in edges] == [
        "Eye examination with dilated pupils",
        "Urine albumin/creatinine ratio",
    ]
    [order] = [o for o in await shown(world, "rosa", "orders") if not o["referral"]]
    assert order["waiting"] is True
    chart = world.seeded.charts["rosa"]
    events = await world.since(0)
    key = next(
        f"{e.event.source.system}|ServiceRequest|{e.event.source.id}"
        for e in events
        if e.header.type == "care.order-reported"
        and e.header.chart == chart
        and not e.event.order.referral
    )
    await world.do("riverside", AnswerOrder(chart=chart, key=key))
    edges = (await world.data("rosa", waiting))["record"]["pendingOrders"]["edges"]
    assert [edge["node"]["code"]["text"] for edge in edges] == [
        "Eye examination with dilated pupils"
    ]


async def test_directions_that_are_only_structured_are_told_in_words(world: World) -> None:
    medicines = await shown(world, "henry", "medications")
    [known] = [one for one in medicines if "Bictegravir" in one["code"]["text"]]
    assert known["directions"] == ["1 tablet once daily"]
    assert known["kind"] == "order"


TREND = """query Trend($code: String!, $first: Int!, $after: String) { record {
  trend(code: $code, first: $first, after: $after) { pageInfo { endCursor hasNextPage }
    edges { node { occurred { text } value { value unit } referenceRange { text low { value } }
      report { text } } } } } }"""


async def test_a_trend_is_one_code_in_the_order_of_time_with_units_and_ranges(
    world: World,
) -> None:
    points: list[Json] = []
    after, more = None, True
    while more:
        data = await world.data("rosa", TREND, code="http://loinc.org|4548-4", first=4, after=after)
        page = data["record"]["trend"]
        points += [edge["node"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    times = [point["occurred"]["text"] for point in points]
    assert len(times) == len(set(times)) >= 9
    assert times == sorted(times, reverse=True)
    assert {point["value"]["unit"] for point in points} == {"%"}
    assert "7.2" in [point["value"]["value"] for point in points]


async def test_a_trend_of_a_code_that_nobody_measured_is_empty(world: World) -> None:
    data = await world.data("rosa", TREND, code="http://loinc.org|none", first=4)
    assert data["record"]["trend"]["edges"] == []
