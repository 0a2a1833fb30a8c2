"""Each Synthea patient as the record has them, beside what was counted in their file."""

from collections import Counter, defaultdict
from typing import Any

import pytest

from adapters.postgres.trail import Trail
from domain.audit import Selection
from domain.kernel.event import Recorded
from domain.registry import ChartOpened, DeathReported
from tests.samples.imported import TENANT, Imported, expected, fetch

pytestmark = [pytest.mark.anyio, pytest.mark.samples]
SHARED = {"Location", "Organization", "Practitioner", "PractitionerRole"}
"""In no chart: several patients' files have the same ones."""
INSIDE = {"Medication"}
"""Part of the prescription that points at it."""
MAPPED = """SELECT chart::text, type, count(*) AS n FROM model.sources_map
  WHERE chart IS NOT NULL GROUP BY chart, type"""


def patients() -> dict[str, dict[str, Any]]:
    """What was counted in each file of a patient, by the patient's id."""
    counted = expected("synthea").values()
    return {told["patient"]["id"]: told for told in counted if "patient" in told}


async def stated(synthea: Imported) -> list[Recorded]:
    """The charts that were opened, and the deaths."""
    trail = Trail(synthea.house.auditor, synthea.house.keys, TENANT)
    types = [ChartOpened.type_name, DeathReported.type_name]
    return await trail.events(await trail.positions(Selection(), types=types))


async def test_the_id_map_has_every_resource_of_each_file_once(synthea: Imported) -> None:
    mapped: dict[str, Counter[str]] = defaultdict(Counter)
    for row in await fetch(synthea.house, MAPPED):
        mapped[row["chart"]][row["type"]] = row["n"]
    found = {
        one.event.source.id: mapped[one.header.chart or ""]
        for one in await stated(synthea)
        if isinstance(one.event, ChartOpened) and one.event.source
    }
    told = {
        patient: Counter(
            {kind: n for kind, n in its["resources"].items() if kind not in SHARED | INSIDE}
        )
        for patient, its in patients().items()
    }
    assert len(told) == 55
    assert found == told


async def test_each_chart_says_who_the_patient_is_as_the_file_does(synthea: Imported) -> None:
    events = await stated(synthea)
    died = {one.header.chart for one in events if isinstance(one.event, DeathReported)}
    found = {
        one.event.source.id: {
            "id": one.event.source.id,
            "birthDate": birth.text if (birth := one.event.demographics.birth_date) else None,
            "gender": one.event.demographics.gender,
            "deceased": one.header.chart in died,
            "language": next((each.words for each in one.event.demographics.languages), None),
        }
        for one in events
        if isinstance(one.event, ChartOpened) and one.event.source
    }
    assert found == {patient: told["patient"] for patient, told in patients().items()}
