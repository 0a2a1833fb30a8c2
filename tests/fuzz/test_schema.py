"""Fuzzing over HTTP: no 5xx, no bug, no hang, no stack trace, no canary where it must not be."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from api.app import application
from api.auth.tokens import DEMO_ISSUER, TokenVerifier
from api.graphql import GraphQLEndpoint
from api.graphql.registry import Operation
from api.graphql.request import GraphQLRequest
from api.house import open_house, projecting
from api.metrics import Metrics, metrics_application
from api.serving import listen, serving
from demo.people import PEOPLE
from tests.api.world import PATIENT, Seedbed, World, inhabited, planted
from tests.fuzz.canaries import MARK, SENT, Heard, listening, plant
from tests.fuzz.cases import SENT_KEYS, Case, Seeds, cases, operations, schema_of

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
CASES = [2_000, pytest.param(50_000, marks=pytest.mark.soak)]
SEED = int(os.environ.get("ANAMNESIS_SEED", "20261122"))
HANG_S = 1.0
AT_ONCE = 4
BATCH = 500
EVERYBODY: tuple[str | None, ...] = (None, "canary", *(person.key for person in PEOPLE))
MAY_SEE_THE_CANARY = {"canary", "priya"}
EVERY_QUERY = {
    "me", "record", "recordAsOf", "history", "reachedBy", "worklist", "matches", "setAside",
    "auditTrail",
}  # fmt: skip
PANELS = "conditions allergies medications immunizations labReports observations visits proxies"


@dataclass(slots=True, kw_only=True)
class Served:
    """The world on a socket, and what it says of itself."""

    world: World
    url: str
    metrics: str
    heard: Heard


@dataclass(slots=True)
class Findings:
    """What was sent and what was wrong."""

    sent: int = 0
    marked: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    people: Counter[str | None] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    """Root fields that answered with something, and MARK for answers that hold a canary."""
    slow: list[Case] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@asynccontextmanager
async def served(bed: Seedbed, folder: Path) -> AsyncIterator[Served]:
    """The house of the story people and of the canary, in the development profile."""
    with planted(bed, folder) as place, listening() as heard:
        async with (
            open_house(place) as house,
            projecting(house),
            inhabited(house, bed.seeded, folder) as world,
        ):
            await plant(world)
            metrics = Metrics()
            verifier = TokenVerifier(
                {DEMO_ISSUER: world.issuer.issuer}, "anamnesis", profile="demo"
            )
            app = application(house, verifier, development=True, metrics=metrics, limits=PATIENT)
            page = metrics_application(metrics, house)
            async with serving(app, listen(0)) as url, serving(page, listen(0)) as scraped:
                yield Served(
                    world=world, url=f"{url}/graphql", metrics=f"{scraped}/metrics", heard=heard
                )


async def seeds(world: World) -> Seeds:
    """Ids, cursors and positions of several people, and some that are nobody's."""
    ids = await world.ids("rosa")
    people = ("rosa", "omar", "jun", "canary", "noor")
    charts = [await world.chart(key, "rosa") for key in people]
    persons, cursors, entries = [], [], []
    pages = " ".join(f"{panel}(first: 1) {{ edges {{ cursor }} }}" for panel in PANELS.split())
    for key in ("rosa", "mei", "noor", "canary"):
        told = await world.data(key, f"{{ me {{ person }} record {{ {pages} }} }}")
        persons.append(told["me"]["person"])
        found = (connection["edges"] for connection in told["record"].values())
        cursors += [edge["cursor"] for edges in found for edge in edges]
        entries.append(await entry(world, key))
    accounts = [ids.hide("account", world.people[key][1]) for key in ("rosa", "adeyemi")]
    strange = ["", SENT, "chart_", "chart_" + "A" * 22, f"chart_{SENT}"]
    trail = await world.data("priya", "{ auditTrail(first: 3) { edges { cursor } } }")
    cursors += [edge["cursor"] for edge in trail["auditTrail"]["edges"]]
    values = {
        "chart": charts + strange,
        "grantee": [*persons, ids.hide("person", world.seeded.charts["rosa"]), *strange],
        "actor": [*accounts, "demo", *strange],
        "after": [*cursors, *strange],
        "idempotencyKey": SENT_KEYS,
        "code": ["4548-4", "718-7", SENT],
        **{name: [*entries, *strange] for name in ("record", "match", "id")},
        **dict.fromkeys(("beside", "into", "refileTo"), charts + strange),
    }
    position = ids.position_token(1)
    positions = [position, ids.position_token(await world.head()), SENT]
    return Seeds(values=values, positions=positions, charts=await openable(world))


