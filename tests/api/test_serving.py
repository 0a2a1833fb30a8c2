"""The API on a socket: it answers, finishes what is under way, refuses demo tokens."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from api.app import application
from api.auth.tokens import DEMO_ISSUER, DemoIssuerRefused, Issuer, TokenVerifier
from api.cli.serve import _serve
from api.serving import listen, serving
from tests.api.world import World

pytestmark = pytest.mark.anyio
OWN = {"query": "{ record { patient { name } } }"}


def bearer(world: World, person: str = "rosa") -> dict[str, str]:
    return {"authorization": f"Bearer {world.token(person)}"}


async def test_a_request_over_a_real_socket_is_answered(world: World) -> None:
    async with serving(world.app, listen(0)) as url, httpx2.AsyncClient() as client:
        answer = await client.post(f"{url}/graphql", json=OWN, headers=bearer(world))
        alive = await client.get(f"{url}/healthz")
        ready = await client.get(f"{url}/readyz")
    assert answer.json()["data"]["record"]["patient"]["name"] == "Rosa Delgado"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    assert alive.json() == ready.json() == {"status": "pass"}


async def test_a_house_whose_database_does_not_answer_is_alive_and_not_ready(
    world: World, tmp_path: Path
) -> None:
    nowhere = f"postgresql://anamnesis_api@/postgres?host={tmp_path}&port=5432"
    async with asyncpg.create_pool(nowhere, min_size=0) as pool:
        house = replace(world.house, api=pool)
        transport = httpx2.ASGITransport(
            app=application(house, TokenVerifier({}, "a", profile="demo"))
        )
        async with httpx2.AsyncClient(transport=transport, base_url="http://house.test") as client:
            assert (await client.get("/healthz")).status_code == 200
            ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"status": "fail"})


async def test_a_request_under_way_finishes_when_the_server_is_told_to_stop(world: World) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.set()
        await go.wait()
        await world.app(scope, receive, send)

    async with asyncio.timeout(60), httpx2.AsyncClient(timeout=60) as client:
        door = serving(held, listen(0))
        url = await door.__aenter__()
        asking = asyncio.create_task(client.post(f"{url}/graphql", json=OWN, headers=bearer(world)))
        await arrived.wait()
        stopping = asyncio.create_task(door.__aexit__(None, None, None))
        try:
            await _closed(url)
            assert not asking.done()
            assert not stopping.done()
        finally:
            go.set()
            answer = await asking
            await stopping
    assert answer.status_code == 200
    assert answer.json()["data"]["record"]["patient"]["name"] == "Rosa Delgado"


async def _closed(url: str) -> None:
    """Return when nobody listens any more; a connection that was still accepted is given up."""
    host, port = url.removeprefix("http://").split(":")
    while True:
        # A connection that nobody had taken yet when the listener closed is reset.
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except ConnectionRefusedError:
                return
            writer.close()
            await writer.wait_closed()


async def test_demo_tokens_are_refused_outside_the_demo_profile(world: World) -> None:
    verifier = TokenVerifier({}, "anamnesis", profile="production")
    app = application(world.house, verifier)
    before = await world.head()
    async with serving(app, listen(0)) as url, httpx2.AsyncClient() as client:
        answer = await client.post(f"{url}/graphql", json=OWN, headers=bearer(world))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "data" not in answer.json()
    assert await world.since(before) == []


async def test_a_production_verifier_cannot_be_given_the_demo_issuer(world: World) -> None:
    demo = world.issuer.issuer
    disguised = Issuer(DEMO_ISSUER, demo.keys)
    for issuer in (demo, disguised):
        with pytest.raises(DemoIssuerRefused):
            TokenVerifier({DEMO_ISSUER: issuer}, "anamnesis", profile="production")


async def test_production_hides_the_shape_of_the_schema(world: World) -> None:
    answer = await world.ask("rosa", "{ __schema { types { name } } }")
    assert answer.status_code == 400
    assert "Condition" not in answer.text


@contextlib.asynccontextmanager
async def served(
    world: World, profile: str, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[str]:
    """The URL of `anamnesis serve`."""
    serving_it = asyncio.create_task(
        _serve(replace(world.house.settings, profile=profile), 0, None)
    )
    try:
        said = ""
        while "/graphql" not in said:
            assert not serving_it.done()
            await asyncio.sleep(0.01)
            said += capsys.readouterr().out
        yield said.split()[-1]
    finally:
        serving_it.cancel()
        await asyncio.wait({serving_it})
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.parametrize(("profile", "status"), [("production", 405), ("development", 401)])
async def test_serve_takes_the_text_of_a_query_in_a_url_in_the_development_profile_only(
    world: World, profile: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async with served(world, profile, capsys) as url, httpx2.AsyncClient(timeout=60) as client:
        answer = await client.get(url, params={"query": "{ me { id } }"})
    assert answer.status_code == status


async def test_serve_signs_the_heads_of_the_logs(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = await asyncpg.connect(world.house.settings.dsn)
    async with served(world, "production", capsys), asyncio.timeout(20):
        while True:
            signed = await owner.fetchval("SELECT max(position) FROM signed_head")
            if signed == await owner.fetchval("SELECT max(position) FROM log_head"):
                break
            await asyncio.sleep(0.02)
    await owner.close()
    assert signed > 0
