"""Merged, linked, dead, on leave: whose record opens to whom, through both walls."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from api.matching import match, matching_actor
from domain.audit import AccessRefused, ListViewed
from domain.consent import GrantProxyAccess
from domain.directory import GiveRole
from domain.identity import OpenAccount
from domain.kernel.command import Reserved
from domain.kernel.context import Basis
from domain.kernel.rule import Asking, Permit, Rule
from domain.kernel.values import Identifier
from domain.registry import Demographics, ReportPatient
from projections.registry import MATCH
from tests.api.desk import act, done, whole_record
from tests.api.personas import clinician
from tests.api.world import Json, World, looks, shown_ids

pytestmark = pytest.mark.anyio
MINE = "{ me { records { edges { node { chart relationship } } } } }"
MATCHES = """query ($first: Int! = 20, $after: String) { matches(first: $first, after: $after) {
  pageInfo { hasNextPage endCursor } edges { node { id version score evidence
    charts { chart version patient { name medicalRecordNumber } } } } } }"""
PEEK = "query ($chart: ID!) { record(chart: $chart) { patient { name } } }"


async def proxy(world: World, key: str, patient: str, kind: str = "helper") -> None:
    """Somebody new who may read the records of a patient."""
    person = await world.newcomer(key)
    chart = world.seeded.charts[patient]
    grant = GrantProxyAccess(chart=chart, grantee=person, kind=kind, scopes=("records",))
    await world.do("riverside", grant)


async def opens(world: World, person: str, patient: str) -> bool:
    """Whether a patient's record opens to somebody."""
    chart = await world.chart(patient, seen_by=person)
    return (await world.data(person, PEEK, chart=chart))["record"] is not None


async def both_walls(world: World, person: str, patient: str) -> bool:
    """Whether it opens, which the database says as well with every rule saying yes."""

    def yes(_rule: Rule, _asking: Asking) -> Permit:
        return Permit(Basis("system"))

    first = await opens(world, person, patient)
    chart = await world.chart(patient, seen_by=person)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "permit", yes)
        answer = await world.data(person, PEEK, chart=chart)
    assert (answer["record"]["patient"] is not None) is first
    return first


async def test_after_a_merge_the_patient_reads_both_charts_as_one(own_world: World) -> None:
    rosa = await whole_record(own_world, "rosa")
    walter = await whole_record(own_world, "walter")
    assert rosa is not None
    assert walter is not None
    await done(own_world, "mergeCharts", chart="walter", into="rosa")
    both = await whole_record(own_world, "rosa")
    assert both is not None
    for panel, rows in both.items():
        assert sorted(rows) == sorted(rosa[panel] + walter[panel]), panel
        assert len(rows) == len(set(rows))
    chart = await own_world.chart("walter", seen_by="rosa")
    assert await whole_record(own_world, "rosa", chart) == both
    name = (await own_world.data("rosa", PEEK, chart=chart))["record"]["patient"]["name"]
    assert "Delgado" in name
    listed = (await own_world.data("rosa", MINE))["me"]["records"]["edges"]
    assert [e["node"]["chart"] for e in listed] == [await own_world.chart("rosa")]
    assert await whole_record(own_world, "walter") is None


async def test_what_is_read_of_a_merged_record_is_on_record_chart_by_chart(
    own_world: World,
) -> None:
    await done(own_world, "mergeCharts", chart="walter", into="rosa")
    before = await own_world.head()
    await own_world.data("rosa", "{ record { conditions { edges { node { id } } } } }")
    seen = {look.chart: look.count for look in looks(await own_world.since(before))}
    assert set(seen) == {own_world.seeded.charts[key] for key in ("rosa", "walter")}
    assert all(seen.values())


