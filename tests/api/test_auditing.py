"""Every read is in the log before its answer: who, whose, which records, why; or no answer."""

import asyncio
from collections import Counter
from dataclasses import replace

import asyncpg
import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from domain.audit import AccessRefused, RecordsViewed
from domain.consent import GrantProxyAccess
from domain.kernel.event import Recorded
from tests.api.world import World, looks, refusals, revealed, shown_ids

pytestmark = pytest.mark.anyio
RULES = "registry.view records.view prescriptions.view results.view care.view"
PANELS = """{ patient { id } conditions { edges { node { id } } } allergies { edges { node { id } }
  } medications { edges { node { id } } } immunizations { edges { node { id } } }
  labReports(first: 7) { edges { node { id } } } observations { edges { node { id } } }
  visits { edges { node { id } } } }"""
RECORD = f"query Chart($chart: ID!) {{ record(chart: $chart) {PANELS} }}"
AS_OF = f"query AsOf($chart: ID!) {{ recordAsOf(chart: $chart) {PANELS} }}"
NAMES = (
    "registry.demographics", "records.conditions", "records.allergies",
    "prescriptions.medications", "records.immunizations", "results.reports",
    "records.observations", "care.visits",
)  # fmt: skip


@pytest.mark.parametrize(
    ("person", "patient", "document", "purpose", "basis", "rule"),
    [
        ("rosa", "rosa", RECORD, "PATRQT", "own-record", RULES),
        ("mei", "jun", RECORD, "PATRQT", "proxy-grant", RULES),
        ("adeyemi", "rosa", RECORD, "TREAT", "care-relationship", RULES),
        ("priya", "rosa", AS_OF, "HCOMPL", "role", "audit.view-past"),
        ("lindgren", "liam", RECORD, "TREAT", "care-relationship", RULES),
    ],
)
async def test_one_look_names_exactly_the_records_of_the_answer(
    world: World, person: str, patient: str, document: str, purpose: str, basis: str, rule: str
) -> None:
    tenant, account = world.people[person]
    before = await world.head(tenant)
    data = await world.data(person, document, chart=await world.chart(patient, person))
    (recorded,) = await world.since(before, tenant)
    look, stated = recorded.event, recorded.context
    assert isinstance(look, RecordsViewed)
    seen = revealed(await world.ids(person), shown_ids(data))
    assert Counter(look.records) == Counter(seen)
    assert look.count == len(seen) > 20
    assert look.chart == recorded.header.chart == world.seeded.charts[patient]
    assert Counter(look.panels) == Counter(NAMES)
    assert look.operation == ("AsOf" if document is AS_OF else "Chart")
    assert look.outcome == "success"
    assert look.at_position == (before if document is AS_OF else None)
    assert (stated.actor, stated.actor_kind) == (account, "account")
    assert (stated.purpose, stated.basis, stated.rule) == (purpose, basis, rule)
    assert stated.basis_reference
    assert stated.session == f"session-{person}"
    assert stated.client == "demo"
    assert stated.correlation


async def test_the_basis_names_the_very_grant_person_and_relationship(world: World) -> None:
    for person, patient, table, column in (
        ("rosa", "rosa", "registry_link", "person"),
        ("mei", "jun", "consent_grant", "stream"),
        ("adeyemi", "rosa", "care_relation", "reference"),
    ):
        before = await world.head()
        await world.data(person, RECORD, chart=await world.chart(patient, person))
        (recorded,) = await world.since(before)
        connection = await asyncpg.connect(world.house.settings.dsn)
        known = await connection.fetch(
            f"SELECT {column} FROM model.{table} WHERE chart = $1::uuid",
            world.seeded.charts[patient],
        )
        await connection.close()
        assert recorded.context.basis_reference in {str(row[column]) for row in known}


async def test_what_several_aliases_show_is_seen_once(world: World) -> None:
    document = """query Twice { record {
      a: conditions { edges { node { id } } } b: conditions { edges { node { id } } }
      c: labReports(first: 1) { edges { node { id } } } } }"""
    before = await world.head()
    data = await world.data("rosa", document)
    (look,) = looks(await world.since(before))
    seen = revealed(await world.ids("rosa"), shown_ids(data))
    assert Counter(seen).most_common(1)[0][1] == 2
    assert look.records == tuple(dict.fromkeys(seen))
    assert look.count == len(set(seen))
    assert Counter(look.panels) == Counter(("records.conditions", "results.reports"))


