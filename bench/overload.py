"""A modest client beside 25 greedy ones, beside itself alone; and how soon 503 is said.

The server is this process; every caller is in another one. A greedy client has two connections
and fires the dearest query that the limits allow again at once, whatever the answer. The modest
one opens the first page of its record 20 times a second. The first second of the greedy ones, in
which a burst may wait, is not counted. The control is the same without a gate.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from statistics import median

import httpx2
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from api.app import Door, application
from api.graphql import GraphQLEndpoint
from api.serving import listen, serving
from bench.callers import Callers, Load, Tally, pooled
from bench.ground import Ground
from bench.measure import Line, Pace, say
from bench.town import Town, town
from schema.root import build, executable

GREEDY = 25
CONNECTIONS = 2
ALIASES = 30
MODEST_PAUSE_S = 0.05
MOST_RATIO = 2.0
MOST_TO_503_MS = 50.0
MODEST = """query Home { me { name } record { patient { id name birthDate { text } }
  conditions(first: 5) { edges { node { id code { text } } } }
  medications(first: 5) { edges { node { id code { text } } } } } }"""
_PANEL = """conditions(first: 100) { edges { cursor node { id clinicalStatus verificationStatus
  received code { text codings { system code display } } onset { text precision }
  abated { text precision } source { system type } } } pageInfo { hasNextPage endCursor } }"""


class NothingAllowed(Exception):
    """Not even one panel is within the limits: nothing was measured."""


@dataclass(frozen=True, slots=True)
class Round:
    """One turn: the modest client alone and beside, and the greedy ones."""

    alone: Tally
    beside: Tally
    greedy: Tally


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """The modest client's 99th percentile, and the 99th percentile of the time to 503."""
    async with town(ground, 1 + GREEDY) as here:
        rounds = await measured(here, application(here.house, here.verifier), pace)
        control = await measured(here, ungated(here), Pace(seconds=pace.seconds, rounds=1))
    alone, beside = pooled([e.alone for e in rounds]), pooled([e.beside for e in rounds])
    yield Line(
        name="time to 503",
        value=median(each.greedy.percentile(503, 99) for each in rounds),
        unit="ms, p99",
        reference=MOST_TO_503_MS,
        reference_name="what is promised",
        extra={
            "at_most": 1.0,
            "p50_ms": round(median(each.greedy.percentile(503, 50) for each in rounds), 2),
            "refused": sum(each.greedy.count(503) for each in rounds),
            "served": sum(each.greedy.count(200) for each in rounds),
        },
    )
    yield Line(
        name=f"modest client beside {GREEDY} greedy ones",
        value=beside.percentile(200, 99),
        unit="ms, p99",
        reference=alone.percentile(200, 99),
        reference_name="modest client alone",
        extra={
            "at_most": MOST_RATIO,
            "p50_ms": round(beside.percentile(200, 50), 2),
            "alone_p50_ms": round(alone.percentile(200, 50), 2),
            "answers": beside.count(200),
            "failed": failures(beside),
            "without_gate_p99_ms": round(control[0].beside.percentile(200, 99), 2),
            "without_gate_failed": failures(control[0].beside),
        },
    )


async def dearest(here: Town) -> str:
    """The document with the most panels that is not refused."""
    transport = httpx2.ASGITransport(app=application(here.house, here.verifier))
    headers = {
        "authorization": f"Bearer {here.tokens()[0]}",
        "accept": "application/graphql-response+json",
    }
    async with httpx2.AsyncClient(transport=transport, headers=headers, timeout=60) as client:
        for panels in range(ALIASES, 0, -1):
            aliased = " ".join(f"a{number}: {_PANEL}" for number in range(panels))
            document = f"query Everything {{ record {{ {aliased} }} }}"
            answer = await client.post("http://bench.test/graphql", json={"query": document})
            if answer.status_code == 200:
                return document
    raise NothingAllowed


def ungated(here: Town) -> Starlette:
    """The same API with nothing in front of it."""
    door = Door(here.house, here.verifier)
    endpoint = GraphQLEndpoint(executable(build()), door.open)
    return Starlette(routes=[Route("/graphql", endpoint, methods=["POST"])])


def failures(tally: Tally) -> int:
    """Answers other than 200, and connections that broke."""
    return sum(tally.count(status) for status in tally.milliseconds if status != 200) + tally.broken


async def measured(here: Town, app: ASGIApp, pace: Pace) -> list[Round]:
    """Each round alone first, then beside the greedy ones."""
    rounds, document = [], await dearest(here)
    async with serving(app, listen(0)) as url:
        await _alone(here, f"{url}/graphql", 1.0)
        for number in range(pace.rounds):
            alone = await _alone(here, f"{url}/graphql", pace.seconds)
            beside, greedy = await _beside(here, f"{url}/graphql", document, pace.seconds)
            rounds.append(Round(alone, beside, greedy))
            say(
                f"  round {number + 1}: p99 {alone.percentile(200, 99):.1f} ms alone,"
                f" {beside.percentile(200, 99):.1f} ms beside; 503 after"
                f" {greedy.percentile(503, 99):.1f} ms, {greedy.count(503)} times,"
                f" {greedy.count(200)} served"
            )
    return rounds


async def _alone(here: Town, url: str, seconds: float) -> Tally:
    modest = Callers(_modest(here, url, seconds))
    await modest.ready()
    modest.go()
    return await modest.tally()


async def _beside(here: Town, url: str, document: str, seconds: float) -> tuple[Tally, Tally]:
    """The modest client begins when the greedy ones have been at it for a second."""
    greedy = Callers(
        Load(
            url=url,
            tokens=here.tokens()[1:],
            document=document,
            seconds=seconds + 1.0,
            uncounted_s=1.0,
            connections=CONNECTIONS,
        )
    )
    modest = Callers(replace(_modest(here, url, seconds), after_s=1.0))
    await greedy.ready()
    await modest.ready()
    greedy.go()
    modest.go()
    return await modest.tally(), await greedy.tally()


def _modest(here: Town, url: str, seconds: float) -> Load:
    tokens = here.tokens()[:1]
    return Load(url=url, tokens=tokens, document=MODEST, seconds=seconds, pause_s=MODEST_PAUSE_S)
