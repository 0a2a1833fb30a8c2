"""The door of a record: open where a panel is, with each panel under its own rule."""

import asyncpg
import pytest

from domain.consent import GrantProxyAccess
from domain.kernel.log import Append, Appended, Conflict, Known
from projections import registry as registry_panels
from projections.catalogue import PANELS as READ_MODELS
from schema.opening import SCOPES, opening
from tests.api.personas import PANELS, clinician
from tests.api.world import World, looks, refusals

pytestmark = pytest.mark.anyio
LIST = """{ me { records { pageInfo { hasNextPage } edges { node {
  chart relationship patient { id name } } } } } }"""
OPENED = {
    "results": "labReports",
    "prescriptions": "medications",
}


def test_the_door_is_open_to_exactly_those_to_whom_a_panel_is() -> None:
    texts = {clause.text for panel in READ_MODELS for clause in panel.rule.clauses}
    assert {clause.text for clause in opening.clauses} == texts
    assert {f"proxy({scope})" for scope in SCOPES} == {t for t in texts if "proxy" in t}


@pytest.mark.parametrize("scope", OPENED)
async def test_a_grant_of_one_scope_opens_its_panel_and_lists_the_chart_without_a_name(
    own_world: World, scope: str
) -> None:
    person = await own_world.newcomer("helper")
    rosa = own_world.seeded.charts["rosa"]
    wish = GrantProxyAccess(chart=rosa, grantee=person, kind="helper", scopes=(scope,))
    await own_world.do("riverside", wish)
    chart = await own_world.chart("rosa")
    before = await own_world.head()
    listed = (await own_world.data("helper", LIST))["me"]["records"]
    assert [edge["node"] for edge in listed["edges"]] == [
        {"chart": chart, "relationship": "proxy-grant", "patient": None}
    ]
    assert await own_world.since(before) == []
    for name, panel in PANELS.items():
        before = await own_world.head()
        document = f"query Part($chart: ID!) {{ record(chart: $chart) {{ {panel} }} }}"
        answer = (await own_world.ask("helper", document, {"chart": chart})).json()
        events = await own_world.since(before)
        if name == OPENED[scope]:
            assert answer["data"]["record"][name]["edges"]
            assert [look.chart for look in looks(events)] == [rosa]
            assert refusals(events) == []
        else:
            assert answer["data"]["record"] == {name: None}
            assert answer["errors"][0]["extensions"]["code"] == "kernel.not_found"
            assert [refused.chart for refused in refusals(events)] == [rosa]


async def test_a_chart_that_the_registry_set_aside_is_listed_to_its_clinician_without_a_name(
    own_world: World,
) -> None:
    await clinician(own_world, "nurse")
    rosa, friend = own_world.seeded.charts["rosa"], await own_world.newcomer("friend")
    grant = GrantProxyAccess(chart=rosa, grantee=friend, kind="helper", scopes=("records",))
    await own_world.do("riverside", grant)
    assert len((await own_world.data("friend", LIST))["me"]["records"]["edges"]) == 1
    owner = await asyncpg.connect(own_world.house.settings.dsn)
    await owner.execute(
        "INSERT INTO dead_letter (tenant, consumer, chart, position, type, error)"
        " VALUES ('riverside', $1, $2::uuid, 1, 'x', 'Poisoned')",
        registry_panels.demographics.projection,
        rosa,
    )
    await owner.close()
    before = await own_world.head()
    (edge,) = (await own_world.data("nurse", LIST))["me"]["records"]["edges"]
    assert edge["node"]["patient"] is None
    assert edge["node"]["chart"] == await own_world.chart("rosa", seen_by="nurse")
    # A merge or a death may be among what could not be read: whoever acts by a grant waits.
    assert (await own_world.data("friend", LIST))["me"]["records"]["edges"] == []
    assert looks(await own_world.since(before)) == []


async def test_looks_that_were_sent_twice_are_durable_by_their_first_answer(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, answers = own_world.house.log.append, []

    async def twice(wish: Append) -> Appended | Conflict | Known:
        answers.append(await once(wish))
        answers.append(await once(wish))
        return answers[-1]

    before = await own_world.head()
    monkeypatch.setattr(own_world.house.log, "append", twice)
    assert (await own_world.data("rosa", "{ record { patient { name } } }"))["record"]
    assert [type(answer) for answer in answers] == [Appended, Known]
    assert len(looks(await own_world.since(before))) == 1
