"""Patients with full records and accounts, and tokens for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api.auth.tokens import DEMO_ISSUER, DemoIssuer, TokenVerifier
from api.house import House, projecting
from bench.ground import TENANT, Ground
from domain.identity import OpenAccount
from domain.kernel.context import Actor
from domain.kernel.perform import Receipt, Request
from domain.kernel.values import Coding, Concept, Identifier, Moment, Name, Source
from domain.records import Condition, Fact, FileRecord
from domain.registry import Demographics, ReportPatient
from projections.catalogue import PROJECTIONS

FACTS = 100
OPERATOR = Actor(tenant=TENANT, id="bench", kind="operator", purpose="HOPERAT", reason="bench")


@dataclass(frozen=True, slots=True)
class Town:
    """A house of patients who can sign in."""

    house: House
    issuer: DemoIssuer
    accounts: tuple[str, ...]

    @property
    def verifier(self) -> TokenVerifier:
        """Of the tokens made here."""
        return TokenVerifier({DEMO_ISSUER: self.issuer.issuer}, "anamnesis", profile="demo")

    def tokens(self) -> tuple[str, ...]:
        """One of everybody; the first is the modest one."""
        return tuple(self.issuer.mint(account, TENANT, "bench") for account in self.accounts)


@asynccontextmanager
async def town(ground: Ground, people: int) -> AsyncIterator[Town]:
    """A house with so many patients, each with FACTS problems, and a projector at work."""
    async with ground.house("town") as house, projecting(house):
        settled = await asyncio.gather(*(_patient(house, number) for number in range(people)))
        last = max(position for _, position in settled)
        names = [projection.name for projection in PROJECTIONS]
        await house.progress.reach(TENANT, last, names, seconds=120)
        issuer = DemoIssuer.load_or_create(ground.folder / "issuer.pem")
        yield Town(house, issuer, tuple(account for account, _ in settled))


async def _patient(house: House, number: int) -> tuple[str, int]:
    """The account, and the position of the last event about it."""
    identifier = Identifier("urn:oid:2.16.840.1.113883.19.5", str(number))
    demographics = Demographics(names=(Name("Doe", ("Jo",)),))
    reported = await _do(
        house, ReportPatient(identifier=identifier, demographics=demographics), f"{number}"
    )
    chart, person = reported.streams
    facts = [_do(house, _problem(chart, each), f"{number}-{each}") for each in range(FACTS)]
    await asyncio.gather(*facts)
    account = OpenAccount(login=str(number), display_name="Jo Doe", person=person)
    opened = await _do(house, account, f"account {number}")
    return opened.streams[0], opened.last or 0


async def _do(house: House, command: ReportPatient | FileRecord | OpenAccount, key: str) -> Receipt:
    return await house.do(Request(command=command, actor=OPERATOR, key=key))


def _problem(chart: str, number: int) -> FileRecord:
    concept = Concept(
        codings=(
            Coding("http://snomed.info/sct", "38341003", "Hypertensive disorder"),
            Coding("http://hl7.org/fhir/sid/icd-10-cm", "I10", "Essential hypertension"),
        ),
        text=f"Hypertension, entry {number}",
    )
    condition = Condition(
        concept=concept,
        clinical_status="active",
        verification_status="confirmed",
        onset=Moment(f"{1920 + number}-04-01"),
    )
    source = Source("urn:bench", "Condition", f"{chart}-{number}", digest=str(number))
    return FileRecord(
        chart=chart, key=f"{chart}-{number}", source=source, fact=Fact(condition=condition)
    )
