"""Correct, relabel or withdraw an item of any panel: which command that is."""

from collections.abc import Callable
from typing import Any

from adapters.fhir.correcting import corrected
from adapters.fhir.intake import Intake
from adapters.fhir.references import source_key
from api.histories import Item
from domain import care, prescriptions, records, results
from domain.care import CorrectEncounter, RelabelEncounter, ReportEncounter, WithdrawEncounter
from domain.kernel.command import Command
from domain.kernel.refusal import NotFound
from domain.kernel.rule import Rule
from domain.prescriptions import (
    CorrectPrescription,
    RelabelPrescription,
    ReportPrescription,
    WithdrawPrescription,
)
from domain.records import CorrectRecord, FileRecord, RelabelRecord, WithdrawRecord
from domain.results import CorrectResult, ReceiveResult, RelabelResult, WithdrawResult
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
    return _correction(await corrected(wish.resource, source, item.chart, intake), named)


def _correction(filing: Command[Any], named: dict[str, Any]) -> Command[Any]:
    match filing:
        case FileRecord():
            return CorrectRecord(fact=filing.fact, **named)
        case ReceiveResult():
            return CorrectResult(report=filing.report, **named)
        case ReportPrescription():
            return CorrectPrescription(order=filing.order, **named)
        case ReportEncounter():
            return CorrectEncounter(visit=filing.visit, **named)
    raise NotFound()
