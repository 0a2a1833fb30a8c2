"""Acts of the registry over HTTP: once per key, at the version seen, seen at a position (M0.1,
M0.3, M0.10, M14.2)."""

import asyncio
from dataclasses import replace
from typing import Any

import asyncpg
import httpx2
import pytest

from adapters.postgres.authority import AuthorityReader
from adapters.postgres.log import PostgresLog
from adapters.postgres.progress import Progress
from adapters.postgres.writer import Writer
from api.app import application
from api.auth.tokens import DEMO_ISSUER, TokenVerifier
from domain.audit import AccessRefused
from domain.directory import GiveRole, ListPractitioner, Practitioner
from domain.identity import OpenAccount
from domain.kernel.values import Name
from projections.catalogue import PERMISSIONS
from tests.api.desk import INPUTS, act, document, done, registry_facts
from tests.api.world import World

pytestmark = pytest.mark.anyio
OWN = "{ record { conditions(first: 100) { edges { node { id } } } } }"
GIVEN: dict[str, dict[str, str]] = {
    "linkCharts": {"chart": "rosa", "beside": "walter"},
    "mergeCharts": {"chart": "rosa", "into": "walter"},
    "undoLink": {"chart": "rosa"},
    "unmergeCharts": {"chart": "rosa"},
    "reviewMerge": {"chart": "rosa"},
    "correctDeath": {"chart": "rosa"},
    "reportDeath": {"chart": "rosa"},
    "dismissMatch": {"match": "match_x"},
}


async def second_keeper(world: World) -> None:
    """Another account with Nora's role, under the key `ned`."""
    listing = ListPractitioner(key="ned", practitioner=Practitioner(names=(Name("Ned"),)))
    ident = (await world.do("riverside", listing)).streams[0]
    await world.do("riverside", GiveRole(practitioner=ident, role="health-information"))
    account = OpenAccount(login="ned", display_name="Ned", practitioner=ident)
    world.people["ned"] = ("riverside", (await world.do("riverside", account)).streams[0])


async def test_a_stale_version_is_told_with_the_current_one_and_changes_nothing(
    own_world: World,
) -> None:
    before = await own_world.head()
    stale = await act(own_world, "nora", "reportDeath", chart="walter", expectedVersion=9)
    assert (stale["__typename"], stale["code"]) == ("StaleVersionProblem", "kernel.stale_version")
    assert (stale["currentVersion"], stale["path"]) == (1, ["expectedVersion"])
    assert registry_facts(await own_world.since(before)) == []
    await done(own_world, "reportDeath", chart="walter", expectedVersion=1)
    late = await act(own_world, "nora", "correctDeath", chart="walter", expectedVersion=1)
    assert late["currentVersion"] == 2
    await done(own_world, "correctDeath", chart="walter", expectedVersion=2)


async def test_one_of_two_at_the_same_version_wins_and_the_act_is_whole(own_world: World) -> None:
    before = await own_world.head()
    results = await asyncio.gather(
        act(own_world, "nora", "mergeCharts", chart="walter", into="rosa", expectedVersion=1),
        act(own_world, "nora", "mergeCharts", chart="walter", into="omar", expectedVersion=1),
    )
    kinds = sorted(result["__typename"] for result in results)
    assert kinds == ["RegistryChanged", "StaleVersionProblem"]
    assert next(r for r in results if "currentVersion" in r)["currentVersion"] == 2
    facts = [event for event in await own_world.since(before) if registry_facts([event])]
    assert registry_facts(facts) == [
        "registry.chart-merged",
        "registry.chart-absorbed",
        "registry.link-undone",
        "registry.chart-linked",
        "registry.match-confirmed",
    ]
    assert {event.header.command for event in facts} == {facts[0].header.command}
    assert [event.position - facts[0].position for event in facts] == [0, 1, 2, 3, 4]


