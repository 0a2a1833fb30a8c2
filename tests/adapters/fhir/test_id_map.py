"""The id map over a real house: what came, what it became, and what a source sends again."""

from pathlib import Path

import pytest

from api.house import House
from domain.care import EncounterReported
from domain.directory import EntryAwaited, PractitionerListed
from domain.records import RecordCorrected, RecordFiled, RecordWithdrawn
from projections.kernel.sources import MAP, origin
from tests.adapters.fhir import lived
from tests.adapters.fhir.bundles import (
    SOURCE,
    Json,
    concept,
    observation,
    of_patient,
    patient,
    report,
    write,
)

pytestmark = pytest.mark.anyio
NPI = "http://hl7.org/fhir/sid/us-npi"
OWN = "urn:example:staff-numbers"


def weight(value: str, **members: object) -> Json:
    return observation("o1", effectiveDateTime="2026-01-02", valueString=value, **members)


def visit(*participants: Json) -> Json:
    return of_patient(
        "Encounter",
        "e1",
        status="finished",
        participant=[{"individual": one} for one in participants],
    )


def doctor(id: str, *identifiers: tuple[str, str]) -> Json:
    return {
        "resourceType": "Practitioner",
        "id": id,
        "identifier": [{"system": system, "value": value} for system, value in identifiers],
        "name": [{"family": "Grey", "given": ["Meredith"]}],
    }


async def test_the_map_tells_stream_version_and_last_update_of_every_resource(
    living_house: House, tmp_path: Path
) -> None:
    done = await lived.brought(
        living_house, tmp_path, patient(), weight("1"), report("r1", "o2"), observation("o2")
    )

    known = await lived.intake(living_house).known(
        [
            (SOURCE, kind, ident)
            for kind, ident in (("Observation", "o2"), ("DiagnosticReport", "r1"))
        ]
    )
    assert {one.stream for one in known.values()} == {known[f"{SOURCE}|Observation|o2"].stream}
    rows = await lived.rows(living_house, MAP.name)
    assert sorted((row["type"], row["version"]) for row in rows) == [
        ("DiagnosticReport", 1),
        ("Observation", 1),
        ("Observation", 1),
        ("Patient", 1),
    ]
    events = {one.header.stream: one for one in await lived.recorded(living_house)}
    assert all(row["updated"] == events[str(row["stream"])].committed_at for row in rows)
    assert done.events_written == len(await lived.recorded(living_house))


async def test_the_map_holds_no_id_of_the_source(living_house: House, tmp_path: Path) -> None:
    await lived.brought(living_house, tmp_path, patient(), weight("1"))

    shown = str([dict(row) for row in await lived.rows(living_house, MAP.name)])
    assert "o1" not in shown.replace("'", " ").split()
    assert SOURCE not in shown
    assert origin(SOURCE, "Observation", "o1") not in shown


async def test_what_the_source_says_of_its_version_is_kept_as_written(
    living_house: House, tmp_path: Path
) -> None:
    meta = {"versionId": "7", "lastUpdated": "2026-01-02T03:04:05.000Z"}
    await lived.brought(living_house, tmp_path, patient(), weight("1", meta=meta))

    (filed,) = await lived.events(living_house, RecordFiled)
    assert (filed.source.version, filed.source.updated) == ("7", "2026-01-02T03:04:05.000Z")


async def test_what_did_not_change_is_known_without_a_command(
    living_house: House, tmp_path: Path
) -> None:
    given = (patient(), visit(), weight("1"), report("r1", "o2"), observation("o2"))
    await lived.brought(living_house, tmp_path, *given)

    again = await lived.brought(living_house, tmp_path, *given)

    assert again.commands == {}
    assert {kind: dict(counts) for kind, counts in again.yielded.items()} == {
        "DiagnosticReport": {"unchanged": 1},
        "Encounter": {"unchanged": 1},
        "Observation": {"unchanged": 2},
        "Patient": {"unchanged": 1},
    }


async def test_a_changed_observation_takes_its_report_along(
    living_house: House, tmp_path: Path
) -> None:
    await lived.brought(
        living_house, tmp_path, patient(), report("r1", "o2"), observation("o2", valueString="a")
    )

    again = await lived.brought(
        living_house, tmp_path, patient(), report("r1", "o2"), observation("o2", valueString="b")
    )

    assert again.commands == {"results.receive-result": 1}
    assert again.events_written == 1


async def test_what_goes_back_to_an_earlier_content_ends_there(
    living_house: House, tmp_path: Path
) -> None:
    for value in ("a", "b", "a", "a"):
        await lived.brought(living_house, tmp_path, patient(), weight(value))

    said = [one.fact.observation.text for one in await lived.events(living_house, RecordFiled)]
    corrected = await lived.events(living_house, RecordCorrected)
    assert said + [one.fact.observation.text for one in corrected] == ["a", "b", "a"]