async def test_a_look_at_more_ids_than_an_event_holds_is_several_events_of_one_commit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.looks.MAX_RECORDS", 10)
    before = await world.head()
    data = await world.data(
        "rosa", "query Many { record { observations(first: 100) { edges { node { id } } } } }"
    )
    events = await world.since(before)
    seen = revealed(await world.ids("rosa"), shown_ids(data))
    assert len(seen) > 20
    assert [look.count for look in looks(events)][:-1] == [10] * ((len(seen) - 1) // 10)
    noted = [record for look in looks(events) for record in look.records]
    assert Counter(noted) == Counter(seen)
    assert len({event.header.command for event in events}) == 1


async def test_a_list_of_records_is_one_look_per_chart(world: World) -> None:
    document = "query Mine { me { records { edges { node { patient { id name } } } } } }"
    before = await world.head()
    data = await world.data("mei", document)
    found = {
        event.event.chart: (event.context.basis, event.event.records)
        for event in await world.since(before)
        if isinstance(event.event, RecordsViewed)
    }
    charts = world.seeded.charts
    assert found == {
        charts["mei"]: ("own-record", (charts["mei"],)),
        charts["jun"]: ("proxy-grant", (charts["jun"],)),
    }
    shown = [edge["node"]["patient"]["id"] for edge in data["me"]["records"]["edges"]]
    assert set(revealed(await world.ids("mei"), shown)) == set(found)


async def test_an_unnamed_operation_is_on_record_by_its_documents_hash(world: World) -> None:
    before = await world.head()
    await world.data("rosa", "{ record { patient { id } } }")
    (look,) = looks(await world.since(before))
    assert len(look.operation) == 64


async def test_an_operation_that_shows_no_record_leaves_no_trace(world: World) -> None:
    before = await world.head()
    await world.data("rosa", "{ me { id name roles } }")
    assert (await world.ask(None, "{ me { id } }")).status_code == 401
    assert (await world.ask("rosa", "{ nonsense }")).status_code == 400
    assert await world.since(before) == []


async def test_a_refused_record_appends_one_refusal_and_nothing_else(world: World) -> None:
    chart = await world.chart("omar")
    document = f"query Peek($chart: ID!) {{ a: record(chart: $chart) {PANELS} "
    document += f"b: record(chart: $chart) {PANELS} }}"
    before = await world.head()
    assert await world.data("rosa", document, chart=chart) == {"a": None, "b": None}
    (recorded,) = await world.since(before)
    assert recorded.event == AccessRefused(operation="Peek", chart=world.seeded.charts["omar"])
    assert (recorded.context.basis, recorded.context.rule) == ("none", "records.open")
    assert recorded.context.actor == world.seeded.accounts["rosa"]
    assert recorded.header.chart is None


async def test_refused_panels_append_one_refusal_beside_the_look(own_world: World) -> None:
    grantee = await own_world.newcomer("helper")
    wish = GrantProxyAccess(
        chart=own_world.seeded.charts["omar"], grantee=grantee, kind="helper", scopes=("records",)
    )
    await own_world.do("riverside", wish)
    before = await own_world.head()
    answer = await own_world.ask("helper", RECORD, {"chart": await own_world.chart("omar")})
    body = answer.json()
    assert body["data"]["record"]["medications"] is None
    assert body["data"]["record"]["labReports"] is None
    assert {tuple(error["path"]) for error in body["errors"]} == {
        ("record", "medications"),
        ("record", "labReports"),
    }
    assert {error["extensions"]["code"] for error in body["errors"]} == {"kernel.not_found"}
    events = await own_world.since(before)
    assert len(events) == 2
    refused = AccessRefused(operation="Chart", chart=own_world.seeded.charts["omar"])
    assert refusals(events) == [refused]
    (look,) = looks(events)
    seen = revealed(await own_world.ids("helper"), shown_ids(body["data"]))
    assert Counter(look.records) == Counter(seen)


async def test_two_charts_refused_at_once_are_two_refusals(world: World) -> None:
    document = """query Two($a: ID!, $b: ID!) {
      a: record(chart: $a) { patient { id } } b: record(chart: $b) { patient { id } } }"""
    before = await world.head()
    await world.data("rosa", document, a=await world.chart("omar"), b=await world.chart("jun"))
    found = {refusal.chart for refusal in refusals(await world.since(before))}
    assert found == {world.seeded.charts["omar"], world.seeded.charts["jun"]}


async def test_a_foreign_and_an_absent_record_give_the_same_answer_byte_by_byte(
    world: World,
) -> None:
    ids = await world.ids("rosa")
    foreign = await world.chart("omar")
    absent = ids.hide("chart", "00000000-0000-4000-8000-000000000001")
    end = """mutation End($chart: ID!, $grantee: ID!, $key: String!) { withdrawProxyAccess(
      input: {idempotencyKey: $key, chart: $chart, grantee: $grantee}) {
        __typename ... on Problem { code message path retryable } } }"""
    grantee = ids.hide("person", "00000000-0000-4000-8000-000000000002")
    for person in ("rosa", "sam", "priya", "laura"):
        answers = [await world.ask(person, RECORD, {"chart": one}) for one in (foreign, absent)]
        assert answers[0].content == answers[1].content
        assert answers[0].status_code == answers[1].status_code == 200
        assert answers[0].headers == answers[1].headers
        ended = [
            await world.ask(person, end, {"chart": one, "grantee": grantee, "key": one})
            for one in (foreign, absent)
        ]
        assert ended[0].content == ended[1].content
        assert ended[0].json()["data"]["withdrawProxyAccess"]["__typename"] == "NotFoundProblem"


async def test_without_the_commit_there_is_no_answer(own_world: World) -> None:
    chart = await own_world.chart("rosa")
    owner = await asyncpg.connect(own_world.house.settings.dsn)
    before = await own_world.head()
    await owner.execute("REVOKE EXECUTE ON FUNCTION log_append FROM anamnesis_api")
    for person, document in (("rosa", RECORD), ("priya", AS_OF), ("omar", RECORD)):
        answer = await own_world.ask(person, document, {"chart": chart})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        body = answer.json()
        assert set(body) == {"errors", "extensions"}
        assert set(body["extensions"]) == {"cost"}
        assert [e["extensions"]["code"] for e in body["errors"]] == ["AUDIT_UNAVAILABLE"]
        assert chart not in answer.text
    assert await own_world.since(before) == []
    await owner.execute("GRANT EXECUTE ON FUNCTION log_append TO anamnesis_api")
    await owner.close()
    assert (await own_world.data("rosa", RECORD, chart=chart))["record"] is not None
    assert len(looks(await own_world.since(before))) == 1


async def test_the_look_is_durable_before_the_first_byte_of_the_answer(world: World) -> None:
    before = await world.head()
    witnessed: list[tuple[str, list[Recorded]]] = []

    async def witness(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            witnessed.append((message["type"], await world.since(before)))
            await send(message)

        await world.app(scope, receive, sent)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=witness)) as client:
        watched = replace(world, client=client)
        data = await watched.data("rosa", RECORD, chart=await world.chart("rosa"))
    kind, events = witnessed[0]
    assert kind == "http.response.start"
    (look,) = looks(events)
    assert Counter(look.records) == Counter(revealed(await world.ids("rosa"), shown_ids(data)))


async def test_each_of_many_reads_at_once_has_its_own_look(world: World) -> None:
    before = await world.head()
    people = ["rosa", "omar", "jun", "mei", "walter", "grace"] * 5
    answers = await asyncio.gather(
        *(world.data(person, "query Own { record { patient { id } } }") for person in people)
    )
    found = Counter(look.records[0] for look in looks(await world.since(before)))
    assert found == Counter(world.seeded.charts[person] for person in people)
    assert len(answers) == len(people)


async def test_the_correlation_of_a_refusal_is_the_one_that_the_person_was_told(
    world: World,
) -> None:
    before = await world.head()
    chart = await world.chart("rosa")
    answer = await world.ask(
        "adeyemi",
        "query P($chart: ID!) { record(chart: $chart) { proxies { edges { cursor } } } }",
        {"chart": chart},
    )
    (error,) = answer.json()["errors"]
    (recorded,) = await world.since(before)
    assert recorded.context.correlation == error["extensions"]["correlationId"]