async def test_the_past_shows_a_merge_only_while_it_was_in_force(own_world: World) -> None:
    at = (
        "query ($c: ID!, $at: DateTime) { recordAsOf(chart: $c, at: $at) { conditions(first: 100) {"
    )
    past = f"{at} edges {{ node {{ id }} }} }} }} }}"

    async def seen(patient: str, moment: str | None = None) -> list[str]:
        chart = await own_world.chart(patient, seen_by="priya")
        answer = await own_world.data("priya", past, c=chart, at=moment)
        return sorted(shown_ids(answer))

    rosa, walter = await seen("rosa"), await seen("walter")
    apart = datetime.now(UTC).isoformat()
    await done(own_world, "mergeCharts", chart="walter", into="rosa")
    before = await own_world.head()
    assert await seen("rosa") == await seen("walter") == sorted(rosa + walter)
    charts = {own_world.seeded.charts[key] for key in ("rosa", "walter")}
    assert {look.chart for look in looks(await own_world.since(before))} == charts
    merged = datetime.now(UTC).isoformat()
    await done(own_world, "unmergeCharts", chart="walter")
    assert (await seen("rosa"), await seen("walter")) == (rosa, walter)
    assert (await seen("rosa", apart), await seen("walter", apart)) == (rosa, walter)
    assert await seen("rosa", merged) == sorted(rosa + walter)


async def test_grants_wait_for_review_and_never_unite(own_world: World) -> None:
    await proxy(own_world, "friend", "rosa")
    await proxy(own_world, "neighbour", "walter")
    assert await both_walls(own_world, "friend", "rosa")
    assert await both_walls(own_world, "neighbour", "walter")
    apart = {
        who: await whole_record(own_world, who, await own_world.chart(patient, seen_by=who))
        for who, patient in (("friend", "rosa"), ("neighbour", "walter"))
    }
    await done(own_world, "mergeCharts", chart="walter", into="rosa")
    for who in ("friend", "neighbour"):
        for patient in ("rosa", "walter"):
            assert not await both_walls(own_world, who, patient)
    await done(own_world, "reviewMerge", chart="rosa")
    assert await both_walls(own_world, "friend", "rosa")
    assert not await both_walls(own_world, "neighbour", "walter")
    await done(own_world, "reviewMerge", chart="walter")
    for who, patient in (("friend", "rosa"), ("neighbour", "walter")):
        for asked in ("rosa", "walter"):
            chart = await own_world.chart(asked, seen_by=who)
            assert await whole_record(own_world, who, chart) == apart[who], (who, patient)


async def test_a_merge_takes_effect_with_the_next_request(own_world: World) -> None:
    await proxy(own_world, "friend", "walter")
    assert await opens(own_world, "friend", "walter")
    assert await opens(own_world, "walter", "walter")
    await done(own_world, "mergeCharts", chart="walter", into="rosa")
    assert not await opens(own_world, "friend", "walter")
    assert not await opens(own_world, "walter", "walter")
    await done(own_world, "unmergeCharts", chart="walter")
    assert await opens(own_world, "walter", "walter")
    assert not await opens(own_world, "rosa", "walter")
    assert not await opens(own_world, "friend", "walter")
    await done(own_world, "reviewMerge", chart="walter")
    assert await opens(own_world, "friend", "walter")


async def test_whoever_treats_a_patient_of_a_merge_treats_both_charts(own_world: World) -> None:
    await clinician(own_world, "nurse")
    assert await both_walls(own_world, "nurse", "rosa")
    assert not await both_walls(own_world, "nurse", "walter")
    for chart, into in (("walter", "rosa"), ("rosa", "walter")):
        await done(own_world, "mergeCharts", chart=chart, into=into)
        assert await both_walls(own_world, "nurse", "walter")
        assert not await both_walls(own_world, "nurse", "omar")
        await done(own_world, "unmergeCharts", chart=chart)
        assert not await both_walls(own_world, "nurse", "walter")


async def test_a_link_opens_the_chart_to_the_person_and_undoing_it_closes_it(
    own_world: World,
) -> None:
    await done(own_world, "linkCharts", chart="walter", beside="rosa")
    assert await both_walls(own_world, "rosa", "walter")
    assert not await both_walls(own_world, "walter", "walter")
    listed = (await own_world.data("rosa", MINE))["me"]["records"]["edges"]
    assert {edge["node"]["chart"] for edge in listed} == {
        await own_world.chart("rosa"),
        await own_world.chart("walter", seen_by="rosa"),
    }
    await done(own_world, "undoLink", chart="walter")
    assert not await both_walls(own_world, "rosa", "walter")
    assert await both_walls(own_world, "walter", "walter")


