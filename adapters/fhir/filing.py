"""The resources of one bundle as commands, each with its received bytes.

A clinical resource becomes one command: a report takes its observations with it, a prescription
its medication. The bytes are kept before the command where the chart is known, so that no event
points at an original that is not there.
"""

from adapters.fhir import aside, kinds, moved, resources
from adapters.fhir.desk import NO_PATIENT, Desk
from adapters.fhir.kinds import EARLY, Filer
from adapters.fhir.listing import list_entry, only_new
from adapters.fhir.mapping import care, directory, prescriptions, registry
from adapters.fhir.mapping.values import Unusable
from adapters.fhir.reading import Entry, Malformed
from domain.care import ReportEncounter
from domain.directory import ListOrganization, ListPractitioner
from domain.kernel.refusal import RecordErased, Refusal
from domain.prescriptions import ReportPrescription
from domain.registry import ReportPatient


async def file_entry(desk: Desk, entry: Entry) -> None:
    """File one entry, or set it aside with the reason.

    Reasons are `malformed`, those of Unusable, and the codes of refusals. What was erased is
    counted, and nothing of it is kept.
    """
    try:
        await FILED_BY[entry.resource_type](desk, entry)
        await aside.repaired(desk, entry)
    except Malformed as error:
        await aside.set_aside(desk, entry, "malformed", error.at)
    except Unusable as error:
        await aside.set_aside(desk, entry, error.reason)
    except RecordErased as refusal:
        # Kept for a repair, it would be what was erased.
        await desk.intake.discard(desk.fresh.pop(entry.index, []))
        aside.count(desk, entry, refusal.code)
    except Refusal as refusal:
        await aside.set_aside(desk, entry, refusal.code)


async def stages(desk: Desk) -> list[list[Entry]]:
    """The entries to file, those of one stage in any order or all at once.

    Observations that a readable report refers to are left to that report.
    """
    await _open_reports(desk)
    taken = {part.index for _, parts in desk.reports.values() for part in parts}
    waiting = [entry for entry in desk.received.entries if entry.index not in taken | desk.settled]
    return [[entry for entry in waiting if entry.resource_type in stage] for stage in STAGES]


async def close(desk: Desk) -> None:
    """Account for every entry that no command took up: `report-set-aside`, or not imported.

    The observations of a report that waits for its patient wait with it.
    """
    for entry in desk.received.entries:
        if entry.index in desk.settled:
            continue
        if entry.resource_type == "Bundle":
            desk.settle("opened", entry)
        elif entry.resource_type in FILED_BY:
            whole = [n for n, (_, parts) in desk.reports.items() if entry in parts]
            waits = not desk.waiting.isdisjoint(whole)
            await aside.set_aside(desk, entry, NO_PATIENT if waits else "report-set-aside")
        else:
            desk.tally.not_imported[entry.resource_type] += 1


async def _open_reports(desk: Desk) -> None:
    for entry in desk.received.entries:
        if entry.resource_type == "DiagnosticReport" and entry.index not in desk.settled:
            try:
                given = entry.decode(resources.DiagnosticReport)
            except Malformed as error:
                await aside.set_aside(desk, entry, "malformed", error.at)
            else:
                parts = desk.references.entries(given.result, "Observation")
                desk.reports[entry.index] = (given, parts)


async def _organization(desk: Desk, entry: Entry) -> None:
    given = entry.decode(resources.Organization)
    key, *also = desk.awaiting.names(entry)
    command = ListOrganization(
        key=key,
        also=tuple(also),
        only_new=only_new(entry),
        organization=directory.organization(given, desk.source),
        source=await desk.origin(entry),
    )
    await list_entry(desk, entry, command, "organizations")


async def _practitioner(desk: Desk, entry: Entry) -> None:
    given = entry.decode(resources.Practitioner)
    key, *also = desk.awaiting.names(entry)
    command = ListPractitioner(
        key=key,
        also=tuple(also),
        only_new=only_new(entry),
        practitioner=directory.practitioner(given, desk.source),
        source=await desk.origin(entry),
    )
    await list_entry(desk, entry, command, "practitioners")


async def _patient(desk: Desk, entry: Entry) -> None:
    given = entry.decode(resources.Patient)
    died, at = registry.death(given)
    command = ReportPatient(
        identifier=registry.chart_identifier(given, desk.source, entry.id),
        demographics=registry.demographics(given, desk.source),
        died=died,
        death=at,
        source=await desk.origin(entry),
    )
    await desk.keep(await desk.do(entry, command), entry)
    desk.settle("charts", entry)


async def _encounter(desk: Desk, entry: Entry) -> None:
    given = entry.decode(resources.Encounter)
    chart = await desk.chart(given.subject)
    people = [one.individual for one in given.participant]
    command = ReportEncounter(
        chart=chart,
        key=desk.key(entry),
        visit=care.visit(
            given,
            tuple(await desk.references.streams(people, "Practitioner")),
            await desk.references.stream(given.service_provider, "Organization"),
        ),
        source=await desk.origin(entry),
    )
    await desk.keep(chart, entry)
    await moved.encounter(desk, entry, command)
    desk.visits[await desk.do(entry, command)] = chart
    desk.settle("encounters", entry)


async def _prescription(desk: Desk, entry: Entry) -> None:
    given = entry.decode(resources.MedicationRequest)
    chart = await desk.chart(given.subject)
    medications = _medications(desk, given)
    codes = (one.decode(resources.Medication).code for one in medications)
    command = ReportPrescription(
        chart=chart,
        key=desk.key(entry),
        order=prescriptions.order(
            given,
            medication=prescriptions.contained_medication(given) or next(codes, None),
            reasons=_reasons(desk, given),
            requester=await desk.references.stream(given.requester, "Practitioner"),
            encounter=await desk.visit(given.encounter, chart),
        ),
        source=await desk.origin(entry),
    )
    await desk.keep(chart, entry, *medications)
    await moved.prescription(desk, entry, command)
    await desk.do(entry, command)
    desk.settle("prescriptions", entry)
    desk.settle("in_prescriptions", *medications)


def _medications(desk: Desk, given: resources.MedicationRequest) -> list[Entry]:
    """The Medication of this bundle that the request points at: one or none."""
    pointer = given.medication_reference
    known = given.medication_codeable_concept or prescriptions.contained_medication(given)
    if known or pointer is None:
        return []
    return desk.references.entries([pointer], "Medication")


def _reasons(desk: Desk, given: resources.MedicationRequest) -> list[resources.CodeableConcept]:
    """What the referenced conditions and observations are coded with, else their display."""
    found = []
    for reference in given.reason_reference:
        entry = desk.references.entry(reference)
        if entry is None:
            desk.references.miss(reference, "Condition")
        code = entry.decode(resources.Coded).code if entry else None
        if code is None and reference.display:
            code = resources.CodeableConcept(text=reference.display)
        found.append(code)
    return [code for code in found if code]


FILED_BY: dict[str, Filer] = {
    "Organization": _organization,
    "Practitioner": _practitioner,
    "Patient": _patient,
    "Encounter": _encounter,
    "MedicationRequest": _prescription,
    **kinds.FILED_BY,
}
_EARLY = (
    frozenset(("Organization", "Practitioner")),
    EARLY,
    frozenset(("Patient",)),
    frozenset(("Encounter",)),
)
STAGES = (*_EARLY, frozenset(FILED_BY).difference(*_EARLY))
