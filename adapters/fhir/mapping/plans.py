"""Procedures, documents, plans, goals, devices, provenance and images as filed facts."""

from collections.abc import Iterable

from adapters.fhir.mapping.values import (
    amount,
    code,
    concept,
    concepts,
    moment,
    names,
    period,
    quantity,
    some_concept,
    start,
)
from adapters.fhir.resources import CodeableConcept, Extent, Reference, record
from domain.kernel.values import Coding, Concept, Moment, Period
from domain.records import (
    Activity,
    Agent,
    Attachment,
    CarePlan,
    Device,
    Document,
    Fact,
    Goal,
    ImagingStudy,
    Procedure,
    Provenance,
    Series,
    Target,
)

Filed = tuple[Fact, Moment | None]
MOST_TARGETS = 100


def spoken(given: Iterable[Reference | None]) -> tuple[str, ...]:
    """The names that references are displayed with."""
    return tuple(one.display for one in given if one and one.display)


def span(at: str | None, extent: Extent | None) -> Period | None:
    """The period, else the moment as its start."""
    known = moment(at)
    return Period(known) if known else period(extent)


def procedure(
    given: record.Procedure, encounter: str | None, reasons: Iterable[CodeableConcept]
) -> Filed:
    """Happened when it began; `reasons` are what the referenced conditions are coded with."""
    performed = span(given.performed_date_time, given.performed_period)
    fact = Procedure(
        concept=concept(given.code),
        status=given.status,
        performed=performed,
        categories=concepts(filter(None, [given.category])),
        reasons=(*concepts(given.reason_code), *concepts(reasons)),
        body_sites=concepts(given.body_site),
        outcome=some_concept(given.outcome),
        performers=spoken(one.actor for one in given.performer),
    )
    return Fact(encounter=encounter, procedure=fact), performed.start if performed else None


def document(
    given: record.DocumentReference, encounter: str | None, content: tuple[Attachment, ...]
) -> Filed:
    """Happened when it was written."""
    at = moment(given.date)
    fact = Document(
        concept=concept(given.type),
        status=given.status,
        document_status=given.doc_status,
        categories=concepts(given.category),
        date=at,
        title=given.description,
        authors=spoken(given.author),
        attachments=content,
    )
    return Fact(encounter=encounter, document=fact), at


def composition(given: record.Composition, encounter: str | None) -> Filed:
    """A document whose sections are resources of their own."""
    at = moment(given.date)
    fact = Document(
        concept=concept(given.type),
        status="entered-in-error" if given.status == "entered-in-error" else "current",
        document_status=given.status,
        categories=concepts(given.category),
        date=at,
        title=given.title,
        authors=spoken(given.author),
    )
    return Fact(encounter=encounter, document=fact), at


def media(given: record.Media, encounter: str | None, content: tuple[Attachment, ...]) -> Filed:
    """A picture, sound or film."""
    at = start(given.created_date_time, given.created_period) or moment(given.issued)
    fact = Document(
        concept=concept(given.type or CodeableConcept(text="Media")),
        status="entered-in-error" if given.status == "entered-in-error" else "current",
        document_status=given.status,
        categories=concepts(given.reason_code),
        date=at,
        title=given.content.title,
        authors=spoken([given.operator]),
        attachments=content,
    )
    return Fact(encounter=encounter, document=fact), at


def care_plan(
    given: record.CarePlan, encounter: str | None, addresses: Iterable[CodeableConcept]
) -> Filed:
    """Happened when it began; `addresses` are the problems that it is about."""
    covered = period(given.period)
    fact = CarePlan(
        status=given.status,
        intent=given.intent,
        title=given.title,
        categories=concepts(given.category),
        period=covered,
        addresses=concepts(addresses),
        activities=tuple(filter(None, map(_activity, given.activity))),
    )
    return Fact(encounter=encounter, care_plan=fact), covered.start if covered else None


