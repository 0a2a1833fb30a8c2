"""Seeding: the story people through the same door as everybody's data, and their accounts.

Every step is a command under a fixed idempotency key, so seeding again changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from adapters.fhir.importing import import_bundles
from adapters.fhir.report import ImportReport, Progress
from api.house import House
from api.inbound.fhir import HouseIntake
from demo.people import ORGANIZATIONS, PEOPLE, PROXIES, Person
from demo.stories import Story, bundle_bytes, stories
from demo.stories.clinics import LAKESIDE, NPI, RIVERSIDE, npi
from domain.consent import GrantProxyAccess
from domain.directory import GiveRole, ListPractitioner, Practitioner
from domain.identity import OpenAccount
from domain.kernel.command import Command, Reserved
from domain.kernel.context import Actor
from domain.kernel.perform import Receipt, Request
from domain.kernel.values import Name
from domain.registry import RegisterPerson

TOLD_ON = "told-on"
CLINICS = {clinic.tenant: clinic for clinic in (RIVERSIDE, LAKESIDE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """What seeding made: accounts and charts by key, and the import report of each tenant."""

    accounts: dict[str, str]
    charts: dict[str, str]
    reports: dict[str, ImportReport]


def seeding_actor(tenant: str, operator: str = "demo") -> Actor:
    """Who seeds."""
    return Actor(
        tenant=tenant, id=operator, kind="operator", client="demo", reason="seed the demonstration"
    )


def source_of(tenant: str) -> str:
    """The URI of a tenant's record system."""
    return f"urn:anamnesis:demo:{tenant}"


def write_bundles(folder: Path) -> dict[str, Path]:
    """The stories' bundles as files, one folder per tenant.

    They are told as of the day on which they were first written to this folder.
    """
    for story in stories(told_on(folder)):
        place = folder / story.tenant
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        (place / f"{story.key}.json").write_bytes(bundle_bytes(story))
    return {tenant: folder / tenant for tenant in ORGANIZATIONS}


def told_on(folder: Path) -> date:
    """The day as of which the stories of a folder are told: the one on which it is first asked."""
    note = folder / TOLD_ON
    if not note.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.write_text(datetime.now(UTC).date().isoformat())
    return date.fromisoformat(note.read_text())


async def import_stories(
    house: House, folder: Path, tell: Callable[[str, Progress], None], operator: str = "demo"
) -> dict[str, ImportReport]:
    """Import every tenant's bundles; returns the reports."""
    reports = {}
    for tenant, place in write_bundles(folder).items():
        intake = HouseIntake(house, seeding_actor(tenant, operator))

        def moved(progress: Progress, tenant: str = tenant) -> None:
            tell(tenant, progress)

        reports[tenant] = await import_bundles([place], intake, source_of(tenant), progress=moved)
    return reports


async def seed(house: House, folder: Path, tell: Callable[[str, Progress], None]) -> Seeded:
    """Records, people, roles and grants."""
    reports = await import_stories(house, folder, tell)
    desk = _Desk(house)
    for story in stories():
        desk.charts[story.key], desk.persons[story.key] = await desk.patient(story)
    for person in PEOPLE:
        desk.accounts[person.key] = await desk.account(person)
    for proxy in PROXIES:
        grant = GrantProxyAccess(
            chart=desk.charts[proxy.patient],
            grantee=desk.persons[proxy.grantee],
            kind=proxy.kind,
            scopes=proxy.scopes,
        )
        tenant = next(p.tenant for p in PEOPLE if p.key == proxy.grantee)
        await desk.do(tenant, grant, f"grant {proxy.patient} {proxy.grantee}")
    return Seeded(accounts=desk.accounts, charts=desk.charts, reports=reports)


class _Desk:
    """Where people are given accounts."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.accounts: dict[str, str] = {}
        self.charts: dict[str, str] = {}
        self.persons: dict[str, str] = {}

    async def do(self, tenant: str, command: Command[Any], key: str) -> Receipt:
        request = Request(command=command, actor=seeding_actor(tenant), key=key)
        return await self._house.do(request)

    async def patient(self, story: Story) -> tuple[str, str]:
        """The chart and the person that the import made for a story."""
        number = _medical_record_number(story)
        chart = await self._house.log.find(story.tenant, Reserved("registry.chart", number))
        of_chart = Reserved("registry.person-of-chart", number)
        person = await self._house.log.find(story.tenant, of_chart)
        if chart is None or person is None:
            raise LookupError(f"the story of {story.key} was not imported")
        return chart, person

    async def account(self, person: Person) -> str:
        """The account of a person, as themselves or as staff."""
        practitioner = await self._practitioner(person)
        if practitioner is None and person.story is None:
            wish = RegisterPerson(key=person.key)
            receipt = await self.do(person.tenant, wish, f"person {person.key}")
            self.persons[person.key] = receipt.streams[0]
        opened = await self.do(
            person.tenant,
            OpenAccount(
                login=person.key,
                display_name=person.name,
                person=None if practitioner else self.persons[person.key],
                practitioner=practitioner,
            ),
            f"account {person.key}",
        )
        return opened.streams[0]

    async def _practitioner(self, person: Person) -> str | None:
        if person.clinician is not None:
            stem = CLINICS[person.tenant].clinicians[person.clinician].stem
            number = Reserved("directory.practitioner", f"{NPI}|{npi(stem)}")
            ident = await self._house.log.find(person.tenant, number)
            role = "clinician"
        elif person.staff_role is not None:
            given, _, family = person.name.partition(" ")
            listing = ListPractitioner(
                key=f"{source_of(person.tenant)}|staff|{person.key}",
                practitioner=Practitioner(names=(Name(family, (given,)),)),
            )
            receipt = await self.do(person.tenant, listing, f"staff {person.key}")
            ident, role = receipt.streams[0], person.staff_role
        else:
            return None
        if ident is None:
            raise LookupError(f"{person.key} is in no bundle")
        await self.do(person.tenant, GiveRole(practitioner=ident, role=role), f"role {person.key}")
        return ident


def _medical_record_number(story: Story) -> str:
    entries: Any = story.bundle["entry"]
    patient = next(
        entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Patient"
    )
    identifier = patient["identifier"][0]
    return f"{identifier['system']}|{identifier['value']}"
