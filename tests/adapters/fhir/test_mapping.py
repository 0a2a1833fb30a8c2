"""Resources of the directory, the registry, care and prescriptions as domain facts."""

import json
from typing import Any, TypeVar

import pytest

from adapters.fhir import resources
from adapters.fhir.mapping import care, directory, prescriptions, registry
from adapters.fhir.mapping.values import NPI, Unusable, business_key
from domain.care import Visit
from domain.directory import Organization, Practitioner
from domain.kernel.values import Coding, Concept, Identifier, Moment, Name, Period
from domain.prescriptions import MedicationOrder
from domain.registry import Demographics
from tests.adapters.fhir.bundles import SOURCE, concept

W = TypeVar("W", bound=resources.Wire)


def given(kind: type[W], **members: Any) -> W:
    return resources.decode(json.dumps(members).encode(), kind)


def test_a_patient_is_reported_with_everything_the_authority_said() -> None:
    patient = given(
        resources.Patient,
        identifier=[
            {"system": "urn:a", "value": "1"},
            {"system": "urn:mr", "value": "2", "type": {"coding": [{"code": "MR"}]}},
            {"system": "urn:none"},
        ],
        name=[
            {"use": "maiden", "family": "Before"},
            {"use": "official", "family": "Doe", "given": ["Ann", "Bea"], "prefix": ["Dr."]},
        ],
        gender="female",
        birthDate="1970-05",
        telecom=[{"system": "phone", "value": "555-1"}, {"system": "email"}],
        address=[{"line": ["1 Way"], "city": "Ware", "postalCode": "01082"}, {"text": "Here"}],
        communication=[
            {"language": concept("en")},
            {"language": concept("es"), "preferred": True},
        ],
    )

    assert registry.demographics(patient, SOURCE) == Demographics(
        names=(Name("Doe", ("Ann", "Bea"), ("Dr.",)), Name("Before")),
        birth_date=Moment("1970-05"),
        gender="female",
        languages=(
            Concept((Coding("http://loinc.org", "es"),)),
            Concept((Coding("http://loinc.org", "en"),)),
        ),
        telecoms=("555-1",),
        addresses=("1 Way, Ware, 01082", "Here"),
        identifiers=(Identifier("urn:a", "1"), Identifier("urn:mr", "2", "MR")),
    )
    assert registry.chart_identifier(patient, SOURCE, "p1") == Identifier("urn:mr", "2", "MR")


def test_a_chart_without_record_number_takes_the_first_identifier_else_the_source_id() -> None:
    plain = given(resources.Patient, identifier=[{"value": "7"}, {"system": "u", "value": "8"}])

    assert registry.chart_identifier(plain, SOURCE, "p1") == Identifier(SOURCE, "7")
    assert registry.chart_identifier(given(resources.Patient), SOURCE, "p1") == Identifier(
        SOURCE, "p1"
    )


@pytest.mark.parametrize(
    ("members", "died"),
    [
        ({}, (False, None)),
        ({"deceasedBoolean": False}, (False, None)),
        ({"deceasedBoolean": True}, (True, None)),
        (
            {"deceasedDateTime": "2013-06-30T22:17:50.000Z"},
            (True, Moment("2013-06-30T22:17:50.000Z")),
        ),
    ],
)
def test_a_death_is_known_with_or_without_its_time(
    members: dict[str, Any], died: tuple[bool, Moment | None]
) -> None:
    assert registry.death(given(resources.Patient, **members)) == died


def test_a_practitioner_is_keyed_by_npi_before_any_other_identifier() -> None:
    practitioner = given(
        resources.Practitioner,
        identifier=[{"system": "urn:staff", "value": "9"}, {"system": NPI, "value": "123"}],
        name=[{"family": "Roe"}],
        gender="male",
        telecom=[{"value": "r@example.org"}],
    )

    assert directory.practitioner(practitioner, SOURCE) == Practitioner(
        names=(Name("Roe"),),
        identifiers=(Identifier("urn:staff", "9"), Identifier(NPI, "123")),
        gender="male",
        telecoms=("r@example.org",),
    )
    assert business_key(practitioner.identifier, "otherwise") == f"{NPI}|123"
    assert business_key(practitioner.identifier[:1], "otherwise") == "urn:staff|9"
    assert business_key([resources.BusinessIdentifier(value="9")], "otherwise") == "otherwise"