async def entry(world: World, key: str) -> str:
    """The id of a problem of somebody's own record."""
    document = "{ record { conditions(first: 1) { edges { node { id } } } } }"
    told = await world.data(key, document)
    return str(told["record"]["conditions"]["edges"][0]["node"]["id"])


async def openable(world: World) -> dict[str | None, list[str]]:
    """The charts that each person may open; those of the trail for compliance."""
    document = "{ me { records { edges { node { chart } } } } }"
    found: dict[str | None, list[str]] = {}
    for person in EVERYBODY:
        if person is not None:
            told = (await world.ask(person, document)).json()
            edges = ((told.get("data") or {}).get("me") or {}).get("records", {}).get("edges", [])
            found[person] = [edge["node"]["chart"] for edge in edges]
    found["priya"] = [await world.chart("canary", "priya"), await world.chart("rosa", "priya")]
    return found


async def plain_cases(world: World) -> list[Case]:
    """What everybody asks who may: each root field is answered at least once."""
    chart, record = await world.chart("canary", "priya"), await entry(world, "canary")
    facts = "conditions { edges { node { id code { text } } } } patient { name }"
    asked = {
        "canary": f'me {{ name }} record {{ {facts} }} history(record: "{record}") '
        "{ edges { node { what changes { after } } } }",
        "priya": f'recordAsOf(chart: "{chart}") {{ {facts} }} reachedBy(record: "{record}") '
        "{ accounts } auditTrail(first: 5) { edges { node { type } } }",
        "adeyemi": "worklist(first: 5) { edges { node { patient { name } } } }",
        "nora": "matches { edges { cursor } } setAside { edges { cursor } }",
    }
    everybody = [Case(person=who, document="{ me { name } }", position=None) for who in EVERYBODY]
    return everybody + [
        Case(person=who, document=f"{{ {document} }}", position=None)
        for who, document in asked.items()
    ]


async def send(client: httpx2.AsyncClient, here: Served, case: Case) -> httpx2.Response:
    """The answer to a case."""
    person = case.person
    headers = {} if person is None else {"authorization": f"Bearer {here.world.token(person)}"}
    body: dict[str, Any] = {"query": case.document}
    if case.position is not None:
        body["extensions"] = {"position": case.position}
    return await client.post(here.url, json=body, headers=headers)


def faults(case: Case, answer: httpx2.Response) -> list[str]:
    """What is wrong with an answer."""
    text, wrong = answer.text, []
    if answer.status_code >= 500:
        wrong.append(f"{answer.status_code}")
    told = answer.json()
    errors = told.get("errors", [])
    if any(error["extensions"]["code"] == "INTERNAL" for error in errors):
        wrong.append("a masked bug")
    if "Traceback" in text or 'File "' in text:
        wrong.append("a stack trace")
    if MARK in str(errors) or MARK in str(answer.headers):
        wrong.append("a canary in an error")
    if case.person not in MAY_SEE_THE_CANARY and MARK in text:
        wrong.append("a canary in an answer")
    return wrong


