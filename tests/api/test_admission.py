"""The gate: 503 with a hint for who comes too many, before anybody parses the body."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from api import admission
from api.admission import STRANGERS, Admission, places
from api.auth.tokens import DEMO_ISSUER, TokenVerifier
from api.caller import Bearers, neighbourhood
from api.lane import LaneLimits
from tests.api.world import World

pytestmark = pytest.mark.anyio
URL = "http://gate.test/graphql"
KNOWN = LaneLimits(
    in_service=1, per_caller=1, waiting=2, waiting_per_caller=1, patience_s=600, overload_s=600
)
BODY = b'{"query": "{ me { id } }"}'


@dataclass(slots=True)
class Inside:
    """What stands behind the gate: keeps every request until it is told to go on."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        self.bodies.append(message.get("body", b""))
        self.arrived.release()
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"served"})


@dataclass(slots=True, kw_only=True)
class Gate:
    inside: Inside
    admission: Admission
    client: httpx2.AsyncClient
    world: World

    def get(self, person: str, length: int) -> asyncio.Task[httpx2.Response]:
        """A GET that claims a body of so many bytes."""
        headers = {
            "authorization": f"Bearer {self.world.token(person)}",
            "content-length": str(length),
        }
        return asyncio.create_task(self.client.get(URL, headers=headers))

    def post(self, person: str | None) -> asyncio.Task[httpx2.Response]:
        headers = {} if person is None else {"authorization": f"Bearer {self.world.token(person)}"}
        return asyncio.create_task(self.client.post(URL, content=BODY, headers=headers))

    async def queued(self, count: int) -> None:
        """Return when so many wait."""
        for _ in range(10_000):
            if self.admission.known.waiting == count:
                return
            await asyncio.sleep(0)
        raise AssertionError(self.admission.known.waiting)


@asynccontextmanager
async def gate(world: World, known: LaneLimits = KNOWN) -> AsyncIterator[Gate]:
    inside = Inside()
    verifier = TokenVerifier({DEMO_ISSUER: world.issuer.issuer}, "anamnesis", profile="demo")
    door = Admission(inside, Bearers(verifier), known, STRANGERS)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=door)) as client:
        yield Gate(inside=inside, admission=door, client=client, world=world)
        inside.go.set()


async def test_the_first_beyond_the_queue_gets_503_with_a_hint_at_once(world: World) -> None:
    async with gate(world) as here:
        serving = here.post("rosa")
        await here.inside.arrived.acquire()
        waiting = [here.post("rosa"), here.post("omar")]
        await here.queued(2)
        for person in ("rosa", "jun"):
            refused = await here.post(person)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            (error,) = refused.json()["errors"]
            assert (error["extensions"]["code"], error["extensions"]["retryable"]) == (
                "OVERLOADED",
                True,
            )
        here.inside.go.set()
        answers = await asyncio.gather(serving, *waiting)
    assert [answer.text for answer in answers] == ["served"] * 3
    assert here.inside.bodies == [BODY] * 3
    assert here.admission.refused == {("known", "queue-full"): 2}


async def test_who_waits_too_long_gets_503(world: World) -> None:
    limits = LaneLimits(in_service=1, per_caller=1, patience_s=0.01, overload_s=0.01)
    async with gate(world, limits) as here:
        serving = here.post("rosa")
        await here.inside.arrived.acquire()
        refused = await here.post("omar")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        here.inside.go.set()
        assert (await serving).status_code == 200
    assert here.admission.refused == {("known", "deadline"): 1}


async def test_strangers_have_places_of_their_own(world: World) -> None:
    async with gate(world) as here:
        flood = [here.post(None) for _ in range(20)]
        await here.inside.arrived.acquire()
        known = here.post("rosa")
        await here.inside.arrived.acquire()
        assert here.admission.known.in_service == 1
        assert here.admission.strangers.in_service == 1
        here.inside.go.set()
        assert (await known).status_code == 200
        answers = await asyncio.gather(*flood)
    assert {answer.status_code for answer in answers} == {200, 503}


async def test_a_sender_who_does_not_finish_holds_no_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "BODY_SECONDS", 0.05)
    sent: list[Message] = []

    async def slowly() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    async with gate(world) as here:
        scope = {"type": "http", "method": "POST", "headers": [], "client": ("192.0.2.1", 5)}
        slow = asyncio.create_task(here.admission(scope, slowly, send))
        known = here.post("rosa")
        await here.inside.arrived.acquire()
        await slow
        here.inside.go.set()
        assert (await known).status_code == 200
    assert sent[0]["status"] == 408
    assert here.inside.bodies == [BODY]


async def test_a_body_over_the_limit_takes_no_place(world: World) -> None:
    async with gate(world) as here:
        serving = here.post("rosa")
        await here.inside.arrived.acquire()
        headers = {"authorization": f"Bearer {world.token('rosa')}"}
        big = b" " * (admission.LONGEST_BODY_BYTES + 1)
        declared = asyncio.create_task(here.client.post(URL, content=big, headers=headers))
        await here.inside.arrived.acquire()
        assert (here.admission.known.in_service, here.admission.known.waiting) == (1, 0)
        here.inside.go.set()
        await asyncio.gather(serving, declared)


def test_places_leave_connections_to_spare() -> None:
    assert [places(12, cores) for cores in (1, 2, 64)] == [4, 8, 8]
    assert places(4, 8) == 1


def test_strangers_are_told_apart_by_the_prefix_of_their_address() -> None:
    found = {
        address: neighbourhood({"client": None if address is None else (address, 1)})
        for address in ("192.0.2.77", "::ffff:192.0.2.9", "2001:db8:0:12ff::1", "unix", None)
    }
    assert found == {
        "192.0.2.77": "192.0.2.0/24",
        "::ffff:192.0.2.9": "192.0.2.0/24",
        "2001:db8:0:12ff::1": "2001:db8:0:1200::/56",
        "unix": "elsewhere",
        None: "elsewhere",
    }


async def test_a_get_needs_a_place_whatever_length_it_claims(world: World) -> None:
    async with gate(world) as here:
        first = here.post("rosa")
        await here.inside.arrived.acquire()
        claims = here.get("omar", admission.LONGEST_BODY_BYTES + 1)
        await here.queued(1)
        assert len(here.inside.bodies) == 1
        here.inside.go.set()
        assert [answer.status_code for answer in await asyncio.gather(first, claims)] == [200, 200]
