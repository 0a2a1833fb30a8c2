"""Twenty-five greedy clients beside a modest one: who is refused is told so, and nobody fails.

The modest client opens the first page of its record five times a second, which has a known price.
Counts only: how long anything takes is printed, and measured by `bench/overload.py`.
"""

import asyncio
from pathlib import Path

import httpx2
import pytest

from api.app import application
from api.auth.tokens import DEMO_ISSUER, TokenVerifier
from api.serving import listen, serving
from bench.callers import Callers, Load, Tally
from domain.consent import GrantProxyAccess
from tests.api.world import Seedbed, World, living_world

pytestmark = pytest.mark.anyio
SECONDS = [3.0, pytest.param(60.0, marks=pytest.mark.soak)]
GREEDY = 25
MODEST = """query Home { me { name } record { patient { id name birthDate { text } }
  conditions(first: 5) { edges { node { id code { text } } } }
  medications(first: 5) { edges { node { id code { text } } } } } }"""
DEAR = (
    "query Everything { record { patient { id }"
    + " ".join(
        f" {panel}(first: 100) {{ edges {{ cursor node {{ id received source {{ system }} }} }} }}"
        for panel in ("conditions", "medications", "labReports", "observations", "visits")
    )
    + " } }"
)


@pytest.mark.parametrize("seconds", SECONDS)
async def test_a_modest_client_is_served_beside_greedy_ones_who_are_told_to_wait(
    seconds: float, seedbed: Seedbed, tmp_path: Path
) -> None:
    async with living_world(seedbed, tmp_path) as world:
        await _newcomers(world)
        verifier = TokenVerifier({DEMO_ISSUER: world.issuer.issuer}, "anamnesis", profile="demo")
        async with serving(application(world.house, verifier), listen(0)) as url:
            # The front door knows the price of an operation once somebody has asked it.
            assert await _asked(world, f"{url}/graphql") == 200
            modest, greedy, strangers = await _loaded(world, f"{url}/graphql", seconds)
        assert (await world.ask("rosa", MODEST)).status_code == 200
    _print("modest", modest)
    _print("greedy", greedy)
    _print("strangers", strangers)
    # On a machine that the load itself fills, a modest caller may be told to come again as well.
    assert set(modest.milliseconds) <= {200, 503}
    assert set(greedy.milliseconds) == {200, 503}
    assert set(strangers.milliseconds) <= {401, 503}
    assert modest.broken == greedy.broken == strangers.broken == 0
    assert modest.without_hint == greedy.without_hint == strangers.without_hint == 0
    assert modest.count(200) > 0


async def _asked(world: World, url: str) -> int:
    headers = {"authorization": f"Bearer {world.token('omar')}"}
    async with httpx2.AsyncClient() as client:
        return (await client.post(url, json={"query": MODEST}, headers=headers)).status_code


async def _newcomers(world: World) -> None:
    """Accounts that act for Rosa: her record is the largest."""
    chart = world.seeded.charts["rosa"]
    for number in range(GREEDY):
        person = await world.newcomer(f"greedy-{number}")
        grant = GrantProxyAccess(
            chart=chart, grantee=person, kind="helper", scopes=("records", "results")
        )
        await world.do("riverside", grant)


async def _loaded(world: World, url: str, seconds: float) -> tuple[Tally, Tally, Tally]:
    chart = await world.chart("rosa")
    dear = DEAR.replace("record {", f'record(chart: "{chart}") {{', 1)
    greedy = tuple(world.token(f"greedy-{number}") for number in range(GREEDY))
    callers = [
        Callers(
            Load(
                url=url,
                tokens=(world.token("omar"),),
                document=MODEST,
                seconds=seconds,
                pause_s=0.2,
                after_s=1.0,
            )
        ),
        Callers(Load(url=url, tokens=greedy, document=dear, seconds=seconds + 1, connections=3)),
        Callers(
            Load(
                url=url,
                tokens=("no token",),
                document=dear,
                seconds=seconds + 1,
                connections=20,
                pause_s=0.05,
            )
        ),
    ]
    for each in callers:
        await each.ready()
    for each in callers:
        each.go()
    modest, refused, strangers = await asyncio.gather(*(each.tally() for each in callers))
    return modest, refused, strangers


def _print(who: str, tally: Tally) -> None:
    for status in sorted(tally.milliseconds):
        middle, most = tally.percentile(status, 50), tally.percentile(status, 99)
        print(f"{who}: {status} x {tally.count(status)}, p50 {middle:.0f} ms, p99 {most:.0f} ms")
