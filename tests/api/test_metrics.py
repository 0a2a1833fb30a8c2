"""The metrics page: what it counts, and that nothing a client chose is on it."""

import re

import httpx2
import pytest

from api.app import application
from api.auth.tokens import DEMO_ISSUER, TokenVerifier
from api.metrics import Metrics, metrics_application
from api.signing import signing
from tests.api.world import URL, World

pytestmark = pytest.mark.anyio
GRANT = """mutation SecretName($chart: ID!, $grantee: ID!) { grantProxyAccess(input: {
  idempotencyKey: "canary-key", chart: $chart, grantee: $grantee, kind: HELPER, scopes: [RECORDS]
}) { __typename } }"""


async def scraped(world: World) -> tuple[str, httpx2.Response]:
    """The page after one request of each kind, and the answer of the API's own /metrics."""
    metrics = Metrics()
    verifier = TokenVerifier({DEMO_ISSUER: world.issuer.issuer}, "anamnesis", profile="demo")
    app = application(world.house, verifier, metrics=metrics)
    headers = {"authorization": f"Bearer {world.token('rosa')}"}
    headers["accept"] = "application/graphql-response+json"
    chart = await world.chart("omar")
    variables = {"chart": chart, "grantee": (await world.ids("rosa")).hide("person", "0" * 32)}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as client:
        read = {"query": "query CanaryName { me { id } }"}
        await client.post(URL, json=read, headers=headers)
        await client.post(URL, json={"query": GRANT, "variables": variables}, headers=headers)
        await client.post(URL, json={"query": "{ canaryField }"}, headers=headers)
        await client.post(URL, json=read)
        exposed = await client.get(URL.replace("graphql", "metrics"))
    page = metrics_application(metrics, world.house)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=page)) as client:
        answer = await client.get("http://127.0.0.1/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text, exposed


async def test_requests_are_counted_by_outcome_and_kind(world: World) -> None:
    page, exposed = await scraped(world)
    assert exposed.status_code == 404
    counted = dict(re.findall(r"anamnesis_requests_total\{(.+?)\} (\S+)", page))
    assert counted == {
        'kind="read",outcome="answered"': "1.0",
        'kind="change",outcome="answered"': "1.0",
        'kind="none",outcome="unauthenticated"': "1.0",
        'kind="read",outcome="refused"': "1.0",
    }
    assert 'anamnesis_request_seconds_count{kind="change"} 1.0' in page
    assert 'anamnesis_in_service{lane="known"} 0.0' in page
    assert 'anamnesis_waiting{lane="strangers"} 0.0' in page
    commands = re.search(r"anamnesis_append_batch_commands_sum (\S+)", page)
    batches = re.search(r"anamnesis_append_batch_commands_count (\S+)", page)
    assert commands is not None
    assert batches is not None
    assert float(commands[1]) >= float(batches[1]) > 0
    assert re.search(r'anamnesis_projector_lag_events\{projection="records"\} \d', page)


async def test_no_label_is_a_word_of_a_client_a_tenant_or_an_id(world: World) -> None:
    page, _ = await scraped(world)
    values = set(re.findall(r'="([^"]*)"', page))
    known = {"read", "change", "none", "known", "strangers", "answered", "refused"}
    known |= {"unauthenticated", "waiting", "sending", "parked", "dead"}
    bounds = {value for value in values if re.fullmatch(r"[0-9.]+|\+Inf", value)}
    projections = set(re.findall(r'projection="([a-z-]+)"', page))
    assert values == known | bounds | projections
    assert not re.search(r"(?i)canary|secret|riverside|chart_|account_", page)


async def test_the_page_says_how_the_signing_of_heads_goes(world: World) -> None:
    metrics = Metrics()
    async with signing(world.house) as duty:
        metrics.watch(duty)
        page = (await metrics.page(world.house)).decode()
    assert re.search(r"^anamnesis_head_unsigned_seconds \d", page, re.MULTILINE)
    assert "anamnesis_heads_refused 0.0" in page
