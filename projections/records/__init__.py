"""The record's panels: problems, allergies, observations, procedures, documents, plans and more."""

from collections.abc import Iterator

from domain import records
from domain.kernel.event import Erased, Recorded
from domain.kernel.readmodel import Drop, Panel, Projection, Table, Write
from domain.records import RecordCorrected, RecordFiled, RecordRelabelled, RecordWithdrawn
from projections.kernel.panels import document
from projections.records.places import (
    ALLERGY,
    ANSWERS,
    CARE_PLAN,
    CONDITION,
    DEVICE,
    DOCUMENT,
    FAMILY,
    FLAG,
    GOAL,
    IMAGING,
    IMMUNIZATION,
    NOTE,
    OBSERVATION,
    PROCEDURE,
    PROVENANCE,
    RELATED,
    RISK,
    TABLES,
    FactRow,
    placed,
)

__all__ = [
    "ALLERGY",
    "CONDITION",
    "IMMUNIZATION",
    "NOTE",
    "OBSERVATION",
    "TABLES",
    "FactRow",
    "project",
]
VERSION = 4
Stated = RecordFiled | RecordCorrected | RecordRelabelled


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
    for place in placed(event.fact):
        row = FactRow(
            fact=event.fact,
            received=recorded.committed_at,
            version=recorded.version,
            labels=event.labels,
            corrected=isinstance(event, RecordCorrected),
            source=event.source,
            occurred=place.at,
        )
        more = {} if place.code is None else {"code": place.code}
        yield document(
            place.table,
            recorded,
            event.item,
            row,
            at=place.at,
            state=place.state,
            kind=place.kind,
            labels=event.labels,
            alike=place.alike,
            source=event.source,
            **more,
        )


PROJECTION = Projection(
    "records",
    VERSION,
    TABLES,
    (RecordFiled, RecordCorrected, RecordRelabelled, RecordWithdrawn),
    project,
)


def _panel(name: str, table: Table) -> Panel:
    return Panel(f"records.{name}", records.view, table, "records")


conditions = _panel("conditions", CONDITION)
allergies = _panel("allergies", ALLERGY)
immunizations = _panel("immunizations", IMMUNIZATION)
observations = _panel("observations", OBSERVATION)
notes = _panel("notes", NOTE)
procedures = _panel("procedures", PROCEDURE)
documents = _panel("documents", DOCUMENT)
care_plans = _panel("care-plans", CARE_PLAN)
goals = _panel("goals", GOAL)
devices = _panel("devices", DEVICE)
provenance = _panel("provenance", PROVENANCE)
imaging_studies = _panel("imaging-studies", IMAGING)
family_histories = _panel("family-histories", FAMILY)
flags = _panel("flags", FLAG)
related_persons = _panel("related-persons", RELATED)
answers = _panel("answers", ANSWERS)
risks = _panel("risks", RISK)
PANELS = (
    conditions, allergies, immunizations, observations, notes, procedures, documents, care_plans,
    goals, devices, provenance, imaging_studies, family_histories, flags, related_persons, answers,
    risks,
)  # fmt: skip
