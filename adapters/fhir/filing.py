"""The resources of one bundle as commands, each with its received bytes.

A clinical resource becomes one command: a report takes its observations with it, a prescription
its medication. The bytes are kept before the command where the chart is known, so that no event
points at an original that is not there.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from adapters.fhir import kinds, resources
from adapters.fhir.desk import Desk
from adapters.fhir.kinds.facts import answer_orders
from adapters.fhir.mapping import care, directory, prescriptions, records, registry, results
from adapters.fhir.mapping.values import Unusable, business_key
from adapters.fhir.reading import Entry, Malformed
from domain.care import ReportEncounter
from domain.directory import ListOrganization, ListPractitioner
from domain.kernel.refusal import Refusal
from domain.prescriptions import ReportPrescription
from domain.records import FileRecord
from domain.registry import ReportPatient
from domain.results import ReceiveResult

F = TypeVar(
    "F",
    resources.Condition,
    resources.AllergyIntolerance,
    resources.Immunization,
    resources.Observation,
)


async def file_entry(desk: Desk, entry: Entry) -> None:
    """File one entry, or set it aside with the reason.

    Reasons are `malformed`, those of Unusable, and the codes of refusals.
    """
    try:
        await _FILED_BY[entry.resource_type](desk, entry)
    except Malformed as error:
        desk.set_aside(entry, "malformed", error.at)
    except Unusable as error:
        desk.set_aside(entry, error.reason)
    except Refusal as refusal:
        desk.set_aside(entry, refusal.code)


def stages(desk: Desk) -> list[list[Entry]]:
    """The entries to file, those of one stage in any order or all at once.

    Observations that a readable report refers to are left to that report.
    """
    _open_reports(desk)
    taken = {part.index for _, parts in desk.reports.values() for part in parts}
    waiting = [entry for entry in desk.received.entries if entry.index not in taken | desk.settled]
    return [[entry for entry in waiting if entry.resource_type in stage] for stage in STAGES]


def close(desk: Desk) -> None:
    """Account for every entry that no command took up: `report-set-aside`, or not imported."""
    for entry in desk.received.entries:
        if entry.index in desk.settled:
            continue
        if entry.resource_type in _FILED_BY:
            desk.set_aside(entry, "report-set-aside")
        else:
            desk.tally.not_imported[entry.resource_type] += 1


def _open_reports(desk: Desk) -> None:
    for entry in desk.received.entries:
        if entry.resource_type == "DiagnosticReport":
            try:
                given = entry.decode(resources.DiagnosticReport)
            except Malformed as error:
                desk.set_aside(entry, "malformed", error.at)
            else:
                parts = desk.references.entries(given.result, "Observation")
                desk.reports[entry.index] = (given, parts)


async def _organization(desk: Desk, entry: Entry) -> None:
    given = entry.decode(resources.Organization)
    command = ListOrganization(
        key=business_key(given.identifier, desk.key(entry)),
        organization=directory.organization(given, desk.source),
        source=await desk.origin(entry),
    )
    await desk.keep(None, entry)
    await desk.do(entry, command)
    desk.settle("organizations", entry)


async def _practitioner(desk: Desk, entry: Entry) -> None:
    given = entry.decode(resources.Practitioner)
    command = ListPractitioner(
        key=business_key(given.identifier, desk.key(entry)),
        practitioner=directory.practitioner(given, desk.source),
        source=await desk.origin(entry),
    )
    await desk.keep(None, entry)
    await desk.do(entry, command)
    desk.settle("practitioners", entry)


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
    desk.visits[await desk.do(entry, command)] = chart
    desk.settle("encounters", entry)


async def _fact(
    shape: type[F],
    mapped: Callable[[F, str | None], records.Filed],
    kind: str,
    desk: Desk,
    entry: Entry,
) -> None:
    given = entry.decode(shape)
    chart = await desk.chart(given.subject)
    await _record(desk, entry, chart, mapped(given, await desk.visit(given.encounter, chart)), kind)


async def _record(desk: Desk, entry: Entry, chart: str, filed: records.Filed, kind: str) -> None:
    fact, when = filed
    origin = await desk.origin(entry)
    command = FileRecord(chart=chart, key=desk.key(entry), source=origin, fact=fact, when=when)
    await desk.keep(chart, entry)
    await desk.do(entry, command)
    desk.settle(kind, entry)


async def _observation(desk: Desk, entry: Entry) -> None:
    given = entry.decode(resources.Observation)
    if not results.is_laboratory(given):
        await _fact(resources.Observation, records.observation, "filed", desk, entry)
        return
    chart = await desk.chart(given.subject)
    origin = await desk.origin(entry)
    report = results.standalone(given, origin, await desk.visit(given.encounter, chart))
    await desk.keep(chart, entry)
    await desk.do(
        entry, ReceiveResult(chart=chart, key=desk.key(entry), report=report, source=origin)
    )
    desk.settle("standalone_laboratory", entry)
    await answer_orders(desk, chart, given.based_on)


async def _report(desk: Desk, entry: Entry) -> None:
    given, parts = desk.reports[entry.index]
    chart = await desk.chart(given.subject)
    visit = await desk.visit(given.encounter, chart)
    if given.presented_form and not given.result:
        await _record(desk, entry, chart, records.note(given, visit), "notes")
        return
    measured: dict[Entry, results.Measured] = {}
    for part in parts:
        try:
            measured[part] = await _measured(desk, part, chart)
        except Malformed as error:
            desk.set_aside(part, "malformed", error.at)
    origin = await desk.origin(entry)
    report = results.report(given, list(measured.values()), visit)
    await desk.keep(chart, entry, *measured)
    await desk.do(
        entry, ReceiveResult(chart=chart, key=desk.key(entry), report=report, source=origin)
    )
    desk.settle(f"{report.category}_reports", entry)
    desk.settle("in_reports", *measured)
    await answer_orders(desk, chart, given.based_on)


async def _measured(desk: Desk, entry: Entry, chart: str) -> results.Measured:
    """An observation of a report. Raises Unusable where it is another patient's."""
    given = entry.decode(resources.Observation)
    if given.subject and await desk.chart(given.subject) != chart:
        raise Unusable("other-patient")
    return given, await desk.origin(entry)


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


_FILED_BY: dict[str, Callable[[Desk, Entry], Awaitable[None]]] = {
    **kinds.FILED_BY,
    "Organization": _organization,
    "Practitioner": _practitioner,
    "Patient": _patient,
    "Encounter": _encounter,
    "Condition": partial(_fact, resources.Condition, records.condition, "conditions"),
    "AllergyIntolerance": partial(
        _fact, resources.AllergyIntolerance, records.allergy, "allergies"
    ),
    "Immunization": partial(_fact, resources.Immunization, records.immunization, "immunizations"),
    "MedicationRequest": _prescription,
    "DiagnosticReport": _report,
    "Observation": _observation,
}
_EARLY = (
    frozenset(("Organization", "Practitioner")) | kinds.EARLY,
    frozenset(("Patient",)),
    frozenset(("Encounter",)),
)
STAGES = (*_EARLY, frozenset(_FILED_BY).difference(*_EARLY))
