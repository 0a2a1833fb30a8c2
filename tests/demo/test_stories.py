"""What must be true of the story patients, whoever they are."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import pytest

from demo.stories import Story, bundle_bytes, expected_counts, stories
from demo.stories.clinics import local_time, npi
from demo.stories.results import estimated_gfr

LAST_DAY = date(2026, 11, 20)
PENICILLIN_CLASS = "764146007"
PENICILLINS = ("amoxicillin", "ampicillin", "penicillin", "piperacillin", "dicloxacillin")
IMAGING_CODES = {"83311-1", "10230-1"}
SHARED = ("Organization", "Practitioner")
DATE_FIELDS = {
    "abatementDateTime",
    "authoredOn",
    "effectiveDateTime",
    "end",
    "issued",
    "occurrenceDateTime",
    "onsetDateTime",
    "recorded",
    "recordedDate",
    "start",
}
each_story = pytest.mark.parametrize("story", stories(), ids=lambda story: story.key)


def entries(story: Story) -> list[dict[str, Any]]:
    found = story.bundle["entry"]
    assert isinstance(found, list)
    return found


def resources(story: Story, *types: str) -> list[dict[str, Any]]:
    every = [entry["resource"] for entry in entries(story)]
    return [r for r in every if not types or r["resourceType"] in types]


def patient(story: Story) -> dict[str, Any]:
    (found,) = resources(story, "Patient")
    return found


def walk(node: object) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def codings(node: object, system: str) -> set[tuple[str, str]]:
    found = set()
    for key, value in [("", node), *walk(node)]:
        if key == "coding":
            found |= {(c["code"], c.get("display", "")) for c in value if c["system"] == system}
    return found


def luhn_valid(digits: str) -> bool:
    doubled = [int(c) * (2 if place % 2 else 1) for place, c in enumerate(reversed(digits))]
    return sum(d // 10 + d % 10 for d in doubled) % 10 == 0


def dihedral(first: int, second: int) -> int:
    """The product of two elements of the symmetry group of the pentagon."""
    turned = first < 5
    sum_ = first + second if turned else first - second
    return sum_ % 5 + 5 * (turned == (second >= 5))


def verhoeff_valid(digits: str) -> bool:
    """The check of SNOMED CT identifiers (Release File Specification, 5.5)."""
    step, permuted, checked = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), list(range(10)), 0
    for character in reversed(digits):
        checked = dihedral(checked, permuted[int(character)])
        permuted = [step[place] for place in permuted]
    return checked == 0


def test_there_are_at_least_twelve_people_in_two_clinics() -> None:
    tenants = [story.tenant for story in stories()]
    assert len(tenants) >= 12
    assert tenants.count("riverside") >= 10
    assert tenants.count("lakeside") >= 2
    assert set(tenants) == {"riverside", "lakeside"}
    assert len({story.key for story in stories()}) == len(tenants)


def test_all_bundles_together_hold_700_to_1600_resources() -> None:
    assert 700 <= sum(len(entries(story)) for story in stories()) <= 1600


def test_another_process_makes_the_same_bytes() -> None:
    program = (
        "import hashlib; from demo.stories import bundle_bytes, stories; "
        "print(hashlib.sha256(b''.join(map(bundle_bytes, stories()))).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] != ""


@each_story
def test_a_bundle_is_a_transaction_of_posts(story: Story) -> None:
    assert story.bundle["type"] == "transaction"
    for entry in entries(story):
        resource = entry["resource"]
        assert entry["fullUrl"] == f"urn:uuid:{resource['id']}"
        assert entry["request"]["method"] == "POST"
        assert entry["request"]["url"] == resource["resourceType"]
    assert sum(expected_counts(story).values()) == len(entries(story))


@each_story
def test_every_reference_resolves_inside_its_bundle(story: Story) -> None:
    known = {entry["fullUrl"] for entry in entries(story)}
    assert len(known) == len(entries(story))
    references = {value for key, value in walk(story.bundle) if key == "reference"}
    assert references <= known


@each_story
def test_a_patient_has_what_a_portal_needs_to_greet_them(story: Story) -> None:
    found = patient(story)
    (name,) = found["name"]
    assert story.name == f"{name['given'][0]} {name['family']}"
    (spoken,) = found["communication"]
    assert spoken["language"]["coding"][0]["code"] == story.language
    (mrn,) = [i for i in found["identifier"] if i["type"]["coding"][0]["code"] == "MR"]
    assert mrn["system"].startswith("urn:oid:2.16.840.1.113883.19.5.")
    assert {"telecom", "address", "gender", "birthDate"} <= found.keys()


def test_medical_record_numbers_are_unique_and_each_clinic_has_its_own_authority() -> None:
    numbers = [(s.tenant, patient(s)["identifier"][0]) for s in stories()]
    assert len({(n["system"], n["value"]) for _, n in numbers}) == len(numbers)
    assert len({(tenant, n["system"]) for tenant, n in numbers}) == 2


@each_story
def test_nothing_happens_before_birth_or_after_the_last_day(story: Story) -> None:
    born = date.fromisoformat(patient(story)["birthDate"])
    for key, value in walk(resources(story)):
        if key in DATE_FIELDS and isinstance(value, str):
            # A year or a month is as early as its first day.
            day = date.fromisoformat((value + "-01-01")[:10])
            assert born <= day <= LAST_DAY, (key, value)


@each_story
def test_times_carry_the_offset_of_the_clinic(story: Story) -> None:
    for key, value in walk(resources(story)):
        if key in DATE_FIELDS and "T" in str(value):
            moment = datetime.fromisoformat(value)
            assert moment.utcoffset() == local_time(value[:19]).utcoffset()


@each_story
def test_an_interpretation_says_what_value_and_range_say(story: Story) -> None:
    for found in resources(story, "Observation"):
        if "valueQuantity" not in found or "referenceRange" not in found:
            continue
        value, (within,) = found["valueQuantity"]["value"], found["referenceRange"]
        flag = found["interpretation"][0]["coding"][0]["code"]
        above = "high" in within and value > within["high"]["value"]
        below = "low" in within and value < within["low"]["value"]
        assert flag in (("H", "HH") if above else ("L", "LL") if below else ("N",)), found["code"]


@each_story
def test_a_result_has_exactly_one_value_or_the_reason_for_none(story: Story) -> None:
    for found in resources(story, "Observation"):
        values = [k for k in found if k.startswith("value") or k in ("dataAbsentReason",)]
        assert len(values) + ("component" in found) == 1, found["code"]


@each_story
def test_each_report_is_laboratory_with_its_results_or_imaging(story: Story) -> None:
    by_url = {entry["fullUrl"]: entry["resource"] for entry in entries(story)}
    reported: list[str] = []
    for report in resources(story, "DiagnosticReport"):
        ((kind, _),) = codings(report["category"], "http://terminology.hl7.org/CodeSystem/v2-0074")
        imaging = report["code"]["coding"][0]["code"] in IMAGING_CODES
        assert kind == ("RAD" if imaging else "LAB")
        assert report["result"]
        for reference in report["result"]:
            result = by_url[reference["reference"]]
            expected = "imaging" if imaging else "laboratory"
            assert result["category"][0]["coding"][0]["code"] == expected
            assert result["effectiveDateTime"] == report["effectiveDateTime"]
            assert result["effectiveDateTime"] < result["issued"]
            reported.append(reference["reference"])
    assert len(reported) == len(set(reported))


@each_story
def test_no_penicillin_is_prescribed_after_a_penicillin_allergy(story: Story) -> None:
    allergies = resources(story, "AllergyIntolerance")
    assert allergies
    if any(PENICILLIN_CLASS in str(allergy["code"]) for allergy in allergies):
        for order in resources(story, "MedicationRequest"):
            drug = order["medicationCodeableConcept"]["text"].lower()
            assert not any(name in drug for name in PENICILLINS)


@each_story
def test_metformin_is_never_active_with_kidney_function_below_30(story: Story) -> None:
    drugs = str(resources(story, "MedicationRequest"))
    for found in resources(story, "Observation"):
        if found["code"]["coding"][0]["code"] == "62238-1" and "metformin" in drugs:
            assert found["valueQuantity"]["value"] >= 30


@each_story
def test_vaccines_suit_the_age_at_which_they_were_given(story: Story) -> None:
    born = date.fromisoformat(patient(story)["birthDate"])
    first_year = {"187": 50, "135": 65, "197": 65, "03": 1, "21": 1, "165": 9, "62": 9}
    for given in resources(story, "Immunization"):
        when = datetime.fromisoformat(given["occurrenceDateTime"]).date()
        years = when.year - born.year - ((when.month, when.day) < (born.month, born.day))
        code = given["vaccineCode"]["coding"][0]["code"]
        assert when >= born
        assert years >= first_year.get(code, 0), given["vaccineCode"]


def test_the_two_clinics_share_only_identical_organisations_and_practitioners() -> None:
    seen: dict[str, dict[str, Any]] = {}
    for story in stories():
        for entry in entries(story):
            earlier = seen.setdefault(entry["fullUrl"], entry)
            assert earlier is entry or earlier == entry
            if earlier is not entry:
                assert entry["resource"]["resourceType"] in SHARED


def test_national_provider_identifiers_pass_the_luhn_check() -> None:
    assert npi("123456789") == "1234567893"  # The example of the CMS specification.
    for story in stories():
        for found in resources(story, *SHARED):
            (identifier,) = found["identifier"]
            assert identifier["system"] == "http://hl7.org/fhir/sid/us-npi"
            assert luhn_valid("80840" + identifier["value"])


def test_loinc_codes_have_valid_check_digits() -> None:
    found = {code for story in stories() for code, _ in codings(story.bundle, "http://loinc.org")}
    terms = {code for code in found if not code.startswith("LA")}
    assert len(terms) > 50
    assert not [code for code in sorted(terms) if not luhn_valid(code.replace("-", ""))]
    assert not luhn_valid("45485")


def test_snomed_codes_have_valid_check_digits() -> None:
    system = "http://snomed.info/sct"
    found = {code for story in stories() for code, _ in codings(story.bundle, system)}
    assert len(found) > 50
    assert not [code for code in sorted(found) if not verhoeff_valid(code)]
    assert not verhoeff_valid("44054007")


def test_a_code_has_one_display_everywhere() -> None:
    for system in ("http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/cvx"):
        shown = {pair for story in stories() for pair in codings(story.bundle, system)}
        assert len({code for code, _ in shown}) == len(shown)


def test_the_rich_stories_have_many_results() -> None:
    rich = {story.key: expected_counts(story) for story in stories()}
    for key in ("rosa", "jun", "henry"):
        assert rich[key]["Observation"] >= 25
        assert rich[key]["DiagnosticReport"] >= 8


def test_the_awkward_cases_of_reporting_are_all_there() -> None:
    every = [resource for story in stories() for resource in resources(story)]
    statuses = {r["status"] for r in every if r["resourceType"] == "DiagnosticReport"}
    assert {"final", "preliminary", "corrected"} <= statuses
    results = [r for r in every if r["resourceType"] == "Observation"]
    for field in ("dataAbsentReason", "valueString", "valueCodeableConcept"):
        assert any(field in r for r in results)
    assert any(r.get("valueQuantity", {}).get("comparator") == "<" for r in results)
    flags = {
        i["coding"][0]["code"]
        for r in results
        for i in r.get("interpretation", [])
        if "coding" in i
    }
    assert {"N", "L", "H", "HH", "A"} <= flags


def test_rosas_long_term_sugar_falls_from_9_4_to_7_1() -> None:
    (rosa,) = [story for story in stories() if story.key == "rosa"]
    series = sorted(
        (r["effectiveDateTime"], r["valueQuantity"]["value"])
        for r in resources(rosa, "Observation")
        if r["code"]["coding"][0]["code"] == "4548-4"
    )
    assert series[0][1] == 9.4
    assert series[-1] == ("2026-11-12T08:50:00-05:00", 7.1)
    since_semaglutide = [value for when, value in series if when >= "2023-03"]
    assert all(later < earlier for earlier, later in pairwise(since_semaglutide))


@pytest.mark.parametrize(
    ("creatinine", "age", "gender", "expected"),
    [(1.0, 50, "male", 92), (1.0, 50, "female", 69), (0.6, 30, "female", 124)],
)
def test_kidney_function_follows_ckd_epi_2021(
    creatinine: float, age: int, gender: str, expected: float
) -> None:
    assert estimated_gfr(creatinine, age, gender) == expected


@pytest.mark.parametrize(
    ("wall", "hours"),
    [
        ("2026-03-08 01:59", -5),
        ("2026-03-08 03:00", -4),
        ("2026-11-01 00:30", -4),
        ("2026-11-01 02:00", -5),
    ],
)
def test_daylight_saving_time_starts_and_ends_on_sundays(wall: str, hours: int) -> None:
    offset = local_time(wall).utcoffset()
    assert offset is not None
    assert offset.total_seconds() == hours * 3600


def test_bytes_are_those_of_the_bundle() -> None:
    first = stories()[0]
    assert bundle_bytes(first) == bundle_bytes(first)
    assert bundle_bytes(first).startswith(b'{"entry":[')
