"""Granting and withdrawing over HTTP: once per key, at the version seen, seen at a position."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx2
import pytest

from adapters.postgres.authority import AuthorityReader
from adapters.postgres.log import PostgresLog
from adapters.postgres.progress import Progress
from api.app import application
from api.auth.tokens import DEMO_ISSUER, TokenVerifier
from domain.audit import AccessRefused
from domain.consent import ProxyAccessGranted, ProxyAccessWithdrawn
from domain.kernel.event import Recorded
from projections.catalogue import PERMISSIONS
from schema.kernel.ids import NO_CHART
from tests.api.world import Json, World

pytestmark = pytest.mark.anyio
RESULT = """{ __typename
  ... on ProxyAccessChanged { position repeated }
  ... on Problem { code message path retryable }
  ... on StaleVersionProblem { currentVersion } }"""
GRANT = f"""mutation Grant($input: GrantProxyAccessInput!) {{
  grantProxyAccess(input: $input) {RESULT} }}"""
WITHDRAW = f"""mutation Withdraw($input: WithdrawProxyAccessInput!) {{
  withdrawProxyAccess(input: $input) {RESULT} }}"""
PROXIES = """query Proxies { record { proxies { edges { node {
  grantee kind scopes until version } } } } }"""


async def grant(world: World, person: str, **changes: object) -> Json:
    """The result of granting Walter access to Rosa's chart, with changes to that input."""
    given = await wish(world) | {"kind": "HELPER", "scopes": ["RECORDS"]} | changes
    result: Json = (await world.data(person, GRANT, input=given))["grantProxyAccess"]
    return result


async def withdraw(world: World, person: str, **changes: object) -> Json:
    given = await wish(world) | changes
    result: Json = (await world.data(person, WITHDRAW, input=given))["withdrawProxyAccess"]
    return result


async def wish(world: World) -> Json:
    walter = (await world.data("walter", "{ me { person } }"))["me"]["person"]
    return {"idempotencyKey": "key", "chart": await world.chart("rosa"), "grantee": walter}


async def proxies(world: World, position: str | None = None) -> list[Json]:
    """Who may act for Rosa, as she sees it."""
    answer = await world.ask("rosa", PROXIES, position=position)
    edges = answer.json()["data"]["record"]["proxies"]["edges"]
    return [edge["node"] for edge in edges]


def facts(events: list[Recorded]) -> list[object]:
    """The domain events among events."""
    return [
        event.event
        for event in events
        if isinstance(event.event, ProxyAccessGranted | ProxyAccessWithdrawn)
    ]


async def test_a_grant_answers_with_a_position_whose_query_shows_it(own_world: World) -> None:
    until = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
    before = await own_world.head()
    result = await grant(own_world, "rosa", scopes=["RESULTS", "RECORDS"], until=until.isoformat())
    assert result["__typename"] == "ProxyAccessChanged"
    assert result["repeated"] is False
    (shown,) = await proxies(own_world, result["position"])
    assert shown == {
        "grantee": (await wish(own_world))["grantee"],
        "kind": "HELPER",
        "scopes": ["RECORDS", "RESULTS"],
        "until": until.isoformat(),
        "version": 1,
    }
    (recorded,) = [e for e in await own_world.since(before) if facts([e])]
    stated = recorded.context
    assert (stated.basis, stated.purpose, stated.rule) == ("own-record", "PATRQT", "consent.grant")
    assert stated.session == "session-rosa"
    ended = await withdraw(own_world, "rosa")
    assert await proxies(own_world, ended["position"]) == []


async def test_the_same_key_is_answered_again_and_done_once(own_world: World) -> None:
    before = await own_world.head()
    first = await grant(own_world, "rosa")
    again = await asyncio.gather(*(grant(own_world, "rosa") for _ in range(4)))
    assert again == [{**first, "repeated": True}] * 4
    assert len(facts(await own_world.since(before))) == 1


async def test_many_at_once_under_one_key_are_one_grant(own_world: World) -> None:
    before = await own_world.head()
    results = await asyncio.gather(*(grant(own_world, "rosa") for _ in range(12)))
    assert [result["repeated"] for result in results].count(False) == 1
    assert len({result["position"] for result in results}) == 1
    assert len(facts(await own_world.since(before))) == 1


