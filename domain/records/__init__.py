"""Filed clinical facts that belong to nobody else: problems, allergies, immunisations,
observations outside reports, notes and whatever else a source states of a patient.
"""

from domain.records.facts import (
    Allergy,
    Component,
    Condition,
    Fact,
    Immunization,
    Note,
    Observation,
    Reaction,
)
from domain.records.filing import (
    CorrectRecord,
    FileRecord,
    RecordCorrected,
    RecordFiled,
    RecordRelabelled,
    RecordWithdrawn,
    RelabelRecord,
    WithdrawRecord,
    correct,
    file,
    relabel,
    view,
    withdraw,
)

__all__ = [
    "Allergy",
    "Component",
    "Condition",
    "CorrectRecord",
    "Fact",
    "FileRecord",
    "Immunization",
    "Note",
    "Observation",
    "Reaction",
    "RecordCorrected",
    "RecordFiled",
    "RecordRelabelled",
    "RecordWithdrawn",
    "RelabelRecord",
    "WithdrawRecord",
    "correct",
    "file",
    "relabel",
    "view",
    "withdraw",
]
