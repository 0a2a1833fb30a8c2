"""F15, M0.8: workers die at every point, Redis forgets everything: nothing is lost or doubled.

The peer is another process' HTTP server as a payment or mail provider is one: it takes each
idempotency key once. That it got copies shows that the kills hit where they hurt.
"""

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.embedded import EmbeddedValkey, start_valkey
from api.house import House
from api.serving import listen, serving
from tests.adapters.dispatch.posting import act
from tests.adapters.postgres.acts import ROOT
from tests.conftest import TENANTS

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
SOAK = bool(os.environ.get("ANAMNESIS_SOAK"))
EFFECTS = 100_000 if SOAK else 10_000
POINTS = ("claimed", "marked", "sent", "reported", "settled")
ROUNDS = 100 if SOAK else 3
SEED = int(os.environ.get("ANAMNESIS_SEED", "20261128"))
AT_ONCE = 256


class Peer:
    """Takes each key once; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.taken: dict[str, str] = {}

    async def post(self, request: Request) -> Response:
        """One posting."""
        key = request.headers["idempotency-key"]
        self.asked[key] += 1
        self.taken.setdefault(key, (await request.body()).decode())
        return PlainTextResponse(f"peer-{key}")


@asynccontextmanager
async def peered() -> AsyncIterator[tuple[Peer, str]]:
    peer = Peer()
    app = Starlette(routes=[Route("/", peer.post, methods=["POST"])])
    async with serving(app, listen(0)) as url:
        yield peer, f"{url}/"


async def started(house: House, valkey: EmbeddedValkey, url: str, point: str, count: int):
    """A worker process that will die there."""
    settings = house.settings
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.working", cwd=ROOT, stdin=asyncio.subprocess.PIPE
    )
    told = {
        "dsn": settings.dsn, "keys": str(settings.keys), "objects": str(settings.objects),
        "redis": valkey.url(), "url": url, "point": point, "count": count,
    }  # fmt: skip
    child.stdin.write(json.dumps(told).encode() + b"\n")
    return child


async def acted(house: House) -> None:
    """All the acts that something follows from, while workers come and go."""
    for low in range(0, EFFECTS, AT_ONCE):
        some = range(low, min(low + AT_ONCE, EFFECTS))
        await asyncio.gather(*(act(house, f"{number}") for number in some))


async def undone(owner: asyncpg.Connection) -> int:
    return await owner.fetchval(
        "SELECT (SELECT count(*) FROM event WHERE type = 'audit.audit-replayed')"
        " - (SELECT count(*) FROM effect WHERE state = 'done')"
    )


async def begun(house: House, valkey: EmbeddedValkey, url: str, owner: asyncpg.Connection) -> None:
    """A reaction begins at the head: a worker must have been there before the first act."""
    child = await started(house, valkey, url, "none", 1)
    async with asyncio.timeout(60):
        while True:
            if await owner.fetchval("SELECT count(*) FROM outbox") == len(TENANTS):
                break
            await asyncio.sleep(0.05)
    await died(child, after_s=0)


async def died(child: asyncio.subprocess.Process, after_s: float = 10) -> None:
    """The process is gone: where it was told to die, or by us after some time."""
    with suppress(TimeoutError):
        await asyncio.wait_for(child.wait(), after_s)
    if child.returncode is None:
        child.send_signal(signal.SIGKILL)
        await child.wait()


async def test_killed_workers_and_a_forgetful_redis_lose_and_double_nothing(
    house: House, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    owner = await asyncpg.connect(house.settings.dsn)
    with start_valkey(tmp_path / "valkey") as valkey:
        async with peered() as (peer, url):
            await begun(house, valkey, url, owner)
            acting = asyncio.create_task(acted(house))
            for point in POINTS * ROUNDS:
                child = await started(house, valkey, url, point, chance.randrange(1, 60))
                await died(child)
                async with Redis(unix_socket_path=str(valkey.socket_path)) as redis:
                    await redis.flushall()
            await acting
            last = [await started(house, valkey, url, "none", 1) for _ in range(2)]
            async with asyncio.timeout(1_200 if SOAK else 180):
                while True:
                    if await undone(owner) == 0:
                        break
                    await asyncio.sleep(0.1)
            for child in last:
                await died(child, after_s=0)
    states = await owner.fetch("SELECT state, count(*), max(attempts) FROM effect GROUP BY 1")
    reports = await owner.fetchval(
        "SELECT count(*) FROM event WHERE type = 'notifications.notice-sent'"
    )
    await owner.close()
    assert [tuple(row) for row in states] == [("done", EFFECTS, 0)]
    assert reports == EFFECTS
    assert sorted(map(int, peer.taken.values())) == list(range(EFFECTS))
    copies = peer.asked.total() - EFFECTS
    assert copies > 0, f"no kill hit between sending and settling (seed {SEED})"
