"""Procedures, documents, plans, goals, devices, provenance and images as GraphQL."""

from typing import cast

import strawberry

from domain import records
from domain.kernel.readmodel import Row
from projections.records import FactRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.stated import Stated
from schema.kernel.values import Concept, Moment, Quantity

view = ruled(records.view)


@strawberry.type(directives=view, description="Content of a document.")
class Attachment:
    """FHIR Attachment; the bytes are kept sealed."""

    media_type: str | None = said("Its media type, such as text/plain.")
    title: str | None = said("Its title.")
    size: int | None = said("How many bytes it has, where they are here.")
    digest: str | None = said("The SHA-256 of its bytes in hexadecimal, where they are here.")
    url: str | None = said("Where the source keeps it.")


@strawberry.type(directives=view, description="A step of a care plan.")
class CarePlanActivity:
    """FHIR CarePlan.activity."""

    code: Concept = said("What is to be done.")
    status: str | None = said("not-started, in-progress, completed and the like.")


@strawberry.type(directives=view, description="What a goal is measured by.")
class GoalTarget:
    """FHIR Goal.target."""

    measure: Concept | None = said("What is measured.")
    detail: str | None = said("The wanted value in words.")
    due: Moment | None = said("By when.")


@strawberry.type(directives=view, description="Who took part in making facts.")
class ProvenanceAgent:
    """FHIR Provenance.agent."""

    name: str = said("The name as given.")
    role: str | None = said("author, transmitter and the like.")


@strawberry.type(directives=view, description="Images of one kind of one part of the body.")
class ImagingSeries:
    """FHIR ImagingStudy.series."""

    modality: str | None = said("How they were made.")
    body_site: str | None = said("Of which part of the body.")
    images: int | None = said("How many.")


@strawberry.type(directives=view, description="Something done to or for the patient.")
class Procedure(Stated):
    """FHIR Procedure."""

    code: Concept = said("What was done.")
    status: str = said("preparation, in-progress, completed, not-done, stopped.")
    start: Moment | None = said("When it began.")
    end: Moment | None = said("When it ended.")
    categories: list[Concept] = said("What kind of procedure.")
    reasons: list[Concept] = said("Why.")
    body_sites: list[Concept] = said("Where on the body.")
    outcome: Concept | None = said("What came of it.")
    performers: list[str] = said("Who did it.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Procedure":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.Procedure, body.fact.procedure)
        return cls.stating(
            context,
            row,
            code=Concept.of(fact.concept),
            status=fact.status,
            start=Moment.maybe(fact.performed.start if fact.performed else None),
            end=Moment.maybe(fact.performed.end if fact.performed else None),
            categories=[Concept.of(one) for one in fact.categories],
            reasons=[Concept.of(one) for one in fact.reasons],
            body_sites=[Concept.of(one) for one in fact.body_sites],
            outcome=Concept.maybe(fact.outcome),
            performers=list(fact.performers),
        )


@strawberry.type(directives=view, description="A document or picture.")
class Document(Stated):
    """FHIR DocumentReference, Composition, Media."""

    type: Concept = said("What kind of document.")
    status: str = said("current or superseded.")
    doc_status: str | None = said("preliminary, final, amended (FHIR docStatus).")
    categories: list[Concept] = said("Its class, such as clinical note.")
    title: str | None = said("Its title.")
    authors: list[str] = said("Who wrote it.")
    attachments: list[Attachment] = said("Its contents.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Document":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.Document, body.fact.document)
        return cls.stating(
            context,
            row,
            type=Concept.of(fact.concept),
            status=fact.status,
            doc_status=fact.document_status,
            categories=[Concept.of(one) for one in fact.categories],
            title=fact.title,
            authors=list(fact.authors),
            attachments=[
                Attachment(
                    media_type=one.media_type,
                    title=one.title,
                    size=one.size,
                    digest=one.digest,
                    url=one.url,
                )
                for one in fact.attachments
            ],
        )


@strawberry.type(directives=view, description="A clinical note or report in words.")
class Note(Stated):
    """FHIR DiagnosticReport.presentedForm."""

    type: Concept = said("What kind of note.")
    status: str = said("preliminary, final, amended.")
    start: Moment | None = said("When it began.")
    end: Moment | None = said("When it ended.")
    issued: Moment | None = said("When it was released.")
    media_types: list[str] = said("The forms of its words.")
    digests: list[str] = said("The SHA-256 of each form in hexadecimal.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Note":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.Note, body.fact.note)
        return cls.stating(
            context,
            row,
            type=Concept.of(fact.concept),
            status=fact.status,
            start=Moment.maybe(fact.period.start if fact.period else None),
            end=Moment.maybe(fact.period.end if fact.period else None),
            issued=Moment.maybe(fact.issued),
            media_types=list(fact.media_types),
            digests=list(fact.digests),
        )


