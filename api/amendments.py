"""Correct, relabel or withdraw an item of any panel: which command that is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.fhir.correcting import corrected
from adapters.fhir.intake import Intake
from adapters.fhir.references import source_key
from api.histories import Item
from domain import care, prescriptions, records, results
from domain.care import (
    CorrectEncounter,
    RelabelEncounter,
    ReportEncounter,
    Visit,
    WithdrawEncounter,
)
from domain.kernel.command import Command
from domain.kernel.refusal import NotFound
from domain.kernel.rule import Rule
from domain.prescriptions import (
    CorrectPrescription,
    MedicationOrder,
    RelabelPrescription,
    ReportPrescription,
    WithdrawPrescription,
)
from domain.records import CorrectRecord, Fact, FileRecord, RelabelRecord, WithdrawRecord
from domain.results import CorrectResult, ReceiveResult, RelabelResult, Report, WithdrawResult
from schema.kernel.context import Amendment

NOBODY = "00000000-0000-0000-0000-000000000000"
CORRECTING: dict[str, Rule] = {
    "records": records.correct,
    "results": results.correct,
    "prescriptions": prescriptions.correct,
    "care": care.correct,
}
_RELABEL: dict[str, Callable[..., Command[Any]]] = {
    "records": RelabelRecord,
    "results": RelabelResult,
    "prescriptions": RelabelPrescription,
    "care": RelabelEncounter,
}
_WITHDRAW: dict[str, Callable[..., Command[Any]]] = {
    "records": WithdrawRecord,
    "results": WithdrawResult,
    "prescriptions": WithdrawPrescription,
    "care": WithdrawEncounter,
}


async def command_of(item: Item | None, wish: Amendment, intake: Intake) -> Command[Any]:
    """The command that makes the wish true; of no item, one about nobody's chart.

    Raises ResourceUnusable, and NotFound for an item that cannot be changed by staff.
    """
    source = item.source if item else None
    if item is None or source is None or item.capability not in _RELABEL:
        return RelabelRecord(chart=NOBODY, key="", codes=(), reason=wish.reason)
    key = source_key(source.system, source.type, source.id)
    named: dict[str, Any] = {
        "chart": item.chart,
        "key": key,
        "reason": wish.reason,
        "seen_version": wish.expected_version,
    }
    if wish.codes is not None:
        return _RELABEL[item.capability](codes=wish.codes, **named)
    if wish.resource is None:
        return _WITHDRAW[item.capability](refile=wish.refile_to, **named)
    filing = await corrected(wish.resource, source, item.chart, intake)
    return _correction(filing, item.content, named)


def _correction(filing: Command[Any], before: object, named: dict[str, Any]) -> Command[Any]:
    """The filing as a correction; what the resource alone cannot be bound to stays as it was."""
    match filing, before:
        case FileRecord(fact=fact), Fact():
            visit = fact.encounter or before.encounter
            return CorrectRecord(fact=replace(fact, encounter=visit), **named)
        case ReceiveResult(report=report), Report():
            visit = report.encounter or before.encounter
            return CorrectResult(report=replace(report, encounter=visit), **named)
        case ReportPrescription(order=order), MedicationOrder():
            order = replace(
                order,
                encounter=order.encounter or before.encounter,
                requester=order.requester or before.requester,
            )
            return CorrectPrescription(order=order, **named)
        case ReportEncounter(visit=seen), Visit():
            seen = replace(
                seen,
                practitioners=seen.practitioners or before.practitioners,
                organization=seen.organization or before.organization,
            )
            return CorrectEncounter(visit=seen, **named)
    raise NotFound()