def _activity(given: record.CarePlanActivity) -> Activity | None:
    detail = given.detail
    if detail is None:
        named = given.reference and given.reference.display
        return Activity(concept=Concept(text=named)) if named else None
    meant = some_concept(detail.code) or Concept(text=detail.description)
    return Activity(concept=meant, status=detail.status)


def goal(given: record.Goal) -> Filed:
    """Happened when work on it began."""
    began = moment(given.start_date)
    fact = Goal(
        concept=concept(given.description),
        status=given.lifecycle_status,
        achievement=code(given.achievement_status),
        start=began,
        categories=concepts(given.category),
        targets=tuple(map(_target, given.target)),
    )
    return Fact(goal=fact), began


def _target(given: record.GoalTarget) -> Target:
    between = given.detail_range
    coded = some_concept(given.detail_codeable_concept)
    wanted = (
        amount(given.detail_quantity),
        " to ".join(filter(None, (amount(between.low), amount(between.high)))) if between else None,
        coded.words if coded else None,
        given.detail_string,
    )
    return Target(
        measure=some_concept(given.measure),
        detail=next(filter(None, wanted), None),
        due=moment(given.due_date),
    )


def device(given: record.Device) -> Filed:
    """Happened when it was made, as far as anybody says."""
    named = next((one.name for one in given.device_name if one.name), None)
    made = moment(given.manufacture_date)
    fact = Device(
        concept=concept(given.type or CodeableConcept(text=named)),
        status=given.status or "unknown",
        maker=given.manufacturer,
        model=given.model_number,
        lot=given.lot_number,
        serial=given.serial_number,
        identifier=given.distinct_identifier,
        expires=moment(given.expiration_date),
        period=Period(made) if made else None,
    )
    return Fact(device=fact), made


def device_use(given: record.DeviceUseStatement, what: CodeableConcept | None) -> Filed:
    """That the patient uses a device; `what` is the device's type where it is known."""
    used = span(given.timing_date_time, given.timing_period) or span(given.recorded_on, None)
    shown = given.device.display if given.device else None
    fact = Device(
        concept=concept(what or CodeableConcept(text=shown or "Device")),
        status=given.status,
        use="use-statement",
        period=used,
    )
    return Fact(device=fact), used.start if used else None


def supply(given: record.SupplyDelivery) -> Filed:
    """Something that was handed out."""
    when = span(given.occurrence_date_time, given.occurrence_period)
    item = given.supplied_item
    fact = Device(
        concept=concept(item.item_codeable_concept or given.type or CodeableConcept()),
        status=given.status or "unknown",
        use="supply",
        quantity=quantity(item.quantity),
        period=when,
    )
    return Fact(device=fact), when.start if when else None


def provenance(given: record.Provenance, targets: tuple[str, ...]) -> Filed:
    """Who made the targets (`Type/id` at the source), recorded when."""
    at = moment(given.recorded)
    fact = Provenance(
        recorded=at,
        activity=some_concept(given.activity),
        agents=tuple(
            Agent(name=(one.who and one.who.display) or "", role=code(one.type or _first(one.role)))
            for one in given.agent
        ),
        reasons=concepts(given.reason),
        targets=targets[:MOST_TARGETS],
        count=len(targets),
    )
    return Fact(provenance=fact), at


def _first(given: tuple[CodeableConcept, ...]) -> CodeableConcept | None:
    return given[0] if given else None


def imaging_study(given: record.ImagingStudy, encounter: str | None) -> Filed:
    """Happened when it started."""
    began = moment(given.started)
    fact = ImagingStudy(
        status=given.status,
        started=began,
        procedures=concepts(given.procedure_code),
        description=given.description,
        series=tuple(
            Series(
                modality=_shown(one.modality),
                body_site=_shown(one.body_site),
                images=one.number_of_instances,
            )
            for one in given.series
        ),
        images=given.number_of_instances,
    )
    return Fact(encounter=encounter, imaging_study=fact), began


def _shown(given: Coding | None) -> str | None:
    return None if given is None else given.display or given.code


def related_name(given: record.RelatedPerson) -> str:
    """The first name in words; nothing where none is given."""
    return next((one.words for one in names(given.name) if one.words), "")
