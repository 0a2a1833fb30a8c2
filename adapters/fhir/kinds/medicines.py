"""Filers of medicines that were dispensed, given or said to be taken."""

from collections.abc import Awaitable, Callable
from functools import partial

from adapters.fhir.desk import Desk
from adapters.fhir.kinds.facts import coded
from adapters.fhir.mapping import prescriptions
from adapters.fhir.reading import Entry
from adapters.fhir.resources import care
from domain.prescriptions import ReportPrescription


async def _taken(kind: str, settled: str, desk: Desk, entry: Entry) -> None:
    given = entry.decode(care.MedicineTaken)
    chart = await desk.chart(given.subject)
    pointer = given.medication_reference
    known = given.medication_codeable_concept or prescriptions.contained_medication(given)
    pointed = [pointer] if known is None and pointer is not None else []
    known = known or next(iter(coded(desk, pointed)), None)
    medications = desk.references.entries(pointed, "Medication")
    is_visit = ((given.context and given.context.reference) or "").startswith("EpisodeOfCare")
    command = ReportPrescription(
        chart=chart,
        key=desk.key(entry),
        order=prescriptions.taken(
            given,
            kind,
            medication=known,
            encounter=None if is_visit else await desk.visit(given.context, chart),
        ),
        source=await desk.origin(entry),
        labels=desk.labels(entry),
    )
    await desk.keep(chart, entry, *medications)
    await desk.do(entry, command)
    desk.settle(settled, entry)
    desk.settle("in_prescriptions", *medications)


FILED_BY: dict[str, Callable[[Desk, Entry], Awaitable[None]]] = {
    "MedicationStatement": partial(_taken, "statement", "statements"),
    "MedicationDispense": partial(_taken, "dispense", "dispenses"),
    "MedicationAdministration": partial(_taken, "administration", "administrations"),
}