async def test_a_key_for_another_input_is_a_typed_problem(own_world: World) -> None:
    await grant(own_world, "rosa")
    before = await own_world.head()
    result = await grant(own_world, "rosa", scopes=["MESSAGING"])
    assert result["__typename"] == "KeyReusedProblem"
    assert (result["code"], result["path"]) == ("kernel.key_reused", ["idempotencyKey"])
    assert result["retryable"] is False
    assert facts(await own_world.since(before)) == []


async def test_the_key_of_one_person_is_free_for_another(own_world: World) -> None:
    await grant(own_world, "rosa")
    chart = await own_world.chart("omar")
    result = await grant(own_world, "omar", chart=chart)
    assert (result["__typename"], result["repeated"]) == ("ProxyAccessChanged", False)


async def test_a_stale_version_is_told_with_the_current_one(own_world: World) -> None:
    await grant(own_world, "rosa")
    before = await own_world.head()
    stale = await grant(
        own_world, "rosa", idempotencyKey="2", scopes=["RESULTS"], expectedVersion=7
    )
    assert stale["__typename"] == "StaleVersionProblem"
    assert (stale["currentVersion"], stale["path"]) == (1, ["expectedVersion"])
    assert facts(await own_world.since(before)) == []
    fresh = await grant(
        own_world, "rosa", idempotencyKey="3", scopes=["RESULTS"], expectedVersion=1
    )
    assert fresh["__typename"] == "ProxyAccessChanged"
    gone = await withdraw(own_world, "rosa", idempotencyKey="4", expectedVersion=1)
    assert gone["currentVersion"] == 2


async def test_an_end_in_the_past_is_a_problem_of_that_field(own_world: World) -> None:
    before = await own_world.head()
    result = await grant(own_world, "rosa", until="2020-01-01T00:00:00+00:00")
    assert result["__typename"] == "InputProblem"
    assert (result["code"], result["path"]) == ("consent.grant_ends_in_the_past", ["until"])
    assert facts(await own_world.since(before)) == []


@pytest.mark.parametrize("until", ["2030-01-01", "2030-01-01T00:00:00", "soon", "", 5])
async def test_an_end_without_a_zone_is_refused_before_anything_happens(
    world: World, until: object
) -> None:
    given = await wish(world) | {"kind": "HELPER", "scopes": ["RECORDS"], "until": until}
    before = await world.head()
    answer = await world.ask("rosa", GRANT, {"input": given})
    assert answer.status_code == 400, answer.text
    assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {
        "VARIABLE_INVALID"
    }
    assert await world.since(before) == []


async def test_a_wish_that_is_true_already_has_no_position(own_world: World) -> None:
    result = await withdraw(own_world, "rosa")
    assert (result["__typename"], result["position"]) == ("ProxyAccessChanged", None)


async def test_a_grantee_may_end_their_own_grant_and_nobody_elses(own_world: World) -> None:
    await grant(own_world, "rosa", scopes=["MESSAGING"])
    omar = (await own_world.data("omar", "{ me { person } }"))["me"]["person"]
    await grant(own_world, "rosa", grantee=omar, scopes=["RECORDS"], idempotencyKey="omar")
    others = await withdraw(own_world, "omar")
    assert others["__typename"] == "NotFoundProblem"
    assert len(await proxies(own_world)) == 2
    own = await withdraw(own_world, "walter")
    assert own["__typename"] == "ProxyAccessChanged"
    assert [one["grantee"] for one in await proxies(own_world, own["position"])] == [omar]


@pytest.mark.parametrize("person", ["omar", "sam", "priya", "adeyemi"])
async def test_a_stranger_finds_nothing_and_is_on_record_once(
    own_world: World, person: str
) -> None:
    before = await own_world.head()
    result = await grant(own_world, person)
    assert (result["__typename"], result["code"]) == ("NotFoundProblem", "kernel.not_found")
    (recorded,) = await own_world.since(before)
    assert recorded.event == AccessRefused(
        operation="consent.grant-proxy-access", chart=own_world.seeded.charts["rosa"]
    )
    assert recorded.context.actor == own_world.seeded.accounts[person]
    assert await proxies(own_world) == []


async def test_an_id_that_is_none_of_ours_is_not_found_and_on_record_once(world: World) -> None:
    before = await world.head()
    changes = ({"chart": "x"}, {"grantee": await world.chart("rosa")}, {"chart": ""})
    for turn, change in enumerate(changes):
        for act in (grant, withdraw):
            result = await act(world, "rosa", idempotencyKey=f"none {turn}", **change)
            assert result["__typename"] == "NotFoundProblem"
    assert [event.event for event in await world.since(before)] == [
        AccessRefused(operation=f"consent.{verb}-proxy-access", chart=NO_CHART)
        for _ in changes
        for verb in ("grant", "withdraw")
    ]