async def fuzzed(here: Served, count: int) -> Findings:
    """Send so many cases, evenly over root fields and modes, a few at once."""
    sown, found = await seeds(here.world), Findings()
    schema = await asyncio.to_thread(schema_of, here.url, here.world.token("rosa"))
    kinds = list(operations(schema))
    async with httpx2.AsyncClient(timeout=30) as client:
        await _send_all(client, here, iter(await plain_cases(here.world)), found)
        for operation, mode in kinds:
            strategy = cases(operation, mode, EVERYBODY, sown)
            left = -(-count // len(kinds))
            while left > 0:
                batch = await asyncio.to_thread(drawn, strategy, min(left, BATCH), SEED + left)
                left -= BATCH
                waiting = iter(batch)
                lines = (_send_all(client, here, waiting, found) for _ in range(AT_ONCE))
                await asyncio.gather(*lines)
        hung = [case for case in found.slow if await hangs(client, here, case)]
    found.wrong += [f"a hang: {case}" for case in hung]
    return found


def drawn(strategy: SearchStrategy[Case], count: int, number: int) -> list[Case]:
    """So many cases; the same ones for the same number."""
    kept: list[Case] = []

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def keep(case: Case) -> None:
        kept.append(case)

    keep()
    return kept


async def _send_all(
    client: httpx2.AsyncClient, here: Served, waiting: Iterator[Case], found: Findings
) -> None:
    for case in waiting:
        began = time.perf_counter()
        answer = await send(client, here, case)
        if time.perf_counter() - began > HANG_S:
            found.slow.append(case)
        found.sent += 1
        found.marked += MARK in case.document
        found.statuses[answer.status_code] += 1
        found.people[case.person] += 1
        found.told.update(told_of(answer))
        found.wrong.extend(f"{wrong}: {case}" for wrong in faults(case, answer))


def told_of(answer: httpx2.Response) -> list[str]:
    """The root fields that say something, and MARK where a canary is in what they say."""
    data = answer.json().get("data") or {}
    return [name for name, value in data.items() if value] + [MARK] * (MARK in str(data))


async def hangs(client: httpx2.AsyncClient, here: Served, case: Case) -> bool:
    """Whether a slow case is slow twice in three times more, alone and never seen before."""
    slow = 0
    for number in range(3):
        anew = replace(case, document=f"{case.document}\n# {number}")
        began = time.perf_counter()
        await send(client, here, anew)
        slow += time.perf_counter() - began > HANG_S
    return slow >= 2


@pytest.mark.parametrize("count", CASES)
async def test_no_generated_request_finds_a_bug_a_hang_or_a_canary(
    count: int, seedbed: Seedbed, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    print(f"ANAMNESIS_SEED={SEED}")
    async with served(seedbed, tmp_path) as here:
        found = await fuzzed(here, count)
        async with httpx2.AsyncClient() as client:
            page = (await client.get(here.metrics)).text
    output = capfd.readouterr()
    print(f"{found.sent} cases, {found.marked} of them marked, {dict(found.statuses)}")
    print(f"answered: {dict(found.told.most_common())}")
    print(f"{len(found.slow)} over {HANG_S} s at first")
    assert found.wrong == []
    assert found.sent >= count * 0.9
    assert found.marked >= count * 0.1
    assert set(found.statuses) >= {200, 400, 401}
    assert set(found.people) == set(EVERYBODY)
    assert set(found.told) >= EVERY_QUERY | {MARK}
    assert found.told[MARK] >= 3
    assert [line for line in here.heard.lines if MARK in line] == []
    assert MARK not in page + output.err
    assert MARK not in output.out.replace(str(SEED), "")


async def test_a_document_in_the_log_would_be_found(
    seedbed: Seedbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = GraphQLEndpoint._find

    def telling(endpoint: GraphQLEndpoint, request: GraphQLRequest) -> Operation:
        structlog.get_logger("careless").info("asked", document=request.document)
        return find(endpoint, request)

    monkeypatch.setattr(GraphQLEndpoint, "_find", telling)
    async with served(seedbed, tmp_path) as here, httpx2.AsyncClient() as client:
        document = f'{{ record(chart: "{SENT}") {{ patient {{ name }} }} }}'
        await send(client, here, Case(person="rosa", document=document, position=None))
    assert [line for line in here.heard.lines if MARK in line] != []


async def test_what_is_wrong_with_an_answer_is_named() -> None:
    case = Case(person="omar", document="{ me { id } }", position=None)
    bug = {"errors": [{"message": MARK, "extensions": {"code": "INTERNAL"}}]}
    leak = {"data": {"name": MARK}, "errors": []}
    trace = {"data": None, "errors": [], "x": 'Traceback File "a.py"'}
    assert faults(case, httpx2.Response(500, json=bug)) == [
        "500",
        "a masked bug",
        "a canary in an error",
        "a canary in an answer",
    ]
    assert faults(case, httpx2.Response(200, json=leak)) == ["a canary in an answer"]
    assert faults(replace(case, person="canary"), httpx2.Response(200, json=leak)) == []
    assert faults(case, httpx2.Response(200, json=trace)) == ["a stack trace"]
