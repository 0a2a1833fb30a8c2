"""The patients whom the dashboard is measured with, filed by ordinary commands.

Profile, 5 visits, 10 laboratory reports of 8 values each, 8 medications, 5 conditions: the answer
to `DASHBOARD` has about 500 leaves.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

from api.house import House, projecting
from bench.ground import TENANT
from domain.care import JoinCareTeam, ReportEncounter, Visit
from domain.directory import GiveRole, ListPractitioner, Practitioner
from domain.identity import OpenAccount
from domain.kernel.command import Command
from domain.kernel.context import Actor
from domain.kernel.perform import Receipt, Request
from domain.kernel.values import Coding, Concept, Identifier, Moment, Name, Period, Quantity, Source
from domain.prescriptions import MedicationOrder, ReportPrescription
from domain.records import Condition, Fact, FileRecord
from domain.registry import Demographics, ReportPatient
from domain.results import Analyte, ReceiveResult, Report
from projections.catalogue import PROJECTIONS

SYSTEM = "urn:oid:2.16.840.1.113883.19.5"
OPERATOR = Actor(tenant=TENANT, id="bench", kind="operator", purpose="HOPERAT", reason="bench")
NAMES = tuple(projection.name for projection in PROJECTIONS)
VISITS, REPORTS, VALUES, MEDICATIONS, CONDITIONS = 5, 10, 8, 8, 5
DASHBOARD = """query Dashboard {
  record {
    patient { id name birthDate { text } gender medicalRecordNumber }
    visits(first: 5) { edges { node { id status start { text } types { text } } } }
    labReports(first: 10) { edges { node { id status code { text } issued { text }
      observations { code { text } status value { value unit } effective { text } } } } }
    medications(first: 10) { edges { node { id status code { text } directions } } }
    conditions(first: 10) { edges { node { id code { text } clinicalStatus onset { text } } } }
  }
}"""


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody with an account and a chart."""

    account: str
    person: str
    chart: str


def _concept(code: str, words: str) -> Concept:
    return Concept((Coding("http://loinc.org", code, words),), words)


def _on(month: int, day: int) -> Moment:
    return Moment(f"2026-{month:02}-{day:02}T09:30:00+01:00")


def _source(kind: str, number: int) -> Source:
    return Source(SYSTEM, kind, f"{kind}-{number}")


def visits() -> list[Visit]:
    """Finished visits, one a month."""
    return [
        Visit(
            status="finished",
            kind=Coding(code="AMB"),
            types=(_concept("185349003", f"Encounter for check up, part {number}"),),
            period=Period(_on(number, 1), _on(number, 1)),
        )
        for number in range(1, VISITS + 1)
    ]


def reports() -> list[Report]:
    """Metabolic panels."""
    return [
        Report(
            category="laboratory",
            concept=_concept("51990-0", "Basic metabolic panel - Blood"),
            status="final",
            effective=_on(number, 2),
            issued=_on(number, 3),
            performers=("Riverside Laboratory",),
            observations=tuple(_analyte(number, value) for value in range(VALUES)),
        )
        for number in range(1, REPORTS + 1)
    ]


def _analyte(number: int, value: int) -> Analyte:
    return Analyte(
        concept=_concept(f"{2339 + value}-0", f"Analyte {value} [Mass/volume] in Blood"),
        status="final",
        effective=_on(number, 2),
        quantity=Quantity(f"{70 + number}.{value}", "mg/dL", "mg/dL", "http://unitsofmeasure.org"),
        source=_source("Observation", number * 10 + value),
    )


def medications() -> list[MedicationOrder]:
    """Medications in use."""
    return [
        MedicationOrder(
            medication=_concept(f"31495{number}", f"Lisinopril {number} MG Oral Tablet"),
            status="active",
            authored=_on(number + 1, 4),
            directions=("One tablet every morning.",),
        )
        for number in range(MEDICATIONS)
    ]


def conditions() -> list[Condition]:
    """Problems."""
    return [
        Condition(
            concept=_concept(f"5962100{number}", f"Essential hypertension, grade {number}"),
            clinical_status="active",
            onset=_on(number + 1, 5),
        )
        for number in range(CONDITIONS)
    ]


def _facts(chart: str) -> Iterator[Command[Any]]:
    for number, visit in enumerate(visits()):
        source = _source("Encounter", number)
        yield ReportEncounter(chart=chart, key=source.id, visit=visit, source=source)
    for number, report in enumerate(reports()):
        source = _source("DiagnosticReport", number)
        yield ReceiveResult(chart=chart, key=source.id, report=report, source=source)
    for number, order in enumerate(medications()):
        source = _source("MedicationRequest", number)
        yield ReportPrescription(chart=chart, key=source.id, order=order, source=source)
    for number, condition in enumerate(conditions()):
        source = _source("Condition", number)
        yield FileRecord(chart=chart, key=source.id, source=source, fact=Fact(condition=condition))


async def do(house: House, command: Command[Any], key: str = "1") -> Receipt:
    """An operator's command."""
    return await house.do(Request(command=command, actor=OPERATOR, key=key))


async def open_chart(house: House, number: str) -> Resident:
    """A patient with an account and an empty record."""
    demographics = Demographics(
        names=(Name("Doe", ("Jo", number)),), birth_date=Moment("1970-04-01"), gender="female"
    )
    patient = ReportPatient(identifier=Identifier(SYSTEM, number), demographics=demographics)
    chart, person = (await do(house, patient, number)).streams
    account = OpenAccount(login=number, display_name="Jo Doe", person=person)
    return Resident((await do(house, account, number)).streams[0], person, chart)


async def one_patient(house: House) -> Resident:
    """A patient with the whole record; returned when every read model has it."""
    return (await waiting_room(house, 1))[0]


async def waiting_room(house: House, patients: int) -> list[Resident]:
    """So many patients with the same record; returned when every read model has them."""
    async with projecting(house):
        residents = [await open_chart(house, str(number + 1)) for number in range(patients)]
        for resident in residents:
            for number, command in enumerate(_facts(resident.chart)):
                filed = await do(house, command, f"{resident.chart} {number}")
        await house.progress.reach(TENANT, filed.last or 0, NAMES, seconds=60)
    return residents


async def clinic(house: House, charts: int) -> tuple[str, list[Resident]]:
    """A clinician's account and so many patients with a visit; every read model has them."""
    async with projecting(house):
        listing = ListPractitioner(key="clinician", practitioner=Practitioner(names=(Name("Who"),)))
        practitioner = (await do(house, listing)).streams[0]
        await do(house, GiveRole(practitioner=practitioner, role="clinician"))
        opening = OpenAccount(login="dr", display_name="Dr Who", practitioner=practitioner)
        account = (await do(house, opening)).streams[0]
        patients = [await open_chart(house, f"{number:03}") for number in range(charts)]
        for resident, visit in zip(patients, cycle(visits()), strict=False):
            seen = replace(visit, practitioners=(practitioner,))
            source = _source("Encounter", 0)
            report = ReportEncounter(chart=resident.chart, key=source.id, visit=seen, source=source)
            filed = await do(house, report, resident.chart)
            team = JoinCareTeam(chart=resident.chart, practitioner=practitioner, function="doctor")
            filed = await do(house, team, resident.chart)
        await house.progress.reach(TENANT, filed.last or 0, NAMES, seconds=60)
    return account, patients
