"""What the filers of facts have in common."""

from collections.abc import Iterable
from dataclasses import replace

from adapters.fhir import moved
from adapters.fhir.desk import Desk
from adapters.fhir.mapping.absent import absences
from adapters.fhir.mapping.plans import Filed
from adapters.fhir.reading import Entry, Malformed
from adapters.fhir.references import source_key
from adapters.fhir.resources import CodeableConcept, Coded, Reference
from domain.care import AnswerOrder
from domain.records import FileRecord


async def file_fact(desk: Desk, entry: Entry, chart: str, filed: Filed, kind: str) -> None:
    """Keep the bytes, file the fact with its labels, count it."""
    fact, when = filed
    command = FileRecord(
        chart=chart,
        key=desk.key(entry),
        source=await desk.origin(entry),
        fact=replace(fact, absent=absences(entry.content)),
        when=when,
        labels=desk.labels(entry),
    )
    await desk.keep(chart, entry, alone=fact.is_paper)
    await moved.record(desk, entry, chart)
    await desk.do(entry, command)
    desk.settle(kind, entry)


def coded(desk: Desk, references: Iterable[Reference]) -> list[CodeableConcept]:
    """What the resources of this bundle that are pointed at are coded with, else their display."""
    found = []
    for reference in references:
        entry = desk.references.entry(reference)
        try:
            code = entry.decode(Coded).code if entry else None
        except Malformed:
            code = None
        if code is None and reference.display:
            code = CodeableConcept(text=reference.display)
        if code is not None:
            found.append(code)
    return found


async def answer_orders(desk: Desk, chart: str, based_on: Iterable[Reference]) -> None:
    """Note that the orders which a result names have their answer."""
    for reference in based_on:
        ident = _order_id(desk, reference)
        if ident is not None:
            key = source_key(desk.source, "ServiceRequest", ident)
            command = AnswerOrder(chart=chart, key=key)
            receipt = await desk.intake.do(command, f"{key}|answered|{chart}")
            desk.tally.receipt(command.operation, receipt)


def _order_id(desk: Desk, reference: Reference) -> str | None:
    """The id of a ServiceRequest at the source, in this bundle or by `ServiceRequest/id`."""
    entry = desk.references.entry(reference)
    if entry is not None:
        return entry.id if entry.resource_type == "ServiceRequest" else None
    kind, _, ident = (reference.reference or "").partition("/")
    return ident.partition("/")[0] if kind == "ServiceRequest" and ident else None