async def test_a_position_that_is_too_new_times_out_by_its_type(world: World) -> None:
    impatient = await _impatient(world)
    token = (await world.ids("rosa")).seal("position", str(await world.head() + 1_000_000))
    answer = await impatient.ask("rosa", PROXIES, position=token)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "POSITION_TIMEOUT"
    assert error["extensions"]["retryable"] is True
    assert "data" not in answer.json()


async def test_a_position_of_another_tenant_or_kind_is_refused(world: World) -> None:
    here, there = await world.ids("rosa"), await world.ids("noor")
    for token in (there.seal("position", "1"), here.seal("cursor", "1"), "1", ""):
        answer = await world.ask("rosa", PROXIES, position=token)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["code"] == "POSITION_INVALID"


async def test_a_change_that_the_log_does_not_take_is_refused_for_now(own_world: World) -> None:
    owner = await asyncpg.connect(own_world.house.settings.dsn)
    before = await own_world.head()
    given = {"input": await wish(own_world) | {"kind": "HELPER", "scopes": ["RECORDS"]}}
    await owner.execute("REVOKE EXECUTE ON FUNCTION log_append FROM anamnesis_api")
    answer = await own_world.ask("rosa", GRANT, given)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "AUDIT_UNAVAILABLE"
    assert error["extensions"]["retryable"] is True
    assert await own_world.since(before) == []
    await owner.execute("GRANT EXECUTE ON FUNCTION log_append TO anamnesis_api")
    await owner.close()
    assert (await grant(own_world, "rosa"))["repeated"] is False


@pytest.mark.parametrize("document", [GRANT, "{ record { patient { id } } }"])
async def test_permissions_that_lag_behind_time_out_by_their_type(
    own_world: World, document: str
) -> None:
    given = {"input": await wish(own_world) | {"kind": "HELPER", "scopes": ["RECORDS"]}}
    owner = await asyncpg.connect(own_world.house.settings.dsn)
    await owner.execute("UPDATE log_head SET access_position = position + 1000000")
    await owner.close()
    impatient = await _impatient(own_world)
    answer = await impatient.ask("rosa", document, given if document is GRANT else None)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "POSITION_TIMEOUT"


async def test_a_change_whose_read_models_lag_is_answered_by_type_and_done_once(
    own_world: World,
) -> None:
    lagging = await _impatient(own_world, lag=True)
    before = await own_world.head()
    given = {"input": await wish(own_world) | {"kind": "HELPER", "scopes": ["RECORDS"]}}
    answer = await lagging.ask("rosa", GRANT, given)
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["extensions"]["code"] == "POSITION_TIMEOUT"
    again = await grant(own_world, "rosa")
    assert again["repeated"] is True
    assert len(facts(await own_world.since(before))) == 1


class _Lagging(Progress):
    """Never hears of a position, as when no projector runs."""

    def _behind(self, *_asked: object) -> bool:
        return True


async def _impatient(world: World, *, lag: bool = False) -> World:
    """The same house, that waits a tenth of a second for positions."""
    kind = _Lagging if lag else Progress
    progress = kind(world.house.api, PERMISSIONS, seconds=0.1)
    authorities = AuthorityReader(world.house.api, progress)
    log = PostgresLog(world.house.api, world.house.writer, world.house.keys, authorities, progress)
    house = replace(world.house, progress=progress, authorities=authorities, log=log)
    issuer = world.issuer.issuer
    verifier = TokenVerifier({DEMO_ISSUER: issuer}, "anamnesis", profile="demo")
    app = application(house, verifier)
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app))
    return replace(world, house=house, client=client)


async def test_nothing_is_granted_in_a_chart_whose_key_was_destroyed(own_world: World) -> None:
    keys, chart = own_world.house.keys, own_world.seeded.charts["rosa"]
    key = await keys.compartment("riverside", chart, "clinical")
    await keys.destroy("riverside", key.id, NO_CHART, 1)
    before = await own_world.head()
    results = [await grant(own_world, "rosa") for _ in range(2)]
    assert [(r["__typename"], r["code"]) for r in results] == [
        ("NotFoundProblem", "kernel.record_erased")
    ] * 2
    assert facts(await own_world.since(before)) == []
