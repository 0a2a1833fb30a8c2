"""The real sample input: every file, exact totals, nothing lost, and nothing written twice."""

import json
import os
from collections import Counter
from pathlib import Path
from time import process_time

import pytest

from adapters.fhir import resources
from adapters.fhir.files import bundles_at, read_bundle
from adapters.fhir.importing import import_bundles
from adapters.fhir.mapping import records
from adapters.fhir.report import ImportReport
from domain.records import RecordFiled
from domain.results import ResultReceived
from tests.adapters.fhir.memory import Memory

pytestmark = [pytest.mark.anyio, pytest.mark.samples]

SOURCE = "urn:example:samples"
GENERATIONS = ("v2.4", "v3", "hiv")


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(os.environ["ANAMNESIS_SAMPLES"]) / "synthea"


@pytest.fixture(scope="module")
def memory() -> Memory:
    return Memory()


@pytest.fixture(scope="module")
async def done(folder: Path, memory: Memory) -> ImportReport:
    return await import_bundles([folder], memory, SOURCE)


@pytest.fixture(scope="module")
def expected(folder: Path) -> Counter[str]:
    """Resources by type, as they were counted when the samples were collected."""
    counted = json.loads((folder / "EXPECTED.json").read_bytes())
    return sum((Counter(one["resources"]) for one in counted.values()), Counter())


async def test_every_resource_is_read(done: ImportReport, expected: Counter[str]) -> None:
    assert done.resources == dict(sorted(expected.items()))
    assert done.problems == ()
    assert [one.file for one in done.ignored] == ["EXPECTED.json"]
    assert done.files == 59


async def test_every_resource_is_accounted_for(done: ImportReport, expected: Counter[str]) -> None:
    filed = Counter({name: sum(kinds.values()) for name, kinds in done.yielded.items()})

    assert filed + Counter(done.not_imported) == expected


async def test_the_yield_is_exact(done: ImportReport) -> None:
    assert done.not_imported == {}
    assert done.yielded == {
        "AllergyIntolerance": {"allergies": 62},
        "CarePlan": {"care_plans": 168},
        "CareTeam": {"care_teams": 76},
        "Claim": {"claims": 3004},
        "Condition": {"conditions": 751},
        "Device": {"devices": 21},
        "DiagnosticReport": {
            "laboratory_reports": 510,
            "notes": 1223,
            "other_reports": 3,
            "survey_reports": 347,
        },
        "DocumentReference": {"documents": 1223},
        "Encounter": {"encounters": 2267},
        "ExplanationOfBenefit": {"claims": 2717},
        "Goal": {"goals": 62},
        "ImagingStudy": {"imaging_studies": 30},
        "Immunization": {"immunizations": 1017},
        "Location": {"places": 1191},
        "Media": {"documents": 5},
        "Medication": {"in_prescriptions": 10},
        "MedicationAdministration": {"administrations": 10},
        "MedicationRequest": {"prescriptions": 737},
        "Observation": {"filed": 5162, "in_reports": 4266, "standalone_laboratory": 481},
        "Organization": {"organizations": 1340},
        "Patient": {"charts": 55},
        "Practitioner": {"practitioners": 1340},
        "PractitionerRole": {"functions": 1191},
        "Procedure": {"procedures": 3178},
        "Provenance": {"provenance": 25},
        "SupplyDelivery": {"devices": 113},
    }


async def test_events_are_what_commands_and_receipts_say(
    done: ImportReport, memory: Memory
) -> None:
    assert done.events_written == len(memory.log) == done.last_position
    assert len(memory.events(RecordFiled)) == done.commands["records.file-record"]
    assert len(memory.events(ResultReceived)) == done.commands["results.receive-result"]


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_each_generation_is_filed_whole(folder: Path, generation: str) -> None:
    files = [path for path in bundles_at([folder]) if path.name.startswith(f"{generation}-")]

    done = await import_bundles(files, Memory(), SOURCE)

    assert done.files == len(files)
    assert done.problems == ()
    assert done.yielded["Patient"] == {
        "charts": sum("Information" not in path.name for path in files)
    }


async def test_running_again_writes_nothing(
    folder: Path, done: ImportReport, memory: Memory
) -> None:
    again = await import_bundles([folder], memory, SOURCE)

    assert (again.events_written, again.unchanged) == (0, sum(again.commands.values()))
    assert (again.yielded, again.unbound) == (done.yielded, done.unbound)


async def test_written_numbers_survive(folder: Path) -> None:
    """Every valueQuantity stands in the received bytes as the domain holds it."""
    for path in bundles_at([folder]):
        if "Information" in path.name or path.name == "EXPECTED.json":
            continue
        for entry in read_bundle(path).entries:
            if entry.resource_type != "Observation":
                continue
            fact, _ = records.observation(entry.decode(resources.Observation), None)
            assert fact.observation is not None
            if fact.observation.quantity and fact.observation.quantity.value:
                plain = json.loads(entry.content, parse_float=str, parse_int=str)
                assert plain["valueQuantity"]["value"] == fact.observation.quantity.value


async def test_mapping_takes_less_than_100_microseconds_a_resource(folder: Path) -> None:
    entries = [
        one
        for path in bundles_at([folder])
        if path.name.startswith("v3-")
        for one in read_bundle(path).entries
        if one.resource_type == "Observation"
    ]

    started = process_time()
    for entry in entries:
        records.observation(entry.decode(resources.Observation), None)

    assert (process_time() - started) / len(entries) < 100e-6
