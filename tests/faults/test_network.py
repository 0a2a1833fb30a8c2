"""F20: a database that cannot be reached costs time: 503, never 500, and it heals by itself."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from api.house import open_house, projecting
from tests.api.world import Seedbed, World, inhabited, planted
from tests.faults.proxy import Mode, Wire, wired

pytestmark = pytest.mark.anyio
READ = "{ me { name } record { conditions(first: 5) { edges { node { id } } } } }"
GRANT = """mutation G($input: GrantProxyAccessInput!) { grantProxyAccess(input: $input) {
  __typename ... on Problem { code } } }"""
MOST_SECONDS = 15.0
"""For an answer, whatever it is."""
HEALED_SECONDS = 60.0


@asynccontextmanager
async def far_away(seedbed: Seedbed, folder: Path) -> AsyncIterator[tuple[World, Wire]]:
    """The served house, whose database is at the other end of a wire."""
    with planted(seedbed, folder) as settings, tempfile.TemporaryDirectory(prefix="wire-") as at:
        here = parse_qs(urlsplit(settings.dsn).query)["host"][0]
        async with wired(Path(at) / "w", here) as wire:
            host = f"host={quote(here, safe='')}"
            assert host in settings.dsn
            dsn = settings.dsn.replace(host, f"host={quote(str(Path(at) / 'w'), safe='')}")
            async with (
                open_house(replace(settings, dsn=dsn)) as house,
                projecting(house),
                inhabited(house, seedbed.seeded, folder) as world,
            ):
                yield world, wire
                wire.set("well")


@dataclass(slots=True)
class Asked:
    """What was answered, and how long it took."""

    statuses: set[int] = field(default_factory=set)
    longest: float = 0.0
    hinted: bool = True

    async def ask(self, world: World, document: str = READ, **variables: object) -> int:
        began = time.monotonic()
        answer = await world.ask("rosa", document, variables)
        self.longest = max(self.longest, time.monotonic() - began)
        self.statuses.add(answer.status_code)
        if answer.status_code == 503:
            self.hinted &= "retry-after" in answer.headers
        return answer.status_code


async def healed(world: World) -> float:
    """How long it took until there were answers again."""
    began = time.monotonic()
    asked = Asked()
    async with asyncio.timeout(HEALED_SECONDS):
        while True:
            if await asked.ask(world) == 200:
                break
            await asyncio.sleep(0.2)
    assert asked.statuses <= {200, 503}
    return time.monotonic() - began


@pytest.mark.parametrize("mode", ["cut", "dead"])
async def test_without_a_database_answers_are_503_in_time_and_it_heals_by_itself(
    mode: Mode, seedbed: Seedbed, tmp_path: Path
) -> None:
    async with far_away(seedbed, tmp_path) as (world, wire):
        asked = Asked()
        assert await asked.ask(world) == 200
        wire.set(mode)
        await asyncio.gather(*(asked.ask(world) for _ in range(6)))
        assert asked.statuses == {200, 503}
        assert asked.hinted
        assert asked.longest < MOST_SECONDS
        wire.set("well")
        assert await healed(world) < HEALED_SECONDS
        for _ in range(5):
            assert await asked.ask(world) == 200


async def test_a_slow_wire_is_slow_and_nothing_else(seedbed: Seedbed, tmp_path: Path) -> None:
    async with far_away(seedbed, tmp_path) as (world, wire):
        asked = Asked()
        wire.set("slow")
        await asyncio.gather(*(asked.ask(world) for _ in range(3)))
        assert asked.statuses == {200}
