"""Laboratory reports with their observations as GraphQL."""

from typing import cast

import strawberry

from domain import results
from domain.kernel.readmodel import Row
from projections.results import ResultRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.values import Concept, Moment, Quantity, ReferenceRange, Source

view = ruled(results.view)


@strawberry.type(directives=view, description="One value of a report.")
class LabObservation:
    """FHIR Observation within a DiagnosticReport: the face of the domain's Analyte."""

    concept: Concept = strawberry.field(name="code", description="What was measured.")
    status: str = said("preliminary, final, amended, corrected, cancelled.")
    quantity: Quantity | None = strawberry.field(name="value", description="The measured amount.")
    unit: str | None = said("The unit of the amount, in words.")
    words: str | None = strawberry.field(
        name="text", description="The value in words where it is no amount."
    )
    absent: Concept | None = strawberry.field(
        name="absentReason", description="Why there is no value."
    )
    ranges: list[ReferenceRange] = strawberry.field(
        name="referenceRange", description="The usual ranges."
    )
    interpretation: list[Concept] = said("High, low, normal and the like.")
    effective: Moment | None = said("When the specimen was taken.")


@strawberry.type(directives=view, description="A laboratory report.")
class LabReport:
    """FHIR DiagnosticReport of category LAB."""

    id: strawberry.ID = said("Stands for this report.")
    code: Concept = said("What was ordered.")
    status: str = said("registered, partial, preliminary, final, amended, corrected, cancelled.")
    effective: Moment | None = said("When the specimen was taken.")
    issued: Moment | None = said("When the laboratory released it.")
    performers: list[str] = said("Who made it.")
    conclusion: str | None = said("The laboratory's summary.")
    observations: list[LabObservation] = said("Its values, in the laboratory's order.")
    received: str = said("When it reached this record (RFC 3339).")
    source: Source | None = said("Where it was stated.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "LabReport":
        """From a row document."""
        body: ResultRow = row.body
        report = body.report
        return cls(
            id=strawberry.ID(context.ids.hide("record", row.id)),
            code=Concept.of(report.concept),
            status=report.status,
            effective=Moment.maybe(report.effective),
            issued=Moment.maybe(report.issued),
            performers=list(report.performers),
            conclusion=report.conclusion,
            observations=cast("list[LabObservation]", report.observations),
            received=body.received.isoformat(),
            source=Source.maybe(body.source),
        )