@strawberry.type(directives=view, description="What is planned for the patient.")
class CarePlan(Stated):
    """FHIR CarePlan."""

    title: str | None = said("Its title.")
    status: str = said("draft, active, on-hold, revoked, completed.")
    intent: str | None = said("proposal, plan or order.")
    categories: list[Concept] = said("What kind of plan.")
    start: Moment | None = said("When it began.")
    end: Moment | None = said("When it ended.")
    addresses: list[Concept] = said("The problems that it is about.")
    activities: list[CarePlanActivity] = said("Its steps.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "CarePlan":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.CarePlan, body.fact.care_plan)
        return cls.stating(
            context,
            row,
            title=fact.title,
            status=fact.status,
            intent=fact.intent,
            categories=[Concept.of(one) for one in fact.categories],
            start=Moment.maybe(fact.period.start if fact.period else None),
            end=Moment.maybe(fact.period.end if fact.period else None),
            addresses=[Concept.of(one) for one in fact.addresses],
            activities=[
                CarePlanActivity(code=Concept.of(one.concept), status=one.status)
                for one in fact.activities
            ],
        )


@strawberry.type(directives=view, description="What patient and team want to reach.")
class Goal(Stated):
    """FHIR Goal."""

    description: Concept = said("The goal.")
    status: str = said("proposed, accepted, active, completed, cancelled.")
    achievement: str | None = said("in-progress, improving, achieved and the like.")
    start: Moment | None = said("When work on it began.")
    categories: list[Concept] = said("What kind of goal.")
    targets: list[GoalTarget] = said("What it is measured by.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Goal":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.Goal, body.fact.goal)
        return cls.stating(
            context,
            row,
            description=Concept.of(fact.concept),
            status=fact.status,
            achievement=fact.achievement,
            start=Moment.maybe(fact.start),
            categories=[Concept.of(one) for one in fact.categories],
            targets=[
                GoalTarget(
                    measure=Concept.maybe(one.measure), detail=one.detail, due=Moment.maybe(one.due)
                )
                for one in fact.targets
            ],
        )


@strawberry.type(directives=view, description="A device of or in the patient, or a supply.")
class Device(Stated):
    """FHIR Device, DeviceUseStatement, SupplyDelivery."""

    type: Concept = said("What it is.")
    use: str = said("device, use-statement or supply.")
    status: str = said("active, inactive, completed.")
    maker: str | None = said("Who made it.")
    model: str | None = said("The model.")
    lot: str | None = said("The lot.")
    serial: str | None = said("The serial number.")
    identifier: str | None = said("The device identifier (UDI).")
    expires: Moment | None = said("Until when it may be used.")
    quantity: Quantity | None = said("How much was handed out.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Device":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.Device, body.fact.device)
        return cls.stating(
            context,
            row,
            type=Concept.of(fact.concept),
            use=fact.use,
            status=fact.status,
            maker=fact.maker,
            model=fact.model,
            lot=fact.lot,
            serial=fact.serial,
            identifier=fact.identifier,
            expires=Moment.maybe(fact.expires),
            quantity=Quantity.maybe(fact.quantity),
        )


@strawberry.type(directives=view, description="Who made facts and how.")
class Provenance(Stated):
    """FHIR Provenance."""

    activity: Concept | None = said("What was done.")
    agents: list[ProvenanceAgent] = said("Who took part.")
    reasons: list[Concept] = said("Why.")
    targets: list[str] = said("What it is about: type and id at the source, at most 100.")
    count: int = said("How many facts it is about.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Provenance":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.Provenance, body.fact.provenance)
        return cls.stating(
            context,
            row,
            activity=Concept.maybe(fact.activity),
            agents=[ProvenanceAgent(name=one.name, role=one.role) for one in fact.agents],
            reasons=[Concept.of(one) for one in fact.reasons],
            targets=list(fact.targets),
            count=fact.count,
        )


@strawberry.type(directives=view, description="A set of images.")
class ImagingStudy(Stated):
    """FHIR ImagingStudy."""

    status: str = said("registered, available, cancelled.")
    procedures: list[Concept] = said("What was done.")
    description: str | None = said("In words.")
    images: int | None = said("How many images.")
    series: list[ImagingSeries] = said("The images by kind.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "ImagingStudy":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.ImagingStudy, body.fact.imaging_study)
        return cls.stating(
            context,
            row,
            status=fact.status,
            procedures=[Concept.of(one) for one in fact.procedures],
            description=fact.description,
            images=fact.images,
            series=[
                ImagingSeries(modality=one.modality, body_site=one.body_site, images=one.images)
                for one in fact.series
            ],
        )
