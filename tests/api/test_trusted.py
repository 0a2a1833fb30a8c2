"""Our own operations by their ids: executed, priced, kept by who asks again, or alone allowed."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

import schema
from api.app import application
from api.auth.tokens import DEMO_ISSUER, TokenVerifier
from api.trusted import trusted_documents
from tests.api.world import URL, Json, World, looks

pytestmark = pytest.mark.anyio
OPERATIONS = Path(schema.__file__).parent / "operations"
RESPONSE = "application/graphql-response+json"
PANELS = (
    "Allergies", "Conditions", "Immunizations", "LabReports", "Medications", "Observations",
    "Proxies", "Visits",
)  # fmt: skip


def text(name: str) -> str:
    return (OPERATIONS / f"{name}.graphql").read_text()


def ident(name: str) -> str:
    return f"sha256:{hashlib.sha256(text(name).encode()).hexdigest()}"


def panels(first: int) -> str:
    """One document that asks for every panel with all that our own pages show of it."""
    bodies = [text(name).partition("{\n")[2].rstrip().removesuffix("}") for name in PANELS]
    selected = "\n".join(bodies).replace("$first", str(first)).replace(", after: $after", "")
    return "query Panels {" + selected.replace("(chart: $chart)", "") + "}"


async def get(
    world: World, person: str, name: str, known: str | None = None, **variables: object
) -> httpx2.Response:
    headers = {"authorization": f"Bearer {world.token(person)}", "accept": RESPONSE}
    if known is not None:
        headers["if-none-match"] = known
    parameters = {"documentId": ident(name), "variables": json.dumps(variables)}
    return await world.client.get(URL, params=parameters, headers=headers)


def cost(answer: httpx2.Response) -> Json:
    told: Json = answer.json()["extensions"]["cost"]
    return told


def test_every_file_is_a_trusted_document_of_one_operation_of_its_name() -> None:
    files = sorted(OPERATIONS.glob("*.graphql"))
    assert {*PANELS, "Dashboard", "AuditTrail"} < {file.stem for file in files}
    assert {ident(file.stem) for file in files} == set(trusted_documents())
    for file in files:
        assert file.read_text().split("(")[0].split(" ")[1] == file.stem


@pytest.mark.parametrize("name", [*PANELS, "Dashboard"])
async def test_a_query_of_ours_is_answered_by_its_id(world: World, name: str) -> None:
    answer = await get(world, "rosa", name, first=3)
    assert answer.status_code == 200, answer.text
    assert "errors" not in answer.json()
    assert answer.json()["data"]["record"]
    assert 0 < cost(answer)["requested"] < cost(answer)["limit"]


async def test_the_audit_trail_of_ours_is_answered_to_an_officer(world: World) -> None:
    answer = await get(world, "priya", "AuditTrail", chart=await world.chart("rosa"))
    assert len(answer.json()["data"]["auditTrail"]["edges"]) > 1


async def test_a_grant_and_its_end_by_their_ids_and_never_by_get(own_world: World) -> None:
    world = own_world
    walter = (await world.data("walter", "{ me { person } }"))["me"]["person"]
    wish = {"idempotencyKey": "k", "chart": await world.chart("rosa"), "grantee": walter}
    grant = {**wish, "kind": "HELPER", "scopes": ["RECORDS"]}
    assert (await get(world, "rosa", "GrantProxyAccess", input=grant)).status_code == 405
    headers = {"authorization": f"Bearer {world.token('rosa')}"}
    for name, given in (("GrantProxyAccess", grant), ("WithdrawProxyAccess", wish)):
        body = {"documentId": ident(name), "variables": {"input": given}}
        answer = (await world.client.post(URL, json=body, headers=headers)).json()["data"]
        (result,) = answer.values()
        assert (result["__typename"], result["repeated"]) == ("ProxyAccessChanged", False)


async def test_a_known_answer_is_304_and_the_look_is_on_record_all_the_same(
    own_world: World,
) -> None:
    first = await get(own_world, "rosa", "Conditions")
    before = await own_world.head()
    again = await get(own_world, "rosa", "Conditions", first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    (look,) = looks(await own_world.since(before))
    shown = [edge["node"]["id"] for edge in first.json()["data"]["record"]["conditions"]["edges"]]
    assert len(look.records) == len(shown) > 0


async def test_the_same_data_has_another_tag_before_another_account(world: World) -> None:
    tags = set()
    for person in ("rosa", "omar"):
        headers = {"authorization": f"Bearer {world.token(person)}"}
        body = {"query": "{ __typename }"}
        tags.add((await world.client.post(URL, json=body, headers=headers)).headers["etag"])
    assert len(tags) == 2


async def test_every_panel_with_50_entries_passes_and_with_100_does_not(world: World) -> None:
    passed = await world.ask("rosa", panels(50))
    assert passed.status_code == 200, passed.text
    assert "errors" not in passed.json()
    refused = await world.ask("rosa", panels(100))
    assert refused.status_code == 400
    error = refused.json()["errors"][0]
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert str(cost(refused)["requested"]) in error["message"]
    assert str(cost(refused)["limit"]) in error["message"]


async def test_the_cost_of_the_limit_passes_and_one_entry_more_does_not(world: World) -> None:
    selected = text("LabReports").partition("{\n")[2].rstrip().removesuffix("}")
    record = selected.replace("(chart: $chart)", "").replace("after: $after", "")
    document = "query Twice($first: Int!) {" + record.replace("record", "a: record", 1)
    document += record.replace("record", "b: record", 1) + "}"
    one, two = [
        cost(await world.ask("rosa", document, {"first": first}))["requested"] for first in (1, 2)
    ]
    limit = cost(await world.ask("rosa", document, {"first": 1}))["limit"]
    most = (limit - one) // (two - one) + 1
    under = await world.ask("rosa", document, {"first": most})
    over = await world.ask("rosa", document, {"first": most + 1})
    assert (under.status_code, over.status_code) == (200, 400), most
    assert cost(under)["requested"] <= limit < cost(over)["requested"]


@pytest.fixture
async def trusting(world: World) -> AsyncIterator[World]:
    """The same house behind an API that executes trusted documents only."""
    house = replace(world.house, settings=replace(world.house.settings, trusted_only=True))
    verifier = TokenVerifier({DEMO_ISSUER: world.issuer.issuer}, "anamnesis", profile="demo")
    transport = httpx2.ASGITransport(app=application(house, verifier))
    async with httpx2.AsyncClient(transport=transport) as client:
        yield replace(world, client=client)


async def test_with_trusted_documents_only_no_other_is_executed(trusting: World) -> None:
    assert (await get(trusting, "rosa", "Conditions")).status_code == 200
    for document in (text("Conditions"), "{ me { name } }"):
        refused = await trusting.ask("rosa", document)
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["extensions"]["code"] == "TRUSTED_ONLY"