async def test_at_death_helpers_end_and_the_legal_representative_stays(own_world: World) -> None:
    for kind in ("helper", "caregiver", "parent", "legal-representative"):
        await proxy(own_world, kind, "walter", kind)
    await done(own_world, "reportDeath", chart="walter", at="2026-03-14")
    for kind in ("helper", "caregiver", "parent"):
        assert not await both_walls(own_world, kind, "walter")
    assert await both_walls(own_world, "legal-representative", "walter")
    await done(own_world, "correctDeath", chart="walter")
    for kind in ("helper", "caregiver", "parent", "legal-representative"):
        assert await both_walls(own_world, kind, "walter")


async def test_a_death_in_one_chart_counts_for_every_chart_of_the_person(own_world: World) -> None:
    await proxy(own_world, "friend", "walter")
    await done(own_world, "linkCharts", chart="walter", beside="rosa")
    assert await both_walls(own_world, "friend", "walter")
    await done(own_world, "reportDeath", chart="rosa")
    assert not await both_walls(own_world, "friend", "walter")


async def test_a_role_is_held_within_its_period_only(own_world: World) -> None:
    practitioner = await clinician(own_world, "nurse")
    now = datetime.now(UTC)
    for since, until, open_now in (
        (None, now + timedelta(hours=1), True),
        (now + timedelta(minutes=30), now + timedelta(hours=1), False),
        (now - timedelta(hours=1), None, True),
    ):
        period = GiveRole(practitioner=practitioner, role="clinician", since=since, until=until)
        await own_world.do("riverside", period)
        assert await both_walls(own_world, "nurse", "rosa") is open_now
    owner = await asyncpg.connect(own_world.house.settings.dsn)
    await owner.execute("UPDATE model.directory_role SET until = now()")
    await owner.close()
    assert not await both_walls(own_world, "nurse", "rosa")


async def newborn(world: World, number: str, patient: str, **more: object) -> str:
    """A second chart that another authority opened for a story patient; returns the chart."""
    known = await demographics(world, patient)
    wish = ReportPatient(
        identifier=Identifier("urn:other", number),
        demographics=Demographics(
            names=known.names, birth_date=known.birth_date, gender=known.gender, **more
        ),
    )
    return (await world.do("riverside", wish)).streams[0]


async def demographics(world: World, patient: str) -> Demographics:
    """What the story's authority says of a patient."""
    events = [
        event.event
        for event in await world.since(0)
        if event.header.stream == world.seeded.charts[patient]
    ]
    return next(e.demographics for e in events if hasattr(e, "demographics"))


async def matches(world: World, person: str = "nora") -> list[Json]:
    """The open proposals."""
    connection = (await world.data(person, MATCHES))["matches"]
    return [edge["node"] for edge in connection["edges"]]


async def test_matching_proposes_and_a_person_decides(own_world: World) -> None:
    other = await newborn(own_world, "1", "walter", telecoms=("413-555-0100",))
    own_world.seeded.charts["second"] = other
    who = matching_actor("riverside")
    report = await match(own_world.house, "riverside", None, who)
    assert (report.proposed, report.linked) == (1, 0)
    again = await match(own_world.house, "riverside", [other], who)
    assert (again.proposed, again.linked) == (0, 0)
    (found,) = await matches(own_world)
    assert {"+family", "+given", "+birth-date"} <= set(found["evidence"])
    assert found["score"] > 12
    assert [side["version"] for side in found["charts"]] == [1, 1]
    assert {side["patient"]["medicalRecordNumber"] for side in found["charts"]} > {"1"}
    stale = await act(own_world, "nora", "dismissMatch", match=found["id"], expectedVersion=7)
    assert stale["currentVersion"] == found["version"]
    await done(own_world, "linkCharts", chart="second", beside="walter")
    assert await matches(own_world) == []
    decided = await act(own_world, "nora", "dismissMatch", match=found["id"])
    assert (decided["code"], decided["path"]) == ("registry.match_decided", ["match"])


async def test_a_dismissed_pair_is_not_proposed_again(own_world: World) -> None:
    await newborn(own_world, "1", "walter")
    who = matching_actor("riverside")
    await match(own_world.house, "riverside", None, who)
    (found,) = await matches(own_world)
    await done(own_world, "dismissMatch", match=found["id"], expectedVersion=found["version"])
    assert await matches(own_world) == []
    assert (await match(own_world.house, "riverside", None, who)).proposed == 0


