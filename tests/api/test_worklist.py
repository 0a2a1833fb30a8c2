"""A clinician's list of charts: who is on it, in which order, and its manifest in the log."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from domain.audit import ListViewed
from domain.care import LeaveCareTeam
from domain.kernel.event import Recorded
from tests.api.personas import clinician
from tests.api.world import Json, Seedbed, World, living_world, looks, refusals, revealed

pytestmark = pytest.mark.anyio
LIST = """query Mine($first: Int!, $after: String) { worklist(first: $first, after: $after) {
  pageInfo { hasNextPage endCursor }
  edges { node { chart patient { id name birthDate { text } gender }
    lastVisit { id start { text } } } } } }"""
TRAIL = """query ($chart: ID) { auditTrail(chart: $chart, first: 3) { edges { node {
  type chart operation panels records count basis } } } }"""


@pytest.fixture(scope="module")
async def clinic(
    seedbed: Seedbed, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A served house for this file."""
    async with living_world(seedbed, tmp_path_factory.mktemp("clinic")) as made:
        yield made


async def listed(world: World, first: int = 50, after: str | None = None) -> Json:
    data = await world.data("adeyemi", LIST, first=first, after=after)
    worklist: Json = data["worklist"]
    return worklist


def nodes(worklist: Json) -> list[Json]:
    return [edge["node"] for edge in worklist["edges"]]


def manifests(events: list[Recorded]) -> list[ListViewed]:
    return [event.event for event in events if isinstance(event.event, ListViewed)]


async def test_the_newest_visit_comes_first_with_names_of_every_chart(clinic: World) -> None:
    shown = nodes(await listed(clinic))
    starts = [
        datetime.fromisoformat(node["lastVisit"]["start"]["text"])
        for node in shown
        if node["lastVisit"]
    ]
    assert len(shown) >= 5
    assert starts == sorted(starts, reverse=True)
    assert all(node["patient"]["name"] for node in shown)
    assert len({node["chart"] for node in shown}) == len(shown)
    assert all(node["patient"]["id"] == node["chart"] for node in shown)


async def test_pages_show_every_chart_once_in_the_order_of_the_whole_list(clinic: World) -> None:
    whole = nodes(await listed(clinic))
    paged, after, more = [], None, True
    while more:
        page = await listed(clinic, 2, after)
        paged += nodes(page)
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert paged == whole


async def test_a_list_of_charts_is_one_event_with_the_ids_of_each_chart(clinic: World) -> None:
    before = await clinic.head()
    shown = nodes(await listed(clinic))
    events = await clinic.since(before)
    (manifest,) = manifests(events)
    assert len(events) == 1
    ids = await clinic.ids("adeyemi")
    assert [entry.chart for entry in manifest.entries] == revealed(
        ids, [node["chart"] for node in shown]
    )
    for entry, node in zip(manifest.entries, shown, strict=True):
        visit = [node["lastVisit"]["id"]] if node["lastVisit"] else []
        assert entry.records == (*revealed(ids, visit), entry.chart)
        assert entry.basis == "care-relationship"
        assert entry.reference is not None
    assert manifest.panels == ("care.visits", "registry.demographics")
    assert manifest.operation == "Mine"
    assert manifest.count == sum(len(entry.records) for entry in manifest.entries)
    context = events[0].context
    assert (context.purpose, context.basis) == ("TREAT", "care-relationship")
    assert context.rule == "care.view registry.view"
    assert events[0].header.chart is None


async def test_a_page_of_one_chart_is_a_look_at_that_chart(clinic: World) -> None:
    before = await clinic.head()
    (node,) = nodes(await listed(clinic, 1))
    events = await clinic.since(before)
    assert manifests(events) == []
    (look,) = looks(events)
    assert [look.chart] == revealed(await clinic.ids("adeyemi"), [node["chart"]])
    assert events[0].header.chart == look.chart


async def test_the_trail_of_a_chart_shows_what_a_list_showed_of_that_chart_only(
    clinic: World,
) -> None:
    shown = nodes(await listed(clinic))
    rosa = await clinic.chart("rosa")
    (mine,) = [node for node in shown if node["chart"] == rosa]
    trail = await clinic.data("priya", TRAIL, chart=rosa)
    entry = trail["auditTrail"]["edges"][0]["node"]
    expected = [mine["lastVisit"]["id"], mine["chart"]]
    ids = await clinic.ids("priya")
    assert revealed(ids, entry.pop("records")) == revealed(ids, expected)
    assert entry == {
        "type": "audit.list-viewed",
        "chart": rosa,
        "operation": "Mine",
        "panels": ["care.visits", "registry.demographics"],
        "count": 2,
        "basis": "care-relationship",
    }


async def test_the_trail_of_everybody_shows_the_whole_list(clinic: World) -> None:
    shown = nodes(await listed(clinic))
    trail = await clinic.data("priya", TRAIL)
    entry = trail["auditTrail"]["edges"][0]["node"]
    assert entry["type"] == "audit.list-viewed"
    assert entry["chart"] is None
    assert entry["count"] == len(entry["records"]) > len(shown)


async def test_only_a_clinician_has_a_worklist(clinic: World) -> None:
    for person in ("rosa", "sam", "priya"):
        before = await clinic.head()
        answer = (await clinic.ask(person, LIST, {"first": 5})).json()
        assert answer["data"] == {"worklist": None}
        assert answer["errors"][0]["extensions"]["code"] == "kernel.not_found"
        events = await clinic.since(before)
        assert len(refusals(events)) == len(events) == 1


async def test_whoever_left_the_care_team_has_the_chart_on_the_list_no_more(
    own_world: World,
) -> None:
    nurse = await clinician(own_world, "nurse")
    rosa = await own_world.chart("rosa")
    data = await own_world.data("nurse", LIST, first=5)
    assert [node["chart"] for node in nodes(data["worklist"])] == [rosa]
    leaving = LeaveCareTeam(chart=own_world.seeded.charts["rosa"], practitioner=nurse)
    await own_world.do("riverside", leaving)
    assert nodes((await own_world.data("nurse", LIST, first=5))["worklist"]) == []
