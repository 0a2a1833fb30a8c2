"""A command through `perform`, with load and rule, beside append alone; 64 clients each.

Each client is an account of its own that regrants proxy access in its own chart: known command?,
load of the grant's stream (5 events, a few more when it comes round again), authority from the
read models, rule, decision, append that relies on the account's stream.
"""

import asyncio
import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

from api.house import House, projecting
from bench.clients import Clients
from bench.ground import TENANT, Ground
from bench.measure import Act, Contender, Line, Pace, Run, alternate, closed_loop
from bench.wishes import fresh_id, stamped
from domain.consent import GrantProxyAccess, ProxyAccessGranted
from domain.identity import OpenAccount
from domain.kernel.command import Reserved
from domain.kernel.context import Actor
from domain.kernel.log import Append, Draft, Expected
from domain.kernel.perform import Receipt, Request
from domain.kernel.values import Identifier, Name
from domain.registry import Demographics, ReportPatient
from projections.catalogue import PERMISSIONS

CLIENTS = 64
EVENTS_BEFORE = 5
STREAMS_PER_SECOND = 12
SCOPES = (("records",), ("records", "results"), ("results",), ("messaging", "results"))
OPERATOR = Actor(tenant=TENANT, id="bench", kind="operator", purpose="HOPERAT", reason="bench")


class NothingDecided(Exception):
    """A command found its wish already true: the measurement would be of reads."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Somebody with an account and a chart."""

    account: Actor
    chart: str


async def lines(ground: Ground, pace: Pace) -> list[Line]:
    """The line of commands a second; no ratio is required."""
    async with ground.house("performing") as house:
        patients = await _patients(house)
        clients = await Clients.of(house, CLIENTS)
        performing = _performing(house, patients)
        runs = await alternate({"perform": performing, "append": clients.appending(CLIENTS)}, pace)
    line = Line(
        name=f"perform with load and rule, {CLIENTS} clients",
        value=runs["perform"].rate,
        unit="commands/s",
        reference=runs["append"].rate,
        reference_name=f"append alone, {CLIENTS} clients",
        extra=runs["perform"].durations,
    )
    return [line]


async def _patients(house: House) -> list[Patient]:
    """Patients with charts and accounts, known to the permission read models."""
    patients = []
    async with projecting(house):
        for number in range(CLIENTS):
            patient, position = await _patient(house, str(number))
            patients.append(patient)
        await house.progress.reach(TENANT, position, PERMISSIONS, seconds=60)
    return patients


async def _patient(house: House, number: str) -> tuple[Patient, int]:
    async def do(command: ReportPatient | OpenAccount) -> Receipt:
        return await house.do(Request(command=command, actor=OPERATOR, key=number))

    identifier = Identifier("urn:oid:2.16.840.1.113883.19.5", number)
    demographics = Demographics(names=(Name("Doe", ("Jo",)),))
    reported = await do(ReportPatient(identifier=identifier, demographics=demographics))
    chart, person = reported.streams
    opened = await do(OpenAccount(login=number, display_name="Jo Doe", person=person))
    account = Actor(tenant=TENANT, id=opened.streams[0], kind="account", purpose="PATRQT")
    return Patient(account, chart), opened.last or 0


def _performing(house: House, patients: list[Patient]) -> Contender:
    """Before each turn every client gets grants of its own, outside the time that counts."""

    async def work(seconds: float) -> Run:
        count = math.ceil(seconds * STREAMS_PER_SECOND)
        grants = [[fresh_id() for _ in range(count)] for _ in patients]
        for grantees in zip(*grants, strict=True):
            pairs = zip(patients, grantees, strict=True)
            await asyncio.gather(*(_granted(house, p.chart, grantee) for p, grantee in pairs))
        pairs = zip(patients, grants, strict=True)
        return await closed_loop([_act(house, p, _wishes(p, mine)) for p, mine in pairs], seconds)

    return work


async def _granted(house: House, chart: str, grantee: str) -> None:
    """A grant that has been changed a few times."""
    stream = fresh_id()
    facts = [
        ProxyAccessGranted(grantee=grantee, kind="caregiver", scopes=scopes)
        for scopes in itertools.islice(itertools.cycle(SCOPES), EVENTS_BEFORE)
    ]
    wish = Append(
        tenant=TENANT,
        command=os.urandom(16),
        fingerprint=os.urandom(32),
        context=stamped(),
        drafts=tuple(Draft(stream=stream, event=f, chart=chart, owner=chart) for f in facts),
        expected=(Expected(stream=stream, version=0),),
        reservations=((Reserved("consent.grant", f"{chart}|{grantee}"), stream),),
    )
    await house.log.append(wish)


def _wishes(patient: Patient, grantees: list[str]) -> Iterator[GrantProxyAccess]:
    """Each grant in turn, always with other scopes than it has."""
    for number in itertools.count(EVENTS_BEFORE):
        for grantee in grantees:
            yield GrantProxyAccess(
                chart=patient.chart,
                grantee=grantee,
                kind="caregiver",
                scopes=SCOPES[number % len(SCOPES)],
            )


def _act(house: House, patient: Patient, mine: Iterator[GrantProxyAccess]) -> Act:
    async def perform_one() -> int:
        request = Request(command=next(mine), actor=patient.account, key=fresh_id())
        receipt = await house.do(request)
        if receipt.first is None:
            raise NothingDecided
        return 1

    return perform_one