def test_an_organisation_is_listed_under_name_alias_or_identifier() -> None:
    named = given(
        resources.Organization,
        name="Clinic",
        type=[concept("prov")],
        identifier=[{"system": "u", "value": "1"}],
        telecom=[{"value": "555"}],
        address=[{"city": "Ware"}],
    )

    assert directory.organization(named, SOURCE) == Organization(
        name="Clinic",
        identifiers=(Identifier("u", "1"),),
        kinds=(Concept((Coding("http://loinc.org", "prov"),)),),
        telecoms=("555",),
        addresses=("Ware",),
    )
    alias = given(resources.Organization, alias=["Also"])
    assert directory.organization(alias, SOURCE).name == "Also"
    number = given(resources.Organization, identifier=[{"value": "1"}])
    assert directory.organization(number, SOURCE).name == "1"
    with pytest.raises(Unusable, match="no-name"):
        directory.organization(given(resources.Organization), SOURCE)


def test_an_encounter_is_a_visit_with_its_people_once() -> None:
    encounter = given(
        resources.Encounter,
        **{"class": {"system": "http://act", "code": "AMB"}},
        status="finished",
        type=[concept("185347001", text="Visit")],
        reasonCode=[concept("10509002")],
        period={"start": "2010-04-29T02:05:00.000Z"},
    )

    assert care.visit(encounter, ("a", "b", "a"), "org") == Visit(
        status="finished",
        kind=Coding("http://act", "AMB"),
        types=(Concept((Coding("http://loinc.org", "185347001"),), "Visit"),),
        reasons=(Concept((Coding("http://loinc.org", "10509002"),)),),
        period=Period(Moment("2010-04-29T02:05:00.000Z")),
        practitioners=("a", "b"),
        organization="org",
    )


def test_a_medication_request_is_an_order_with_directions_and_reasons() -> None:
    request = given(
        resources.MedicationRequest,
        status="active",
        intent="order",
        medicationCodeableConcept=concept("313782", text="Acetaminophen 325 MG"),
        authoredOn="2020-01-02T03:04:05-05:00",
        dosageInstruction=[
            {"text": "Take one"},
            {"patientInstruction": "With food"},
            {"sequence": 1},
        ],
        reasonCode=[concept("1")],
    )
    reason = resources.CodeableConcept((Coding(code="2"),))

    assert prescriptions.order(
        request, reasons=[reason], requester="doctor", encounter="visit"
    ) == MedicationOrder(
        medication=Concept((Coding("http://loinc.org", "313782"),), "Acetaminophen 325 MG"),
        status="active",
        intent="order",
        authored=Moment("2020-01-02T03:04:05-05:00"),
        directions=("Take one", "With food"),
        reasons=(Concept((Coding("http://loinc.org", "1"),)), Concept((Coding(code="2"),))),
        requester="doctor",
        encounter="visit",
    )


def test_a_medication_is_known_by_reference_contained_resource_or_display() -> None:
    contained = given(
        resources.MedicationRequest,
        status="active",
        contained=[{"resourceType": "Medication", "id": "m", "code": {"text": "Inside"}}],
        medicationReference={"reference": "#m", "display": "Shown"},
    )
    inside = prescriptions.contained_medication(contained)

    assert prescriptions.order(contained, medication=inside).medication == Concept((), "Inside")
    assert prescriptions.order(contained).medication == Concept((), "Shown")
    with pytest.raises(Unusable, match="no-medication"):
        prescriptions.order(given(resources.MedicationRequest, status="active"))


@pytest.mark.parametrize(
    "text", ["yesterday", "2020-13", "20200101", "2020-01-01T10:00:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_date_that_is_none_makes_a_resource_unusable(text: str) -> None:
    with pytest.raises(Unusable, match="bad-date") as caught:
        registry.demographics(given(resources.Patient, birthDate=text), SOURCE)

    assert text not in str(caught.value)
