"""The 55 Synthea patients through the real command path into a real log, with exact counts."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from adapters.fhir.files import bundles_at, read_bundle
from adapters.fhir.labelling import Labelled, shipped
from adapters.postgres.trail import Trail
from api.inbound.fhir import received_bytes
from api.matching import match, matching_actor
from api.verifying import verification
from domain.audit import Selection
from domain.records import RecordFiled
from domain.registry import ChartOpened
from domain.results import ResultReceived
from tests.samples.imported import TENANT, Imported

pytestmark = [pytest.mark.anyio, pytest.mark.samples]
HIV = re.compile(
    rb"\bHIV|immunodeficiency|ntiretroviral|NTIRETROVIRAL|vudine|navir|tenofovir|Tenofovir"
    rb"|efavirenz|Efavirenz|nevirapine|Nevirapine|Abacavir|abacavir|emtricitabine|Emtricitabine"
    rb"|Didanosine|didanosine|86406008"
)


def _distinct(folder: Path) -> tuple[dict[str, int], int]:
    """Organisations and practitioners by business identifier, and deaths, read independently.

    The same organisation stands in the bundles of several patients; it is listed once.
    """
    listed: dict[str, set[str]] = {"Organization": set(), "Practitioner": set()}
    died = 0
    for path in folder.glob("*.json.gz"):
        for entry in json.loads(gzip.decompress(path.read_bytes()))["entry"]:
            resource = entry["resource"]
            kind = resource["resourceType"]
            if kind in listed:
                first = (resource.get("identifier") or [{"value": resource["id"]}])[0]
                listed[kind].add(f"{first.get('system')}|{first['value']}")
            died += kind == "Patient" and "deceasedDateTime" in resource
    return {kind: len(keys) for kind, keys in listed.items()}, died


async def test_every_resource_is_accounted_for(synthea: Imported) -> None:
    expected: Counter[str] = Counter()
    for facts in json.loads((synthea.folder / "EXPECTED.json").read_text()).values():
        if isinstance(facts, dict):
            expected.update(facts.get("resources", {}))
    report = synthea.first
    assert report.problems == ()
    assert report.resources == dict(sorted(expected.items()))
    for name, count in report.resources.items():
        yielded = sum(report.yielded.get(name, {}).values())
        assert yielded + report.not_imported.get(name, 0) == count, name


async def test_the_yield_is_exact(synthea: Imported) -> None:
    assert synthea.first.not_imported == {}
    assert synthea.first.yielded == {
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


async def test_each_clinical_act_yields_one_event(synthea: Imported) -> None:
    listed, died = _distinct(synthea.folder)
    assert synthea.events == {
        "care.encounter-reported": 2267,
        "directory.organization-listed": listed["Organization"],
        "directory.practitioner-listed": listed["Practitioner"],
        "directory.entry-awaited": synthea.first.awaited,
        "prescriptions.prescription-reported": 737,
        # 62 allergies, 751 conditions, 1,017 immunisations, 1,223 notes, 5,162 observations, and
        # 4,825 procedures, plans, documents, devices and so on
        "records.record-filed": 62 + 751 + 1017 + 1223 + 5162 + 4825,
        "care.care-team-reported": 76,
        "coverage.claim-reported": 3004 + 2717,
        "directory.function-listed": 1191,
        "directory.place-listed": 1191,
        "prescriptions.medication-reported": 10,
        "registry.chart-linked": 55,
        "registry.chart-opened": 55,
        "registry.death-reported": died,
        "registry.person-registered": 55,
        # 510 laboratory, 347 survey and 3 other reports, 481 laboratory values without a report
        "results.result-received": 510 + 347 + 3 + 481,
    }
    assert sum(synthea.events.values()) == synthea.first.events_written


async def test_importing_again_changes_nothing(synthea: Imported) -> None:
    assert synthea.second.events_written == 0
    assert synthea.second.problems == ()
    # What stands in several bundles under one id with other bytes is compared again.
    assert sum(synthea.second.commands.values()) < 200


async def test_the_received_bytes_of_every_kind_of_fact_are_kept(synthea: Imported) -> None:
    house = synthea.house
    sent = {
        (entry.resource_type, entry.id): bytes(entry.content)
        for path in bundles_at([synthea.folder])
        if path.name.startswith("v3-")
        for entry in read_bundle(path).entries
    }
    trail = Trail(house.auditor, house.keys, "riverside")
    compared: Counter[str] = Counter()
    positions = await trail.positions(Selection())
    for event in await trail.events(positions[-4000:]):
        fact = event.event
        if not isinstance(fact, ChartOpened | RecordFiled | ResultReceived) or not fact.source:
            continue
        named = (fact.source.type, fact.source.id)
        if named in sent and compared[fact.source.type] < 20:
            kept = await received_bytes(house, "riverside", fact.source.object or "")
            assert kept == sent[named]
            compared[fact.source.type] += 1
    assert {"Condition", "DiagnosticReport", "Immunization", "Observation"} <= set(compared)


async def test_the_log_of_the_samples_verifies(synthea: Imported) -> None:
    answer = await verification(synthea.house, "riverside")
    assert answer.ok
    assert answer.events >= (synthea.first.last_position or 0) > 20_000


async def test_the_read_models_hold_what_was_filed(synthea: Imported) -> None:
    connection = await asyncpg.connect(synthea.house.settings.dsn)
    tables = {
        "registry_chart": 55,
        "care_encounter": 2267,
        "records_condition": 751,
        "records_allergy": 62,
        "records_immunization": 1017,
        "records_observation": 5162,
        "records_note": 1223,
        "results_result": 1341,
        "prescriptions_order": 747,
    }
    try:
        for table, count in tables.items():
            assert await connection.fetchval(f"SELECT count(*) FROM model.{table}") == count, table
        assert await connection.fetchval("SELECT count(*) FROM dead_letter") == 0
    finally:
        await connection.close()


async def test_every_conditional_reference_with_an_absent_target_is_bound_late(
    synthea: Imported,
) -> None:
    told = json.loads((synthea.folder / "EXPECTED.json").read_text())
    conditional = sum(
        facts["references"].get("conditional", 0)
        for name, facts in told.items()
        if not name.startswith("hiv-")
    )

    assert sum(synthea.first.late.values()) == conditional == 17_702
    assert not {"Practitioner", "Organization", "Location"} & synthea.first.unbound.keys()


async def test_facts_named_by_hiv_are_labelled_and_no_others(synthea: Imported) -> None:
    labelled: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    rules = shipped()
    for path in bundles_at([synthea.folder]):
        if path.name == "EXPECTED.json":
            continue
        whole = read_bundle(path)
        labels = Labelled(rules, whole.entries)
        for entry in whole.entries:
            hiv = any(label.code == "HIV" for label in labels.of(entry))
            own = hiv and any(label.code == "HIV" for label in rules.of(entry.content))
            says = HIV.search(entry.content) is not None
            assert not says or hiv, (path.name[:4], entry.resource_type)
            labelled[path.name.partition("-")[0]] += hiv
            silent[entry.resource_type] += own and not says
    assert labelled["hiv"] == 517 + 38 + 38
    assert silent.total() == 0


async def test_55_different_people_are_neither_linked_nor_proposed(synthea: Imported) -> None:
    found = await match(synthea.house, TENANT, None, matching_actor(TENANT))

    assert (found.charts, found.linked, found.proposed) == (55, 0, 0)