async def test_within_one_import_too_the_last_content_stands(
    living_house: House, tmp_path: Path
) -> None:
    lines = [patient(), *(weight(value) for value in ("a", "b", "a"))]
    for number, one in enumerate(lines):
        subject = {"reference": "Patient/p1"}
        single = one | ({"subject": subject} if "subject" in one else {})
        write(tmp_path, single, f"{number}.json")

    await lived.imported(living_house, [tmp_path])

    corrected = await lived.events(living_house, RecordCorrected)
    assert [one.fact.observation.text for one in corrected] == ["b", "a"]


async def test_a_fact_that_its_source_moves_leaves_the_other_chart(
    living_house: House, tmp_path: Path
) -> None:
    other = {"resourceType": "Patient", "id": "p2"}
    await lived.brought(living_house, tmp_path, patient(), other, weight("a"))

    moved = weight("a") | {"subject": {"reference": "urn:uuid:p2"}}
    await lived.brought(living_house, tmp_path, patient(), other, moved)

    (gone,) = await lived.events(living_house, RecordWithdrawn)
    assert gone.reason == "the source moved it"
    (row,) = await lived.rows(living_house, "records_observation", "chart")
    assert str(row["chart"]) == gone.refiled


async def test_an_absent_practitioner_is_awaited_and_named_when_listed(
    living_house: House, tmp_path: Path
) -> None:
    pointer = {"reference": f"Practitioner?identifier={OWN}|77", "display": "Dr Who"}
    done = await lived.brought(living_house, tmp_path, patient(), visit(pointer))
    (seen,) = await lived.events(living_house, EncounterReported)
    (ident,) = seen.visit.practitioners
    assert (done.late, done.awaited, done.unbound) == ({"Practitioner": 1}, 1, {})
    assert (await lived.entry(living_house, ident)).awaited_as == "Dr Who"

    arrived = doctor("d1", (NPI, "1234567893"), (OWN, "77"))
    await lived.brought(living_house, tmp_path, arrived, source="urn:example:registry")

    listed = await lived.entry(living_house, ident)
    assert listed.practitioner.names[0].family == "Grey"
    assert await lived.events(living_house, EncounterReported) == [seen]
    by_npi = {"reference": f"Practitioner?identifier={NPI}|1234567893"}
    again = await lived.brought(living_house, tmp_path, patient(), visit(by_npi))
    assert (again.awaited, again.events_written) == (0, 0)
    assert len(await lived.events(living_house, EntryAwaited)) == 1


async def test_a_practitioner_awaited_under_two_names_is_listed_under_both(
    living_house: House, tmp_path: Path
) -> None:
    pointers = [
        {"reference": f"Practitioner?identifier={s}|{v}"} for s, v in ((NPI, "1"), (OWN, "77"))
    ]
    await lived.brought(living_house, tmp_path, patient(), visit(*pointers))
    (seen,) = await lived.events(living_house, EncounterReported)

    await lived.brought(living_house, tmp_path, doctor("d1", (NPI, "1"), (OWN, "77")))

    for ident in seen.visit.practitioners:
        assert (await lived.entry(living_house, ident)).practitioner is not None
    assert len(await lived.events(living_house, PractitionerListed)) == 2


async def test_a_fact_waits_for_its_patient_and_is_filed_when_they_come(
    living_house: House, tmp_path: Path
) -> None:
    subject = {"reference": "Patient/p1"}
    parts = (
        weight("a") | {"subject": subject},
        report("r1", "o2") | {"subject": subject},
        observation("o2") | {"subject": subject},
    )
    first = await lived.brought(living_house, tmp_path, *parts)
    assert {kind: dict(counts) for kind, counts in first.yielded.items()} == {
        "DiagnosticReport": {"waiting": 1},
        "Observation": {"waiting": 2},
    }
    assert len(await lived.rows(living_house, "aside_resource", "id")) == 3

    then = await lived.brought(living_house, tmp_path, patient())

    assert then.arrived == {"DiagnosticReport": 1, "Observation": 2}
    assert await lived.rows(living_house, "aside_resource", "id") == []
    again = await lived.brought(living_house, tmp_path, patient(), *parts)
    assert again.events_written == 0


async def test_one_fact_of_two_sources_is_shown_once_and_kept_twice(
    living_house: House, tmp_path: Path
) -> None:
    record = {"system": "urn:example:mrn", "value": "1"}
    shot = of_patient(
        "Immunization",
        "i1",
        status="completed",
        vaccineCode=concept("207", "http://hl7.org/fhir/sid/cvx"),
        occurrenceDateTime="2026-01-02",
    )
    for source in ("urn:example:clinic", "urn:example:registry"):
        await lived.brought(
            living_house, tmp_path, patient(identifier=[record]), shot, source=source
        )

    shots = await lived.rows(living_house, "records_immunization", "chart, alike, source")
    assert len({(row["chart"], row["alike"]) for row in shots}) == 1
    assert len({row["source"] for row in shots}) == 2
