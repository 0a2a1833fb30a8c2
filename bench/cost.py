"""The worst operation that the cost limit allows, beside the smallest one; one client over ASGI.

The chart holds more than the price assumes: reports of 20 values where a list counts as two. The
answer is read from the read models, unsealed, executed, encoded, and its look is on record.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from api.app import application
from api.auth.tokens import DEMO_ISSUER, DemoIssuer, TokenVerifier
from api.house import House, projecting
from bench.ground import TENANT, Ground
from bench.measure import Act, Contender, Line, Pace, Run, alternate, closed_loop
from domain.identity import OpenAccount
from domain.kernel.context import Actor
from domain.kernel.perform import Receipt, Request
from domain.kernel.values import Coding, Concept, Identifier, Moment, Name, Quantity, ReferenceRange
from domain.registry import Demographics, ReportPatient
from domain.results import Analyte, ReceiveResult, Report
from projections.catalogue import PROJECTIONS

REPORTS = 100
VALUES = 20
AT_ONCE = 10
URL = "http://bench.test/graphql"
SMALLEST = "query Smallest { me { name } }"
_CONCEPT = "{ text codings { system code display } }"
_AMOUNT = "{ value comparator unit code }"
_PAGE = f"""{{ labReports(first: $first) {{ edges {{ cursor node {{
  id code {_CONCEPT} status effective {{ text precision }} issued {{ text precision }} conclusion
  observations {{ code {_CONCEPT} status value {_AMOUNT} unit interpretation {_CONCEPT}
    referenceRange {{ low {_AMOUNT} high {_AMOUNT} }} effective {{ text precision }} }}
  source {{ system type }} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
WORST = f"query Worst($first: Int!) {{ a: record {_PAGE} b: record {_PAGE} }}"
_OPERATOR = Actor(tenant=TENANT, id="bench", kind="operator", purpose="HOPERAT", reason="bench")


class NotAnswered(Exception):
    """An operation that should be allowed was not answered."""


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """One line, in operations per second; no ratio is required."""
    async with ground.house("cost") as house:
        account = await _patient(house)
        async with _client(house, ground.folder, account) as client:
            first, cost, length = await _most(client)
            worst: dict[str, object] = {"query": WORST, "variables": {"first": first}}
            contenders = {
                "worst": _asking(client, worst),
                "smallest": _asking(client, {"query": SMALLEST}),
            }
            runs = await alternate(contenders, pace)
    yield Line(
        name="the worst operation within the cost limit, 1 client",
        value=runs["worst"].rate,
        unit="operations/s",
        reference=runs["smallest"].rate,
        reference_name="the name of the caller",
        extra={
            **runs["worst"].durations,
            **cost,
            "bytes": length,
            "reports": 2 * first,
            "values": 2 * first * VALUES,
        },
    )


async def _patient(house: House) -> str:
    """An account whose chart has many reports; every read model shows them."""

    async def do(command: ReportPatient | OpenAccount | ReceiveResult, key: str) -> Receipt:
        return await house.do(Request(command=command, actor=_OPERATOR, key=key))

    identifier = Identifier("urn:oid:2.16.840.1.113883.19.5", "1")
    demographics = Demographics(names=(Name("Doe", ("Jo",)),))
    opened = ReportPatient(identifier=identifier, demographics=demographics)
    async with projecting(house):
        chart, person = (await do(opened, "chart")).streams
        account = OpenAccount(login="jo", display_name="Jo Doe", person=person)
        ident = (await do(account, "account")).streams[0]
        for start in range(0, REPORTS, AT_ONCE):
            wishes = [_wish(chart, number) for number in range(start, start + AT_ONCE)]
            done = await asyncio.gather(*(do(wish, wish.key) for wish in wishes))
        last = max(receipt.last or 0 for receipt in done)
        names = [projection.name for projection in PROJECTIONS]
        await house.progress.reach(TENANT, last, names, seconds=60)
    return ident


def _wish(chart: str, number: int) -> ReceiveResult:
    drawn = Moment(f"20{10 + number // 12:02}-{1 + number % 12:02}-11T09:30:00+01:00")
    report = Report(
        category="laboratory",
        concept=_concept("24323-8", "Comprehensive metabolic panel"),
        status="final",
        effective=drawn,
        issued=drawn,
        observations=tuple(_value(drawn, place) for place in range(VALUES)),
    )
    return ReceiveResult(chart=chart, key=f"report {number}", report=report)


def _value(drawn: Moment, place: int) -> Analyte:
    return Analyte(
        concept=_concept(f"{2000 + place}-3", f"Analyte {place} in serum or plasma"),
        status="final",
        effective=drawn,
        quantity=Quantity("4.10", "mmol/L", "mmol/L"),
        interpretation=(_concept("N", "Normal"),),
        ranges=(ReferenceRange(low=Quantity("3.50"), high=Quantity("5.10")),),
    )


def _concept(code: str, words: str) -> Concept:
    return Concept(text=words, codings=(Coding("http://loinc.org", code, words),))


@asynccontextmanager
async def _client(house: House, folder: Path, account: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that asks as the account."""
    issuer = DemoIssuer.load_or_create(folder / "issuer.pem")
    verifier = TokenVerifier({DEMO_ISSUER: issuer.issuer}, "anamnesis", profile="demo")
    transport = httpx2.ASGITransport(app=application(house, verifier))
    headers = {"accept": "application/graphql-response+json"}
    async with httpx2.AsyncClient(transport=transport, headers=headers, timeout=60) as client:

        async def sign(request: httpx2.Request) -> None:
            request.headers["authorization"] = f"Bearer {issuer.mint(account, TENANT, 'bench')}"

        client.event_hooks["request"].append(sign)
        yield client


async def _most(client: httpx2.AsyncClient) -> tuple[int, dict[str, object], int]:
    """The largest page that is not refused, what it costs beside the limit, and its bytes."""
    for first in range(REPORTS, 0, -1):
        body = {"query": WORST, "variables": {"first": first}}
        answer = await client.post(URL, json=body)
        if answer.status_code == 200:
            told = answer.json()["extensions"]["cost"]
            return first, {"cost": told["requested"], "limit": told["limit"]}, len(answer.content)
    raise NotAnswered


def _asking(client: httpx2.AsyncClient, body: dict[str, object]) -> Contender:
    async def ask() -> int:
        answer = await client.post(URL, json=body)
        if answer.status_code != 200 or b'"errors"' in answer.content[-4096:]:
            raise NotAnswered
        return 1

    act: Act = ask

    async def work(seconds: float) -> Run:
        return await closed_loop([act], seconds)

    return work
