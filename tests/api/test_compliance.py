"""What compliance sees: the trail by every filter, and a record as it was known at a moment."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from demo.people import EVERYTHING
from demo.seed import seeding_actor
from domain.audit import AccessRefused, RecordsViewed
from domain.consent import GrantProxyAccess, WithdrawProxyAccess
from domain.kernel.command import Command
from domain.kernel.event import Recorded
from domain.kernel.perform import Request
from domain.kernel.readmodel import Projection
from domain.kernel.values import Concept, Moment, Quantity, Source
from domain.records import Allergy, Condition, Fact, FileRecord
from domain.results import Analyte, ReceiveResult, Report
from projections.catalogue import PROJECTIONS
from projections.kernel.past import Past
from schema.kernel.ids import NO_CHART
from tests.api.personas import PANELS
from tests.api.world import Json, World, looks, refusals, revealed

pytestmark = pytest.mark.anyio
TRAIL = """query Trail($chart: ID, $actor: ID, $since: DateTime, $until: DateTime, $first: Int!,
    $after: String) {
  auditTrail(chart: $chart, actor: $actor, since: $since, until: $until, first: $first,
      after: $after) {
    pageInfo { hasNextPage endCursor hasPreviousPage }
    edges { cursor node { id position type at actor actorKind chart purpose basis rule operation
      panels records count outcome reason } } } }"""
SHOWN = """patient { id name birthDate { text } gender languages medicalRecordNumber }
  conditions(first: 100) { edges { cursor node { id code { text } clinicalStatus received } } }
  allergies(first: 100) { edges { cursor node { id code { text } criticality received } } }
  medications(first: 100) { edges { cursor node { id code { text } status received } } }
  immunizations(first: 100) { edges { cursor node { id vaccine { text } received } } }
  labReports(first: 100) { pageInfo { hasNextPage } edges { cursor node { id status received
    observations { code { text } value { value unit } } } } }
  observations(first: 100) { edges { cursor node { id code { text } received } } }
  visits(first: 100) { edges { cursor node { id } } }
  proxies(first: 100) { edges { cursor node { id grantee scopes until version } } }"""
NOW = f"query Now {{ record {{ {SHOWN} }} }}"
THEN = (
    f"query Then($chart: ID!, $at: DateTime) {{ recordAsOf(chart: $chart, at: $at) {{ {SHOWN} }} }}"
)


async def entries(world: World, size: int = 100, **filters: object) -> list[Json]:
    """Every entry of the trail under these filters, page by page."""
    found: list[Json] = []
    after = None
    while True:
        data = await world.data("priya", TRAIL, first=size, after=after, **filters)
        page = data["auditTrail"]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        found += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


async def names(world: World, found: Sequence[Json]) -> list[str]:
    return revealed(await world.ids("priya"), [entry["id"] for entry in found])


def differing(one: Json, other: Json) -> Json:
    """The panels of two records that are not the same, with the entries that only one has."""
    assert set(one) == set(other)
    return {
        name: [entry for entry in _entries(one[name]) if entry not in _entries(other[name])]
        + [entry for entry in _entries(other[name]) if entry not in _entries(one[name])]
        for name in one
        if one[name] != other[name]
    }


def _entries(panel: Json) -> list[Json]:
    entries: list[Json] = panel.get("edges", [panel])
    return entries


def about(event: Recorded) -> str | None:
    """The chart that an event is found under."""
    refused = event.event
    return refused.chart if isinstance(refused, AccessRefused) else event.header.chart


async def test_the_trail_by_chart_is_every_event_about_it_newest_first(own_world: World) -> None:
    chart = await own_world.chart("rosa")
    await own_world.data(
        "adeyemi", "query ($c: ID!) { record(chart: $c) { patient { id } } }", c=chart
    )
    await own_world.data(
        "omar", "query ($c: ID!) { record(chart: $c) { patient { id } } }", c=chart
    )
    rosa = own_world.seeded.charts["rosa"]
    expected = [e.header.event for e in await own_world.since(0) if about(e) == rosa]
    found = await entries(own_world, chart=chart)
    # Its later pages find the looks at its earlier ones nowhere: they are beyond the first page.
    assert await names(own_world, found) == expected[::-1]
    assert {entry["chart"] for entry in found} == {chart}
    refused, look = found[0], found[1]
    assert (refused["type"], refused["outcome"]) == ("audit.access-refused", "refused")
    assert (refused["basis"], refused["records"]) == ("none", [])
    assert (look["type"], look["outcome"]) == ("audit.records-viewed", "success")
    assert (look["purpose"], look["basis"], look["count"]) == ("TREAT", "care-relationship", 1)
    assert look["panels"] == ["registry.demographics"]
    assert revealed(await own_world.ids("priya"), look["records"]) == [rosa]


async def test_the_trail_by_actor_is_every_event_of_theirs(own_world: World) -> None:
    before = await own_world.head()
    for _ in range(3):
        await own_world.data("rosa", NOW)
    await own_world.data("omar", NOW)
    me = (await own_world.data("rosa", "{ me { id } }"))["me"]["id"]
    found = await entries(own_world, actor=me)
    account = own_world.seeded.accounts["rosa"]
    expected = [e.header.event for e in await own_world.since(0) if e.context.actor == account]
    assert await names(own_world, found) == expected[::-1]
    assert len(found) == 3
    assert {(entry["actor"], entry["actorKind"]) for entry in found} == {(me, "account")}
    assert before < await own_world.head()


async def test_the_trail_by_an_operators_name_is_what_they_did(own_world: World) -> None:
    expected = [e.header.event for e in await own_world.since(0) if e.context.actor == "demo"]
    found = await entries(own_world, actor="demo")
    assert await names(own_world, found) == expected[::-1]
    assert {(entry["actor"], entry["actorKind"]) for entry in found} == {("demo", "operator")}
    assert await entries(own_world, actor="nobody") == []


async def test_whom_a_proxy_acted_for_is_shown_as_that_chart(own_world: World) -> None:
    chart = await own_world.chart("jun")
    peek = "query Peek($c: ID!) { record(chart: $c) { patient { id } } }"
    for person in ("mei", "jun"):
        await own_world.data(person, peek, c=chart)
    newest = """query ($c: ID!) { auditTrail(chart: $c, first: 2) { edges { node {
      basis onBehalfOf } } } }"""
    edges = (await own_world.data("priya", newest, c=chart))["auditTrail"]["edges"]
    assert [(edge["node"]["basis"], edge["node"]["onBehalfOf"]) for edge in edges] == [
        ("own-record", None), ("proxy-grant", chart),
    ]  # fmt: skip


@pytest.mark.parametrize("document", [TRAIL, THEN])
async def test_a_malformed_chart_is_refused_on_record_once_like_an_absent_one(
    world: World, document: str
) -> None:
    given = {"first": 5} if document is TRAIL else {}
    for text in ("x", "", await world.chart("rosa", "noor") + "A"):
        before = await world.head()
        answer = await world.ask("sam", document, {"chart": text, **given})
        assert answer.json()["errors"][0]["extensions"]["code"] == "kernel.not_found"
        (refused,) = refusals(await world.since(before))
        assert refused.chart == NO_CHART
        data = await world.data("priya", document, chart=text, **given)
        shown = data["auditTrail" if document is TRAIL else "recordAsOf"]
        assert not shown.get("patient")
        types = {edge["node"]["type"] for edge in shown.get("edges", [])}
        assert types <= {"audit.access-refused", "audit.records-viewed"}


async def test_the_past_opens_once_and_only_the_events_that_it_is_made_of(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await own_world.data("rosa", NOW)
    opened: list[Recorded] = []

    class Watched(Past):
        def __init__(self, projections: Sequence[Projection], events: list[Recorded]) -> None:
            opened.extend(events)
            super().__init__(projections, events)

    monkeypatch.setattr("api.officer.Past", Watched)
    await own_world.data("priya", THEN, chart=await own_world.chart("rosa"))
    rosa = own_world.seeded.charts["rosa"]
    needed = {name for one in PROJECTIONS if not one.everything for name in one.types}
    about_her = [e for e in await own_world.since(0) if e.header.chart == rosa]
    assert [e.position for e in opened] == [
        e.position for e in about_her if e.header.type in needed
    ]
    assert "audit.records-viewed" in {e.header.type for e in about_her}


async def test_since_and_until_bound_the_time_of_commit(own_world: World) -> None:
    for _ in range(4):
        await own_world.data("rosa", NOW)
    events = (await own_world.since(0))[-4:]
    since, until = events[1].committed_at, events[3].committed_at
    found = await entries(own_world, since=since.isoformat(), until=until.isoformat())
    assert await names(own_world, found) == [e.header.event for e in (events[2], events[1])]
    assert [entry["at"] for entry in found] == [e.committed_at.isoformat() for e in events[2:0:-1]]
    chart = await own_world.chart("omar")
    assert await entries(own_world, since=since.isoformat(), chart=chart) == []


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_pages_of_the_trail_hold_each_event_once(own_world: World, size: int) -> None:
    chart = await own_world.chart("noor", seen_by="priya")
    assert await entries(own_world, size, chart=chart) == []
    head = (await own_world.since(0))[-30:]
    span = {"since": head[0].committed_at.isoformat()}
    until = head[-1].committed_at + timedelta(microseconds=1)
    found = await entries(own_world, size, until=until.isoformat(), **span)
    expected = [e.header.event for e in await own_world.since(0) if e.committed_at < until]
    assert await names(own_world, found) == expected[::-1][: len(found)]
    assert len(found) >= 30


async def test_the_trail_is_itself_in_the_trail_before_it_is_answered(own_world: World) -> None:
    before = await own_world.head()
    found = (await own_world.data("priya", TRAIL, first=5))["auditTrail"]["edges"]
    (recorded,) = await own_world.since(before)
    look, stated = recorded.event, recorded.context
    assert isinstance(look, RecordsViewed)
    assert list(look.records) == await names(own_world, [edge["node"] for edge in found])
    assert (look.panels, look.count, look.operation) == (("audit.trail",), 5, "Trail")
    assert (stated.purpose, stated.basis, stated.basis_reference) == (
        "HCOMPL", "role", "compliance",
    )  # fmt: skip
    again = (await own_world.data("priya", TRAIL, first=1))["auditTrail"]["edges"][0]["node"]
    assert await names(own_world, [again]) == [recorded.header.event]


@pytest.mark.parametrize("person", ["rosa", "mei", "adeyemi", "sam", "noor", "marcus"])
async def test_only_the_compliance_of_this_organisation_sees_trail_and_past(
    world: World, person: str
) -> None:
    chart = await world.chart("rosa", person)
    for document in (TRAIL, THEN):
        before = await world.head(world.people[person][0])
        answer = await world.ask(person, document, {"chart": chart, "first": 5})
        body = answer.json()
        if person == "marcus":
            assert "rosa" not in answer.text.lower()
            continue
        assert body["errors"][0]["extensions"]["code"] == "kernel.not_found"
        assert not any((body["data"] or {}).values())
        (recorded,) = await world.since(before, world.people[person][0])
        assert isinstance(recorded.event, AccessRefused)
        assert recorded.context.actor == world.people[person][1]


@dataclass(frozen=True)
class Snapshot:
    """What `record` showed, and when."""

    at: datetime
    shown: Json


async def test_the_record_as_of_a_moment_is_what_was_shown_at_that_moment(
    own_world: World,
) -> None:
    taken = [await _snapshot(own_world)]
    for wish in await _changes(own_world):
        await own_world.do("riverside", wish)
        taken.append(await _snapshot(own_world))
    # The last change takes back the one before it.
    assert differing(taken[-1].shown, taken[-3].shown) == {}
    assert len({str(snapshot.shown) for snapshot in taken}) == len(taken) - 1
    chart = await own_world.chart("rosa")
    for snapshot in taken:
        before = await own_world.head()
        data = await own_world.data("priya", THEN, chart=chart, at=snapshot.at.isoformat())
        assert differing(data["recordAsOf"], snapshot.shown) == {}
        (look,) = looks(await own_world.since(before))
        last = [e.position for e in await own_world.since(0) if e.committed_at <= snapshot.at][-1]
        assert look.at_position == last
        assert look.chart == own_world.seeded.charts["rosa"]
    newest = await own_world.data("priya", THEN, chart=chart)
    assert differing(newest["recordAsOf"], taken[-1].shown) == {}


async def test_the_very_moment_of_a_commit_already_shows_it(own_world: World) -> None:
    (wish, *_) = await _changes(own_world)
    receipt = await own_world.do("riverside", wish)
    (recorded,) = await own_world.trail("riverside").events([receipt.last or 0])
    chart = await own_world.chart("rosa")
    document = """query ($chart: ID!, $a: DateTime!, $b: DateTime!) {
      at: recordAsOf(chart: $chart, at: $a) { conditions { edges { node { code { text } } } } }
      before: recordAsOf(chart: $chart, at: $b) { conditions { edges { node { code { text } } } } }
    }"""
    moment = recorded.committed_at
    earlier = moment - timedelta(microseconds=1)
    before = await own_world.head()
    data = await own_world.data(
        "priya", document, chart=chart, a=moment.isoformat(), b=earlier.isoformat()
    )
    assert "Flu" in str(data["at"])
    assert "Flu" not in str(data["before"])
    found = {look.at_position for look in looks(await own_world.since(before))}
    assert found == {recorded.position, recorded.position - 1}


async def test_the_past_waits_for_a_trail_that_is_behind(own_world: World) -> None:
    chart, tenant = await own_world.chart("rosa"), "riverside"
    owner = await asyncpg.connect(own_world.house.settings.dsn)
    holding = owner.transaction()
    await holding.start()
    await owner.execute("SELECT 1 FROM checkpoint WHERE projection = 'audit' FOR UPDATE")
    at = datetime.now(UTC)
    wish = Request(command=_problem(own_world, 1, "Quinsy"), actor=seeding_actor(tenant), key="flu")
    await own_world.house.do(wish)
    then = asyncio.create_task(own_world.data("priya", THEN, chart=chart, at=at.isoformat()))
    now = asyncio.create_task(own_world.data("priya", THEN, chart=chart))
    answered, _ = await asyncio.wait({then, now}, timeout=0.3)
    assert not answered
    await holding.rollback()
    await owner.close()
    assert "Quinsy" not in str(await then)
    assert "Quinsy" in str(await now)


async def test_before_the_first_event_there_is_nothing(world: World) -> None:
    chart = await world.chart("rosa")
    data = await world.data("priya", THEN, chart=chart, at="2001-01-01T00:00:00Z")
    assert data["recordAsOf"]["patient"] is None
    panels = {name: value for name, value in data["recordAsOf"].items() if name != "patient"}
    assert set(panels) == set(PANELS) - {"patient"}
    assert [panel["edges"] for panel in panels.values()] == [[]] * len(panels)


async def _snapshot(world: World) -> Snapshot:
    shown = (await world.data("rosa", NOW))["record"]
    return Snapshot(datetime.now(UTC), shown)


def _problem(world: World, number: int, text: str) -> FileRecord:
    return FileRecord(
        chart=world.seeded.charts["rosa"],
        key=f"problem {number}",
        source=Source("urn:test", "Condition", str(number)),
        fact=Fact(condition=Condition(concept=Concept(text=text), onset=Moment("2026-01"))),
    )


async def _changes(world: World) -> list[Command[Any]]:
    """Facts filed and corrected, and access given and taken, one after the other."""
    chart = world.seeded.charts["rosa"]
    walter = (await world.data("walter", "{ me { person } }"))["me"]["person"]
    person = (await world.ids("walter")).reveal("person", walter)
    allergy = Fact(allergy=Allergy(concept=Concept(text="Nuts"), criticality="high"))
    return [
        _problem(world, 1, "Flu"),
        _problem(world, 1, "Influenza A"),
        FileRecord(chart=chart, key="nuts", source=Source("urn:test", "A", "1"), fact=allergy),
        ReceiveResult(chart=chart, key="report", report=_report("preliminary", "1.0")),
        ReceiveResult(chart=chart, key="report", report=_report("corrected", "2.0")),
        GrantProxyAccess(chart=chart, grantee=person, kind="helper", scopes=EVERYTHING),
        WithdrawProxyAccess(chart=chart, grantee=person),
    ]


def _report(status: str, value: str) -> Report:
    analyte = Analyte(concept=Concept(text="K"), status=status, quantity=Quantity(value=value))
    return Report(
        category="laboratory",
        concept=Concept(text="Potassium"),
        status=status,
        effective=Moment("2026-11-01"),
        observations=(analyte,),
    )