async def test_a_query_at_the_position_of_an_act_shows_it(own_world: World) -> None:
    alone = await own_world.data("rosa", OWN)
    for turn in range(3):
        merged = await done(
            own_world, "mergeCharts", chart="walter", into="rosa", idempotencyKey=f"m{turn}"
        )
        shown = (await own_world.ask("rosa", OWN, position=merged["position"])).json()["data"]
        assert len(shown["record"]["conditions"]["edges"]) > len(
            alone["record"]["conditions"]["edges"]
        )
        undone = await done(own_world, "unmergeCharts", chart="walter", idempotencyKey=f"u{turn}")
        answer = await own_world.ask("rosa", OWN, position=undone["position"])
        assert answer.json()["data"] == alone


async def test_a_repeated_key_gives_the_first_outcome_of_every_kind(own_world: World) -> None:
    merge = {"chart": "walter", "into": "rosa", "idempotencyKey": "k1"}
    first = await done(own_world, "mergeCharts", **merge)
    refused = await act(own_world, "nora", "undoLink", chart="omar", idempotencyKey="k2")
    assert (refused["code"], refused["path"]) == ("registry.nothing_to_undo", ["chart"])
    nothing = await done(own_world, "reviewMerge", chart="omar", idempotencyKey="k3")
    assert (nothing["position"], nothing["repeated"]) == (None, False)
    await done(own_world, "unmergeCharts", chart="walter")
    before = await own_world.head()
    again = [await done(own_world, "mergeCharts", **merge) for _ in range(3)]
    assert again == [{**first, "repeated": True}] * 3
    assert await act(own_world, "nora", "undoLink", chart="omar", idempotencyKey="k2") == refused
    assert await done(own_world, "reviewMerge", chart="omar", idempotencyKey="k3") == {
        **nothing,
        "repeated": True,
    }
    assert registry_facts(await own_world.since(before)) == []


async def test_many_at_once_under_one_key_are_one_act(own_world: World) -> None:
    before = await own_world.head()
    results = await asyncio.gather(
        *(done(own_world, "mergeCharts", chart="walter", into="rosa") for _ in range(8))
    )
    assert [result["repeated"] for result in results].count(False) == 1
    assert len({result["position"] for result in results}) == 1
    assert registry_facts(await own_world.since(before)).count("registry.chart-merged") == 1


