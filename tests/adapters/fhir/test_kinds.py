"""Every other kind of resource: filed with exact values, kept, or set aside with a reason."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from adapters.fhir import kinds
from adapters.fhir.mapping.dosage import directions
from adapters.fhir.report import ImportReport
from adapters.fhir.resources import Dosage, decode
from domain.care import CareTeamReported, OrderAnswered, OrderReported
from domain.coverage import Amount, ClaimReported
from domain.kernel.values import Absence, Moment, Period
from domain.prescriptions import MedicationReported
from domain.records import Fact, RecordFiled, ResourceKept
from tests.adapters.fhir.bundles import PATIENT, SOURCE, bundle, concept, of_patient, patient, write
from tests.adapters.fhir.memory import Memory

from adapters.fhir.importing import import_bundles  # isort: skip

pytestmark = pytest.mark.anyio
WHO = {"reference": PATIENT}


async def imported(folder: Path, memory: Memory, *resources: Any) -> ImportReport:
    return await import_bundles([write(folder, bundle(patient(), *resources))], memory, SOURCE)


async def fact(folder: Path, resource: Any) -> Fact:
    """The one fact that a resource is filed as."""
    memory = Memory()
    done = await imported(folder, memory, resource)
    assert done.problems == ()
    [event] = memory.events(RecordFiled)
    filed: Fact = event.fact
    return filed


async def test_a_procedure_keeps_its_times_as_written(tmp_path: Path) -> None:
    span = {"start": "2020-02-30"[:7], "end": "2020-03-01T10:00:00.500+01:00"}
    given = of_patient(
        "Procedure", "p", status="completed", code=concept("73761001"), performedPeriod=span,
        performer=[{"actor": {"display": "Dr. Who"}}],
    )  # fmt: skip
    filed = (await fact(tmp_path, given)).procedure
    assert filed is not None
    assert filed.performed == Period(Moment("2020-02"), Moment("2020-03-01T10:00:00.500+01:00"))
    assert filed.performers == ("Dr. Who",)


async def test_an_element_left_out_on_purpose_is_a_value(tmp_path: Path) -> None:
    url = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    given = of_patient(
        "Procedure", "p", status="completed", code=concept("1"),
        _performedDateTime={"extension": [{"url": url, "valueCode": "masked"}]},
    )  # fmt: skip
    assert (await fact(tmp_path, given)).absent == (Absence("performedDateTime", "masked"),)


async def test_the_bytes_of_a_document_are_kept_beside_it(tmp_path: Path) -> None:
    memory = Memory()
    words = "Füße warm".encode()
    content = [{"attachment": {"contentType": "text/plain", "data": b64encode(words).decode()}}]
    given = of_patient("DocumentReference", "d", status="current", content=content)
    await imported(tmp_path, memory, given)
    [event] = memory.events(RecordFiled)
    [paper] = event.fact.document.attachments
    ident, digest = await memory.trace(words)
    assert (paper.media_type, paper.size, paper.object) == ("text/plain", 11, ident)
    assert (paper.digest, memory.streams != {}) == (digest, True)
    assert digest in {kept for kept, owner in memory.kept if owner is not None}


async def test_a_member_of_a_team_is_bound_to_the_directory_with_dates(tmp_path: Path) -> None:
    memory = Memory()
    doctor = {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Grey"}]}
    member = {
        "member": {"reference": "urn:uuid:d1", "display": "Dr. Grey"},
        "period": {"start": "2020-01-01"},
    }
    team = of_patient("CareTeam", "t", status="active", participant=[member, {"member": WHO}])
    done = await imported(tmp_path, memory, doctor, team)
    assert done.unbound == {}
    [event] = memory.events(CareTeamReported)
    grey, self = event.team.members
    assert (grey.name, grey.period) == ("Dr. Grey", Period(Moment("2020-01-01"), None))
    assert grey.practitioner is not None
    assert self.practitioner is None


async def test_a_result_answers_the_order_that_it_is_based_on(tmp_path: Path) -> None:
    memory = Memory()
    order = of_patient("ServiceRequest", "s1", status="active", intent="order", code=concept("x"))
    other = of_patient("ServiceRequest", "s2", status="active", intent="order", code=concept("y"))
    report = of_patient(
        "DiagnosticReport", "r", status="final", code=concept("x"),
        basedOn=[{"reference": "urn:uuid:s1"}],
    )  # fmt: skip
    await imported(tmp_path, memory, order, other, report)
    assert len(memory.events(OrderReported)) == 2
    assert len(memory.events(OrderAnswered)) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": "As told"}, "As told"),
        (
            {
                "timing": {
                    "repeat": {
                        "frequency": 2, "period": 1, "periodUnit": "d",
                        "boundsDuration": {"value": 5, "code": "d"},
                    }
                },
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
            },
            "1 tablet twice daily for 5 days",
        ),
        (
            {
                "timing": {"repeat": {"frequency": 1, "period": 8, "periodUnit": "h"}},
                "asNeededBoolean": True,
                "doseAndRate": [{"doseQuantity": {"value": 2.50, "unit": "mL"}}],
            },
            "2.5 mL every 8 hours as needed",
        ),
        (
            {"timing": {"repeat": {"frequency": 3, "frequencyMax": 4, "period": 1.0,
                                   "periodUnit": "wk"}}},
            "3 to 4 times a week",
        ),
        ({"timing": {"repeat": {"when": ["HS"]}}, "route": {"text": "oral"}}, "oral at bedtime"),
        ({"asNeededCodeableConcept": {"text": "pain"}}, "as needed for pain"),
        ({}, None),
    ],
)  # fmt: skip
def test_a_dosage_is_told_in_words_a_patient_can_follow(given: Any, words: str | None) -> None:
    assert directions(decode(json.dumps(given).encode(), Dosage)) == words


async def test_dispensed_given_and_taken_medicines_stand_beside_orders(tmp_path: Path) -> None:
    memory = Memory()
    drug = {"medicationCodeableConcept": {"text": "Aspirin"}}
    done = await imported(
        tmp_path,
        memory,
        of_patient("MedicationStatement", "s", status="active", **drug),
        of_patient("MedicationDispense", "d", status="completed", **drug),
        of_patient(
            "MedicationAdministration", "a", status="completed", **drug,
            dosage={"dose": {"value": 1.50, "unit": "mg"}}, effectiveDateTime="2020",
        ),
    )  # fmt: skip
    assert done.problems == ()
    given = {event.order.kind: event.order for event in memory.events(MedicationReported)}
    assert given.keys() == {"statement", "dispense", "administration"}
    assert given["administration"].directions == ("1.5 mg",)


async def test_a_claim_is_filed_with_its_sum_as_written(tmp_path: Path) -> None:
    text = json.dumps(
        bundle(
            patient(),
            {"resourceType": "Claim", "id": "c", "status": "active", "patient": WHO,
             "created": "2020-01-01", "item": [{}, {}], "total": "TOTAL"},
        )
    ).replace('"TOTAL"', '{"value": 129.160, "currency": "USD"}')  # fmt: skip
    memory = Memory()
    await import_bundles([write(tmp_path, text)], memory, SOURCE)
    [event] = memory.events(ClaimReported)
    assert (event.claim.totals, event.claim.items) == ((Amount("129.160", "USD"),), 2)


async def test_what_nobody_reads_yet_is_kept_in_the_chart_or_for_the_organization(
    tmp_path: Path,
) -> None:
    memory = Memory()
    done = await imported(
        tmp_path,
        memory,
        {"resourceType": "Task", "id": "t", "status": "requested", "for": WHO,
         "authoredOn": "2020-01"},
        {"resourceType": "Slot", "id": "s", "status": "free", "start": "2020"},
        {"resourceType": "Consent", "id": "c", "status": "active",
         "patient": {"reference": "Patient/nobody"}},
    )  # fmt: skip
    assert done.yielded["Task"] == {"kept": 1}
    assert done.yielded["Slot"] == {"kept_for_the_organization": 1}
    assert done.problems == ()
    assert done.yielded["Consent"] == {"waiting": 1}
    kept = {event.resource.type: event.resource for event in memory.events(ResourceKept)}
    assert (kept["Task"].status, kept["Task"].date) == ("requested", Moment("2020-01"))
    charts = {
        w.event.resource.type: w.chart for w in memory.log if isinstance(w.event, ResourceKept)
    }
    assert (charts["Task"] is None, charts["Slot"]) == (False, None)


def test_every_type_has_one_filer() -> None:
    parts = (
        kinds.clinical, kinds.kept, kinds.record, kinds.care, kinds.medicines, kinds.coverage,
    )  # fmt: skip
    assert len(kinds.FILED_BY) == sum(len(part.FILED_BY) for part in parts)
