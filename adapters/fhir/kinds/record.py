"""Filers of procedures, documents, plans, devices and what others state of the patient."""

from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from hashlib import sha256
from typing import TypeVar

from adapters.fhir.desk import Desk
from adapters.fhir.intake import Under
from adapters.fhir.kinds.facts import answer_orders, coded, file_fact
from adapters.fhir.kinds.kept import whose
from adapters.fhir.mapping import plans, statements
from adapters.fhir.mapping.values import Unusable
from adapters.fhir.reading import Entry, Malformed
from adapters.fhir.resources import Reference, Wire, record
from domain.records import Attachment

Visited = TypeVar(
    "Visited",
    record.Composition,
    record.Flag,
    record.QuestionnaireResponse,
    record.RiskAssessment,
)
Plain = TypeVar("Plain", record.Goal, record.FamilyMemberHistory, record.RelatedPerson)
Handed = TypeVar("Handed", record.Device, record.SupplyDelivery)


async def _visited(
    shape: type[Visited],
    mapped: Callable[[Visited, str | None], plans.Filed],
    kind: str,
    desk: Desk,
    entry: Entry,
) -> None:
    given = entry.decode(shape)
    chart = await desk.chart(given.subject)
    visit = await desk.visit(given.encounter, chart)
    await file_fact(desk, entry, chart, mapped(given, visit), kind)


async def _plain(
    shape: type[Plain], mapped: Callable[[Plain], plans.Filed], kind: str, desk: Desk, entry: Entry
) -> None:
    given = entry.decode(shape)
    await file_fact(desk, entry, await desk.chart(given.subject), mapped(given), kind)


async def _handed(
    shape: type[Handed], mapped: Callable[[Handed], plans.Filed], desk: Desk, entry: Entry
) -> None:
    """A device or supply; one that is no patient's is kept for the organisation."""
    given = entry.decode(shape)
    if given.patient is None:
        await whose(desk, entry)
        return
    await file_fact(desk, entry, await desk.chart(given.patient), mapped(given), "devices")


async def _procedure(desk: Desk, entry: Entry) -> None:
    given = entry.decode(record.Procedure)
    chart = await desk.chart(given.subject)
    visit = await desk.visit(given.encounter, chart)
    filed = plans.procedure(given, visit, coded(desk, given.reason_reference))
    await file_fact(desk, entry, chart, filed, "procedures")
    if given.status == "completed":
        await answer_orders(desk, chart, given.based_on)


async def _document(desk: Desk, entry: Entry) -> None:
    given = entry.decode(record.DocumentReference)
    chart = await desk.chart(given.subject)
    visit = await desk.visit(next(iter(given.context.encounter), None), chart)
    papers = await _papers(desk, entry, chart, (one.attachment for one in given.content))
    await file_fact(desk, entry, chart, plans.document(given, visit, papers), "documents")


async def _media(desk: Desk, entry: Entry) -> None:
    given = entry.decode(record.Media)
    if given.subject is None:
        await whose(desk, entry)
        return
    chart = await desk.chart(given.subject)
    visit = await desk.visit(given.encounter, chart)
    papers = await _papers(desk, entry, chart, [given.content])
    await file_fact(desk, entry, chart, plans.media(given, visit, papers), "documents")


async def _papers(
    desk: Desk, entry: Entry, chart: str, given: Iterable[record.Paper]
) -> tuple[Attachment, ...]:
    """Each content with its bytes in the object store under the chart's key, where it has any."""
    found = []
    for paper in given:
        about = Attachment(media_type=paper.content_type, title=paper.title, url=paper.url)
        if paper.data:
            try:
                content = b64decode(paper.data, validate=False)
            except NoBase64:
                raise Unusable("bad-content") from None
            ident, _ = await desk.intake.trace(content, chart)
            fresh = await desk.intake.keep([(content, chart)], Under(chart, alone=True))
            desk.fresh.setdefault(entry.index, []).extend(fresh)
            about = Attachment(
                media_type=paper.content_type,
                title=paper.title,
                url=paper.url,
                size=len(content),
                digest=sha256(content).hexdigest(),
                object=ident,
            )
        found.append(about)
    return tuple(found)


async def _care_plan(desk: Desk, entry: Entry) -> None:
    given = entry.decode(record.CarePlan)
    chart = await desk.chart(given.subject)
    visit = await desk.visit(given.encounter, chart)
    filed = plans.care_plan(given, visit, coded(desk, given.addresses))
    await file_fact(desk, entry, chart, filed, "care_plans")


async def _device_use(desk: Desk, entry: Entry) -> None:
    given = entry.decode(record.DeviceUseStatement)
    chart = await desk.chart(given.subject)
    used = desk.references.entry(given.device) if given.device else None
    what = used.decode(record.Device).type if used else None
    await file_fact(desk, entry, chart, plans.device_use(given, what), "devices")


async def _imaging(desk: Desk, entry: Entry) -> None:
    given = entry.decode(record.ImagingStudy)
    chart = await desk.chart(given.subject)
    visit = await desk.visit(given.encounter, chart)
    await file_fact(desk, entry, chart, plans.imaging_study(given, visit), "imaging_studies")
    await answer_orders(desk, chart, given.based_on)


async def _provenance(desk: Desk, entry: Entry) -> None:
    """It belongs to the patient among its targets, or to whom its first target belongs."""
    given = entry.decode(record.Provenance)
    targets = tuple(map(partial(_target, desk), given.target))
    chart = None
    for reference in given.target:
        chart = await _chart_of(desk, reference)
        if chart is not None:
            break
    if chart is None:
        await whose(desk, entry)
        return
    await file_fact(desk, entry, chart, plans.provenance(given, targets), "provenance")


async def _chart_of(desk: Desk, reference: Reference) -> str | None:
    if (reference.reference or "").startswith("Patient/"):
        return await desk.chart(reference)
    entry = desk.references.entry(reference)
    if entry is None:
        return None
    if entry.resource_type == "Patient":
        return await desk.chart(reference)
    try:
        about = entry.decode(_About)
    except Malformed:
        return None
    meant = about.subject or about.patient
    return await desk.chart(meant) if meant else None


class _About(Wire, frozen=True):
    """Whose a target is."""

    subject: Reference | None = None
    patient: Reference | None = None


def _target(desk: Desk, reference: Reference) -> str:
    entry = desk.references.entry(reference)
    named = reference.reference or reference.display or ""
    return f"{entry.resource_type}/{entry.id}" if entry else named[:120]


FILED_BY: dict[str, Callable[[Desk, Entry], Awaitable[None]]] = {
    "Procedure": _procedure,
    "DocumentReference": _document,
    "Composition": partial(_visited, record.Composition, plans.composition, "documents"),
    "Media": _media,
    "CarePlan": _care_plan,
    "Goal": partial(_plain, record.Goal, plans.goal, "goals"),
    "Device": partial(_handed, record.Device, plans.device),
    "DeviceUseStatement": _device_use,
    "SupplyDelivery": partial(_handed, record.SupplyDelivery, plans.supply),
    "Provenance": _provenance,
    "ImagingStudy": _imaging,
    "FamilyMemberHistory": partial(
        _plain, record.FamilyMemberHistory, statements.family_history, "family_histories"
    ),
    "Flag": partial(_visited, record.Flag, statements.flag, "flags"),
    "RelatedPerson": partial(
        _plain, record.RelatedPerson, statements.related_person, "related_persons"
    ),
    "QuestionnaireResponse": partial(
        _visited, record.QuestionnaireResponse, statements.answers, "answers"
    ),
    "RiskAssessment": partial(_visited, record.RiskAssessment, statements.risk, "risks"),
}
