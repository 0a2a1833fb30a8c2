"""Bundles through the command path: order, references, what is set aside, and running again."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from adapters.fhir.files import read_bundle
from adapters.fhir.importing import import_bundles
from adapters.fhir.mapping.values import NPI
from adapters.fhir.reading import Problem
from adapters.fhir.report import ImportReport, Progress
from domain.care import EncounterReported
from domain.kernel.command import Command, Reserved
from domain.kernel.perform import Receipt
from domain.kernel.refusal import Busy
from domain.prescriptions import PrescriptionReported
from domain.records import RecordCorrected, RecordFiled
from domain.registry import ChartOpened
from domain.results import ResultReceived
from tests.adapters.fhir.bundles import (
    PATIENT,
    SOURCE,
    Json,
    bundle,
    concept,
    observation,
    of_patient,
    patient,
    report,
    write,
)
from tests.adapters.fhir.memory import Memory

pytestmark = pytest.mark.anyio


async def imported(folder: Path, memory: Memory, *given: Json, **options: Any) -> ImportReport:
    """The report of importing one bundle of these resources."""
    return await import_bundles([write(folder, bundle(*given))], memory, SOURCE, **options)


def encounter(id: str, **members: Any) -> Json:
    return of_patient("Encounter", id, status="finished", **members)


def practitioner(id: str, npi: str) -> Json:
    identifier = [{"system": NPI, "value": npi}]
    return {"resourceType": "Practitioner", "id": id, "identifier": identifier, "name": []}


def organization(id: str) -> Json:
    return {"resourceType": "Organization", "id": id, "name": "Clinic"}


def kept_by(memory: Memory, path: Path) -> dict[str, str | None]:
    """Owner of the kept bytes by resource id, for what was kept of a file."""
    owners = dict(memory.kept)
    digests = {entry.id: sha256(entry.content).hexdigest() for entry in read_bundle(path).entries}
    return {id: owners[digest] for id, digest in digests.items() if digest in owners}


async def test_a_stage_is_done_before_the_next_whatever_the_order_in_the_bundle(
    tmp_path: Path,
) -> None:
    memory = Memory()

    await imported(
        tmp_path, memory, observation("o1"), encounter("e1"), patient(), practitioner("d1", "1")
    )

    assert [name for verb, name in memory.journal if verb == "do"] == [
        "directory.list-practitioner",
        "registry.report-patient",
        "care.report-encounter",
        "records.file-record",
    ]


async def test_facts_of_one_stage_are_filed_in_parallel_up_to_the_limit(tmp_path: Path) -> None:
    wide, narrow = Memory(), Memory()
    many = [observation(f"o{number}") for number in range(20)]

    await imported(tmp_path, wide, patient(), *many)
    await imported(tmp_path, narrow, patient(), *many, concurrency=3)

    assert (wide.most_running, narrow.most_running) == (20, 3)


async def test_bytes_are_kept_under_their_chart_before_the_event_that_points_at_them(
    tmp_path: Path,
) -> None:
    memory = Memory()
    given = (patient(), organization("g1"), report("r1", "o1"), observation("o1"))

    await imported(tmp_path, memory, *given)

    chart = memory.log[1].chart
    path = tmp_path / "bundle.json"
    assert kept_by(memory, path) == {"p1": chart, "g1": None, "r1": chart, "o1": chart}
    verbs = [name if verb == "do" else verb for verb, name in memory.journal]
    assert verbs == [
        *("keep", "directory.list-organization"),
        *("registry.report-patient", "keep"),
        *("keep", "keep", "results.receive-result"),
    ]


async def test_references_inside_the_bundle_stand_for_streams(tmp_path: Path) -> None:
    memory = Memory()
    visit = encounter(
        "e1",
        participant=[{"individual": {"reference": "Practitioner/d1"}}],
        serviceProvider={"reference": "urn:uuid:g1"},
    )
    fact = observation("o1", encounter={"reference": "Encounter/e1/_history/2"})

    done = await imported(
        tmp_path, memory, patient(), practitioner("d1", "1"), organization("g1"), visit, fact
    )

    (reported,) = memory.events(EncounterReported)
    doctor = memory.reservations[Reserved("directory.practitioner", f"{NPI}|1")]
    clinic = memory.reservations[Reserved("directory.organization", f"{SOURCE}|Organization|g1")]
    assert (reported.visit.practitioners, reported.visit.organization) == ((doctor,), clinic)
    assert memory.events(RecordFiled)[0].fact.encounter == reported.encounter
    assert done.unbound == {}


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": f"Practitioner?identifier={NPI}|1"},
        {"reference": "Practitioner?identifier=http%3A%2F%2Fhl7.org%2Ffhir%2Fsid%2Fus-npi%7C1"},
        {"identifier": {"system": NPI, "value": "1"}},
    ],
)
async def test_a_practitioner_of_another_file_is_found_by_identifier_in_any_file_order(
    tmp_path: Path, reference: Json
) -> None:
    memory = Memory()
    visit = encounter("e1", participant=[{"individual": reference}] * 2)
    write(tmp_path, bundle(patient(), visit), "a.json")
    write(tmp_path, bundle(practitioner("d1", "1"), type="batch"), "b.json")

    await import_bundles([tmp_path], memory, SOURCE)

    doctor = memory.reservations[Reserved("directory.practitioner", f"{NPI}|1")]
    assert memory.events(EncounterReported)[0].visit.practitioners == (doctor,)


async def test_patient_and_encounter_of_an_earlier_bundle_are_found_by_their_source_id(
    tmp_path: Path,
) -> None:
    memory = Memory()
    await imported(tmp_path, memory, patient(), encounter("e1"))
    later = observation(
        "o1", subject={"reference": "Patient/p1"}, encounter={"reference": "Encounter/e1"}
    )

    done = await imported(tmp_path, memory, later)

    (chart,) = {written.chart for written in memory.log if written.chart}
    assert memory.log[-1].chart == chart
    encounter_id = memory.events(EncounterReported)[0].encounter
    assert memory.events(RecordFiled)[0].fact.encounter == encounter_id
    assert (done.problems, done.unbound) == ((), {})


async def test_files_of_single_resources_are_bound_whatever_their_names(tmp_path: Path) -> None:
    memory = Memory()
    number = {"system": "urn:mr", "value": "1"}
    visit = encounter(
        "e1",
        subject={"reference": "Patient/p1"},
        participant=[{"individual": {"reference": "Practitioner/d1"}}],
    )
    fact = observation(
        "o1", subject={"reference": "Patient/p1"}, encounter={"reference": "Encounter/e1"}
    )
    for name, one in enumerate(
        (fact, visit, patient(identifier=[number]), practitioner("d1", "1"))
    ):
        write(tmp_path, one, f"{name}.json")

    done = await import_bundles([tmp_path], memory, SOURCE)

    assert (done.problems, done.unbound, done.events_written) == ((), {}, 6)
    (reported,) = memory.events(EncounterReported)
    assert reported.visit.practitioners == (memory.log[0].stream,)
    assert memory.events(RecordFiled)[0].fact.encounter == reported.encounter


async def test_unbound_references_are_counted_and_the_fact_is_filed_without_them(
    tmp_path: Path,
) -> None:
    memory = Memory()
    visit = encounter(
        "e1",
        participant=[
            {"individual": {"reference": f"Practitioner?identifier={NPI}|404"}},
            {"individual": {"reference": "PractitionerRole/1"}},
            {},
        ],
        serviceProvider={"reference": "urn:uuid:p1"},
    )
    fact = observation("o1", encounter={"reference": "http://elsewhere/Encounter/e1"})

    done = await imported(tmp_path, memory, patient(), visit, fact, report("r1", "gone"))

    assert done.unbound == {
        "Encounter": 1,
        "Observation": 1,
        "Organization": 1,
        "PractitionerRole": 1,
    }
    assert done.late == {"Practitioner": 1}
    assert memory.events(RecordFiled)[0].fact.encounter is None
    assert memory.events(ResultReceived)[0].report.observations == ()


async def test_observations_are_filed_with_their_report_as_results_or_alone(
    tmp_path: Path,
) -> None:
    memory = Memory()
    note = report("n1", presentedForm=[{"contentType": "text/plain"}])

    done = await imported(
        tmp_path,
        memory,
        patient(),
        report("r1", "o1", "o2", category=[concept("LAB")]),
        observation("o1", category="laboratory"),
        observation("o2", category="laboratory"),
        observation("o3", category="laboratory"),
        observation("o4"),
        note,
    )

    received = {event.source.id: event.report for event in memory.events(ResultReceived)}
    parts = {id: [one.source.id for one in held.observations] for id, held in received.items()}
    assert parts == {"r1": ["o1", "o2"], "o3": ["o3"]}
    assert done.yielded == {
        "DiagnosticReport": {"laboratory_reports": 1, "notes": 1},
        "Observation": {"filed": 1, "in_reports": 2, "standalone_laboratory": 1},
        "Patient": {"charts": 1},
    }
    assert done.commands == {
        "records.file-record": 2,
        "registry.report-patient": 1,
        "results.receive-result": 2,
    }


async def test_sources_name_the_kept_bytes(tmp_path: Path) -> None:
    memory = Memory()
    await imported(tmp_path, memory, patient(), observation("o1"))

    content = read_bundle(tmp_path / "bundle.json").entries[1].content
    source = memory.events(RecordFiled)[0].source
    assert (source.system, source.type, source.id) == (SOURCE, "Observation", "o1")
    assert (source.object, source.digest) == await memory.trace(content)


async def test_a_prescription_takes_medication_and_reasons_from_the_bundle(tmp_path: Path) -> None:
    memory = Memory()
    request = of_patient(
        "MedicationRequest",
        "m1",
        status="active",
        medicationReference={"reference": "urn:uuid:d1"},
        reasonReference=[
            {"reference": "urn:uuid:c1"},
            {"reference": "urn:uuid:gone", "display": "Pain"},
        ],
    )
    drug = {"resourceType": "Medication", "id": "d1", "code": {"text": "Aspirin"}}
    unused = {"resourceType": "Medication", "id": "d2", "code": {"text": "Other"}}
    cause = of_patient("Condition", "c1", code={"text": "Fever"})

    done = await imported(tmp_path, memory, patient(), request, drug, unused, cause)

    order = memory.events(PrescriptionReported)[0].order
    assert order.medication.words == "Aspirin"
    assert [reason.words for reason in order.reasons] == ["Fever", "Pain"]
    assert done.yielded["Medication"] == {"in_prescriptions": 1, "kept_for_the_organization": 1}
    assert done.not_imported == {}
    assert "d1" in kept_by(memory, tmp_path / "bundle.json")


async def test_what_has_no_owner_yet_is_counted_by_type(tmp_path: Path) -> None:
    done = await imported(
        tmp_path, Memory(), patient(), of_patient("Novelty", "n1"), of_patient("Sensation", "s1")
    )

    assert done.not_imported == {"Novelty": 1, "Sensation": 1}
    assert done.resources == {"Novelty": 1, "Patient": 1, "Sensation": 1}


async def test_what_is_malformed_is_set_aside_with_a_reason_and_the_rest_goes_in(
    tmp_path: Path,
) -> None:
    memory = Memory()
    broken = report("r1", "o2")
    broken["status"] = 5

    done = await imported(
        tmp_path,
        memory,
        patient(),
        observation("o1", effectiveDateTime="Secret"),
        observation("o2"),
        broken,
        of_patient("MedicationRequest", "m1", status="active"),
        {"resourceType": "Condition"},
        observation("o3", subject={"reference": "Group/1"}),
        observation("o4", code=None),
    )

    file = "bundle.json"
    assert done.problems == (
        Problem(file=file, entry=1, type="Observation", reason="bad-date"),
        Problem(file=file, entry=3, type="DiagnosticReport", reason="malformed", at="$.status"),
        Problem(file=file, entry=4, type="MedicationRequest", reason="no-medication"),
        Problem(file=file, entry=7, type="Observation", reason="malformed", at="$.code"),
    )
    assert done.yielded["Observation"] == {"filed": 1, "waiting": 1}
    assert done.yielded["Condition"] == {"waiting": 1}
    assert [event.source.id for event in memory.events(RecordFiled)] == ["o2"]


async def test_a_report_that_is_set_aside_takes_its_observations_with_it(tmp_path: Path) -> None:
    memory = Memory()
    other = {"resourceType": "Patient", "id": "p2"}
    stranger = observation("o2", subject={"reference": "urn:uuid:p2"})

    done = await imported(
        tmp_path, memory, patient(), other, report("r1", "o1", "o2"), observation("o1"), stranger
    )

    assert [(one.entry, one.reason) for one in done.problems] == [
        (2, "other-patient"),
        (3, "report-set-aside"),
        (4, "report-set-aside"),
    ]
    assert memory.events(ResultReceived) == []
    assert memory.events(RecordFiled) == []


async def test_a_fact_whose_encounter_is_of_another_patient_is_set_aside(tmp_path: Path) -> None:
    other = {"resourceType": "Patient", "id": "p2"}
    visit = encounter("e1", subject={"reference": "urn:uuid:p2"})
    fact = observation("o1", encounter={"reference": "urn:uuid:e1"})

    done = await imported(tmp_path, Memory(), patient(), other, visit, fact)

    assert [(one.entry, one.reason) for one in done.problems] == [(3, "other-patient")]


async def test_a_malformed_observation_is_left_out_of_its_report(tmp_path: Path) -> None:
    memory = Memory()

    done = await imported(
        tmp_path,
        memory,
        patient(),
        report("r1", "o1", "o2"),
        observation("o1", status=[]),
        observation("o2"),
    )

    assert [(one.entry, one.reason, one.at) for one in done.problems] == [
        (2, "malformed", "$.status")
    ]
    (received,) = memory.events(ResultReceived)
    assert [analyte.source.id for analyte in received.report.observations] == ["o2"]


async def test_a_broken_file_is_a_problem_and_a_foreign_file_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, b"{", "a.json")
    write(tmp_path, {"counts": 1}, "b.json")
    write(tmp_path, patient(), "c.json")

    done = await import_bundles([tmp_path], Memory(), SOURCE)

    assert done.problems == (Problem(file="a.json", reason="bad-json"),)
    assert done.ignored == (Problem(file="b.json", reason="not-fhir"),)
    assert (done.files, done.yielded) == (1, {"Patient": {"charts": 1}})


class BusyMemory(Memory):
    """A platform that is too busy for visits."""

    async def do(self, command: Command[Any], key: str) -> Receipt:
        if command.operation == "care.report-encounter":
            raise Busy()
        return await super().do(command, key)


class LostMemory(Memory):
    """A platform whose connection breaks at the first visit."""

    async def do(self, command: Command[Any], key: str) -> Receipt:
        if command.operation == "care.report-encounter":
            raise ConnectionError
        return await super().do(command, key)


async def test_a_refusal_sets_the_resource_aside_under_its_code(tmp_path: Path) -> None:
    done = await imported(tmp_path, BusyMemory(), patient(), encounter("e1"))

    assert [(one.type, one.reason) for one in done.problems] == [("Encounter", Busy.code)]


async def test_running_again_repeats_every_command_and_writes_nothing(tmp_path: Path) -> None:
    memory = Memory()
    given = (
        patient(deceasedBoolean=True),
        practitioner("d1", "1"),
        encounter("e1"),
        observation("o1", encounter={"reference": "urn:uuid:e1"}),
        report("r1", "o2"),
        observation("o2"),
    )
    first = await imported(tmp_path, memory, *given)
    written, keys = list(memory.log), set(memory.commands)

    again = await imported(tmp_path, memory, *given)

    assert memory.log == written
    assert set(memory.commands) == keys
    assert (first.events_written, first.last_position) == (len(written), len(written))
    assert (again.events_written, again.unchanged) == (0, 5)
    assert again.last_position == first.last_position
    assert (again.yielded, again.problems) == (first.yielded, ())


async def test_a_fact_that_is_sent_again_with_other_content_is_corrected(tmp_path: Path) -> None:
    memory = Memory()
    await imported(tmp_path, memory, patient(), observation("o1", valueString="a"))

    done = await imported(tmp_path, memory, patient(), observation("o1", valueString="b"))

    (corrected,) = memory.events(RecordCorrected)
    assert corrected.item == memory.events(RecordFiled)[0].item
    assert (done.events_written, done.unchanged) == (1, 1)


async def test_a_chart_is_opened_once_for_the_same_record_number(tmp_path: Path) -> None:
    memory = Memory()
    number = {"system": "urn:mr", "value": "1", "type": {"coding": [{"code": "MR"}]}}
    write(tmp_path, bundle(patient(identifier=[number])), "a.json")
    write(tmp_path, bundle(patient(identifier=[number], gender="male")), "b.json")

    done = await import_bundles([tmp_path], memory, SOURCE)

    assert len(memory.events(ChartOpened)) == 1
    assert done.events_written == 4


async def test_an_import_goes_on_where_a_lost_platform_stopped_it(tmp_path: Path) -> None:
    memory = Memory()
    lost = LostMemory(memory.log, memory.streams, memory.reservations, memory.commands)
    given = (patient(), encounter("e1"), observation("o1"))
    await imported(tmp_path, whole := Memory(), *given)

    with pytest.raises(ExceptionGroup) as caught:
        await imported(tmp_path, lost, *given)
    done = await imported(tmp_path, memory, *given)

    assert isinstance(caught.value.exceptions[0], ConnectionError)
    assert [type(one.event) for one in memory.log] == [type(one.event) for one in whole.log]
    assert (done.events_written, done.unchanged) == (2, 1)


async def test_progress_is_told_after_every_stage(tmp_path: Path) -> None:
    seen: list[Progress] = []

    await imported(
        tmp_path, Memory(), patient(), encounter("e1"), observation("o1"), progress=seen.append
    )

    assert [(one.files, one.of_files, one.resources, one.events_written) for one in seen] == [
        (1, 1, 0, 0),
        (1, 1, 1, 3),
        (1, 1, 2, 4),
        (1, 1, 3, 5),
    ]
    assert PATIENT not in repr(seen)