PASSPORT = (Identifier("urn:passports", "X1234567", "PPN"),)


async def test_a_strong_identifier_links_once_and_never_against_a_person(
    own_world: World,
) -> None:
    who = matching_actor("riverside")
    await newborn(own_world, "1", "walter", identifiers=PASSPORT)
    second = await newborn(own_world, "2", "walter", identifiers=PASSPORT)
    own_world.seeded.charts["second"] = second
    assert (await match(own_world.house, "riverside", [second], who)).linked == 1
    assert (await match(own_world.house, "riverside", [second], who)).linked == 0
    await done(own_world, "undoLink", chart="second")
    assert (await match(own_world.house, "riverside", None, who)).linked == 0


@pytest.mark.parametrize("signed_in", ["1", "2"])
async def test_the_chart_of_whoever_signs_in_stays_with_them(
    own_world: World, signed_in: str
) -> None:
    for number in ("1", "2"):
        await newborn(own_world, number, "walter", identifiers=PASSPORT)
    found = Reserved("registry.person-of-chart", f"urn:other|{signed_in}")
    person = await own_world.house.log.find("riverside", found)
    account = OpenAccount(login="new", display_name="New", person=person)
    own_world.people["new"] = ("riverside", (await own_world.do("riverside", account)).streams[0])
    report = await match(own_world.house, "riverside", None, matching_actor("riverside"))
    assert report.linked == 1
    assert len((await own_world.data("new", MINE))["me"]["records"]["edges"]) == 2


async def test_two_who_both_sign_in_are_proposed_and_not_linked(own_world: World) -> None:
    for number in ("1", "2"):
        await newborn(own_world, number, "walter", identifiers=PASSPORT)
        found = Reserved("registry.person-of-chart", f"urn:other|{number}")
        person = await own_world.house.log.find("riverside", found)
        await own_world.do(
            "riverside", OpenAccount(login=number, display_name=number, person=person)
        )
    report = await match(own_world.house, "riverside", None, matching_actor("riverside"))
    assert report.linked == 0
    assert "+identifier" in {name for one in await matches(own_world) for name in one["evidence"]}


async def test_looking_at_proposals_is_on_record_with_both_charts(own_world: World) -> None:
    other = await newborn(own_world, "1", "walter")
    await match(own_world.house, "riverside", None, matching_actor("riverside"))
    before = await own_world.head()
    await matches(own_world)
    since = await own_world.since(before)
    [proposals] = looks(since)
    [listed] = [one.event for one in since if isinstance(one.event, ListViewed)]
    assert proposals.chart is None
    assert {seen.chart for seen in listed.entries} == {other, own_world.seeded.charts["walter"]}
    assert {proposals.operation, listed.operation} != {""}


@pytest.mark.parametrize("person", ["rosa", "adeyemi", "sam", "priya", "noor"])
async def test_proposals_are_for_the_keepers_of_the_registry_alone(
    own_world: World, monkeypatch: pytest.MonkeyPatch, person: str
) -> None:
    await newborn(own_world, "1", "walter")
    await match(own_world.house, "riverside", None, matching_actor("riverside"))
    tenant = own_world.people[person][0]
    before = await own_world.head(tenant)
    answer = (await own_world.ask(person, MATCHES)).json()
    assert answer["data"]["matches"] is None
    assert [type(e.event) for e in await own_world.since(before, tenant)] == [AccessRefused]

    def yes(_rule: Rule, _asking: Asking) -> Permit:
        return Permit(Basis("system"))

    monkeypatch.setattr(Rule, "permit", yes)
    assert await matches(own_world, person) == []


async def test_the_keepers_see_no_clinical_panel_and_no_chart_without_a_proposal(
    own_world: World,
) -> None:
    await newborn(own_world, "1", "walter")
    await match(own_world.house, "riverside", None, matching_actor("riverside"))
    for patient in ("walter", "rosa"):
        assert not await opens(own_world, "nora", patient)
    owner = await asyncpg.connect(own_world.house.settings.dsn)
    stored = await owner.fetchval(f"SELECT string_agg(m::text, '') FROM model.{MATCH.name} m")
    await owner.close()
    assert "birth-date" not in stored
