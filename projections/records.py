"""The record's panels: problems, allergies, immunisations, observations, notes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from domain import records
from domain.kernel.event import Erased, Recorded
from domain.kernel.labels import Label
from domain.kernel.readmodel import Drop, Panel, Projection, Table, Write
from domain.kernel.values import Moment, Source
from domain.records import (
    Allergy,
    Fact,
    Observation,
    RecordCorrected,
    RecordFiled,
    RecordRelabelled,
    RecordWithdrawn,
)
from projections.kernel.panels import document, likeness, panel_table

VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """A fact with where it was stated, when it reached us, and whether it replaced another.

    `version` is what a change of it must expect.
    """

    fact: Fact
    received: datetime
    version: int
    labels: tuple[Label, ...] = ()
    corrected: bool = False
    source: Source | None = None


CONDITION = panel_table("records_condition", FactRow)
ALLERGY = panel_table("records_allergy", FactRow)
IMMUNIZATION = panel_table("records_immunization", FactRow)
OBSERVATION = panel_table("records_observation", FactRow)
NOTE = panel_table("records_note", FactRow)
TABLES = (CONDITION, ALLERGY, IMMUNIZATION, OBSERVATION, NOTE)
Stated = RecordFiled | RecordCorrected | RecordRelabelled


class Placed(NamedTuple):
    """Where a fact goes: its panel, its time, its state, its class, and what it is alike by."""

    table: Table
    at: Moment | None
    state: str
    kind: str = ""
    alike: str = ""


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per item, replaced by its correction, gone when it is withdrawn or erased."""
    event, header = recorded.event, recorded.header
    match event:
        case RecordFiled() | RecordCorrected() | RecordRelabelled():
            yield from _stated(recorded, event)
        case RecordWithdrawn() | Erased():
            for table in TABLES:
                yield Drop(table, {"chart": header.chart, "id": header.stream})


def _stated(recorded: Recorded, event: Stated) -> Iterator[Write]:
    row = FactRow(
        fact=event.fact,
        received=recorded.committed_at,
        version=recorded.version,
        labels=event.labels,
        corrected=isinstance(event, RecordCorrected),
        source=event.source,
    )
    for placed in _placed(event.fact):
        yield document(
            placed.table,
            recorded,
            event.item,
            row,
            at=placed.at,
            state=placed.state,
            kind=placed.kind,
            labels=event.labels,
            alike=placed.alike,
            source=event.source,
        )


def _placed(fact: Fact) -> Iterator[Placed]:
    if fact.condition is not None:
        one = fact.condition
        at = one.onset or one.recorded
        wrong = one.verification_status == "entered-in-error"
        state = "entered-in-error" if wrong else one.clinical_status or "unknown"
        yield Placed(CONDITION, at, state, alike=likeness(one.concept, at))
    if fact.allergy is not None:
        yield _allergy(fact.allergy)
    if fact.immunization is not None:
        shot = fact.immunization
        alike = likeness(shot.vaccine, shot.given, shot.status)
        yield Placed(IMMUNIZATION, shot.given, shot.status, alike=alike)
    if fact.observation is not None:
        yield _observation(fact.observation)
    if fact.note is not None:
        start = None if fact.note.period is None else fact.note.period.start
        yield Placed(NOTE, start or fact.note.issued, fact.note.status)


def _allergy(one: Allergy) -> Placed:
    wrong = one.verification_status == "entered-in-error"
    state = "entered-in-error" if wrong else one.clinical_status or "unknown"
    return Placed(ALLERGY, one.recorded, state, alike=likeness(one.concept, one.recorded))


def _observation(seen: Observation) -> Placed:
    at = seen.effective or seen.issued
    measured = seen.quantity
    said = (
        (measured.value or "", measured.code or measured.unit or "")
        if measured
        else (seen.coded.words if seen.coded else seen.text or "",)
    )
    parts = (f"{c.concept.words}={c.quantity and c.quantity.value}" for c in seen.components)
    kind = seen.categories[0] if seen.categories else ""
    alike = likeness(seen.concept, at, *said, *parts)
    return Placed(OBSERVATION, at, seen.status, kind, alike)


PROJECTION = Projection(
    "records",
    VERSION,
    TABLES,
    (RecordFiled, RecordCorrected, RecordRelabelled, RecordWithdrawn),
    project,
)
conditions = Panel("records.conditions", records.view, CONDITION, "records")
allergies = Panel("records.allergies", records.view, ALLERGY, "records")
immunizations = Panel("records.immunizations", records.view, IMMUNIZATION, "records")
observations = Panel("records.observations", records.view, OBSERVATION, "records")
notes = Panel("records.notes", records.view, NOTE, "records")
