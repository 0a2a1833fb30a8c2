"""The record's panels: problems, allergies, immunisations, observations, notes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain import records
from domain.kernel.event import Recorded
from domain.kernel.readmodel import Panel, Projection, Write
from domain.kernel.values import Source
from domain.records import Fact, RecordCorrected, RecordFiled
from projections.kernel.panels import document, panel_table

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """A fact with where it was stated, when it reached us, and whether it replaced another."""

    fact: Fact
    received: datetime
    corrected: bool = False
    source: Source | None = None


CONDITION = panel_table("records_condition", FactRow)
ALLERGY = panel_table("records_allergy", FactRow)
IMMUNIZATION = panel_table("records_immunization", FactRow)
OBSERVATION = panel_table("records_observation", FactRow)
NOTE = panel_table("records_note", FactRow)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per item, replaced by its correction."""
    event = recorded.event
    if not isinstance(event, RecordFiled | RecordCorrected):
        return
    fact, item = event.fact, event.item
    row = FactRow(
        fact=fact,
        received=recorded.committed_at,
        corrected=isinstance(event, RecordCorrected),
        source=event.source,
    )
    if fact.condition is not None:
        at = fact.condition.onset or fact.condition.recorded
        state = fact.condition.clinical_status or "unknown"
        yield document(CONDITION, recorded, item, row, at=at, state=state)
    if fact.allergy is not None:
        state = fact.allergy.clinical_status or "unknown"
        yield document(ALLERGY, recorded, item, row, at=fact.allergy.recorded, state=state)
    if fact.immunization is not None:
        given, state = fact.immunization.given, fact.immunization.status
        yield document(IMMUNIZATION, recorded, item, row, at=given, state=state)
    if fact.observation is not None:
        seen = fact.observation
        kind = seen.categories[0] if seen.categories else ""
        at = seen.effective or seen.issued
        yield document(OBSERVATION, recorded, item, row, at=at, state=seen.status, kind=kind)
    if fact.note is not None:
        start = None if fact.note.period is None else fact.note.period.start
        at = start or fact.note.issued
        yield document(NOTE, recorded, item, row, at=at, state=fact.note.status)


PROJECTION = Projection(
    "records",
    VERSION,
    (CONDITION, ALLERGY, IMMUNIZATION, OBSERVATION, NOTE),
    (RecordFiled, RecordCorrected),
    project,
)
conditions = Panel("records.conditions", records.view, CONDITION, "records")
allergies = Panel("records.allergies", records.view, ALLERGY, "records")
immunizations = Panel("records.immunizations", records.view, IMMUNIZATION, "records")
observations = Panel("records.observations", records.view, OBSERVATION, "records")
notes = Panel("records.notes", records.view, NOTE, "records")