async def test_an_answer_lost_after_the_commit_is_given_again_and_nothing_is_done_twice(
    own_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await own_world.head()
    real, lost = Writer.append, []

    async def losing(self: Writer, command: Any) -> Any:
        answer = await real(self, command)
        if command.events and not lost:
            lost.append(answer)
            raise ConnectionError("the answer is lost after the commit")
        return answer

    monkeypatch.setattr(Writer, "append", losing)
    ids = await own_world.ids("nora")
    chart = ids.hide("chart", own_world.seeded.charts["walter"])
    wish = {"input": {"idempotencyKey": "crash", "chart": chart}}
    answer = await own_world.ask("nora", document("reportDeath"), wish)
    assert answer.json()["errors"], answer.text
    again = await act(own_world, "nora", "reportDeath", chart="walter", idempotencyKey="crash")
    assert (again["__typename"], again["repeated"]) == ("RegistryChanged", True)
    assert registry_facts(await own_world.since(before)) == ["registry.death-reported"]


async def test_another_input_under_the_same_key_is_a_typed_problem(own_world: World) -> None:
    await done(own_world, "mergeCharts", chart="walter", into="rosa", idempotencyKey="k")
    before = await own_world.head()
    for changed in ({"into": "omar"}, {"reason": "another"}, {"expectedVersion": 1}):
        given = {"chart": "walter", "into": "rosa", "idempotencyKey": "k", **changed}
        result = await act(own_world, "nora", "mergeCharts", **given)
        assert (result["__typename"], result["path"]) == ("KeyReusedProblem", ["idempotencyKey"])
    assert registry_facts(await own_world.since(before)) == []


async def test_another_person_never_gets_the_receipt_of_a_key(own_world: World) -> None:
    await second_keeper(own_world)
    first = await done(own_world, "reportDeath", chart="walter", idempotencyKey="k")
    other = await act(own_world, "ned", "reportDeath", chart="walter", idempotencyKey="k")
    assert (other["position"], other["repeated"]) == (None, False)
    stranger = await act(own_world, "rosa", "reportDeath", chart="walter", idempotencyKey="k")
    assert stranger["__typename"] == "NotFoundProblem"
    assert first["position"] is not None


@pytest.mark.parametrize(
    ("name", "given", "code", "path"),
    [
        ("mergeCharts", {"chart": "rosa", "into": "rosa"}, "registry.same_chart", ["chart"]),
        ("unmergeCharts", {"chart": "rosa"}, "registry.not_merged", ["chart"]),
        ("undoLink", {"chart": "rosa"}, "registry.nothing_to_undo", ["chart"]),
        ("reportDeath", {"chart": "rosa", "at": "x"}, "registry.death_time_unclear", ["at"]),
        ("reviewMerge", {"chart": "noor"}, "kernel.not_found", []),
        ("dismissMatch", {"match": "match_x"}, "kernel.not_found", []),
    ],
)
async def test_every_problem_has_code_message_path_and_retryable(
    world: World, name: str, given: dict[str, str], code: str, path: list[str]
) -> None:
    result = await act(world, "nora", name, **given)
    assert result["__typename"].endswith("Problem")
    assert (result["code"], result["path"], result["retryable"]) == (code, path, False)
    assert result["message"].endswith(".")


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("person", ["rosa", "walter", "adeyemi", "sam", "priya", "june"])
async def test_nobody_but_the_keepers_of_the_registry_acts(
    world: World, name: str, person: str
) -> None:
    before = await world.head()
    tenant = world.people[person][0]
    there = await world.head(tenant)
    given = {**GIVEN[name], "idempotencyKey": f"{person} {name}"}
    result = await act(world, person, name, **given)
    assert (result["__typename"], result["path"]) == ("NotFoundProblem", [])
    (refusal,) = await world.since(there, tenant)
    assert isinstance(refusal.event, AccessRefused)
    assert registry_facts(await world.since(before)) == []


async def test_waiting_for_a_position_is_bounded_by_a_typed_error(world: World) -> None:
    impatient = await _impatient(world)
    token = (await world.ids("nora")).seal("position", str(await world.head() + 1_000_000))
    answer = await impatient.ask("rosa", OWN, position=token)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    (error,) = answer.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["retryable"]) == (
        "POSITION_TIMEOUT",
        True,
    )
    assert "data" not in answer.json()


async def test_an_act_that_the_log_does_not_take_is_refused_for_now_and_can_be_repeated(
    own_world: World,
) -> None:
    owner = await asyncpg.connect(own_world.house.settings.dsn)
    before = await own_world.head()
    ids = await own_world.ids("nora")
    chart = ids.hide("chart", own_world.seeded.charts["walter"])
    wish = {"input": {"idempotencyKey": "k", "chart": chart}}
    await owner.execute("REVOKE EXECUTE ON FUNCTION log_append FROM anamnesis_api")
    answer = await own_world.ask("nora", document("reportDeath"), wish)
    await owner.execute("GRANT EXECUTE ON FUNCTION log_append TO anamnesis_api")
    await owner.close()
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["extensions"]["retryable"] is True
    assert await own_world.since(before) == []
    assert not (await done(own_world, "reportDeath", chart="walter", idempotencyKey="k"))[
        "repeated"
    ]


async def _impatient(world: World) -> World:
    """The same house, that waits a tenth of a second for positions."""
    progress = Progress(world.house.api, PERMISSIONS, seconds=0.1)
    authorities = AuthorityReader(world.house.api, progress)
    log = PostgresLog(world.house.api, world.house.writer, world.house.keys, authorities, progress)
    house = replace(world.house, progress=progress, authorities=authorities, log=log)
    verifier = TokenVerifier({DEMO_ISSUER: world.issuer.issuer}, "anamnesis", profile="demo")
    app = application(house, verifier)
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app))
    return replace(world, house=house, client=client)
