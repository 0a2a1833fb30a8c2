"""Laboratory reports with their observations as GraphQL."""

import strawberry

from domain import results
from domain.kernel.readmodel import Row
from domain.results import Analyte
from projections.results import ResultRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.values import Concept, Moment, Quantity, ReferenceRange, Source

view = ruled(results.view)


@strawberry.type(directives=view, description="One value of a report.")
class LabObservation:
    """FHIR Observation within a DiagnosticReport."""

    code: Concept = said("What was measured.")
    status: str = said("preliminary, final, amended, corrected, cancelled.")
    value: Quantity | None = said("The measured amount.")
    unit: str | None = said("The unit of the amount, in words.")
    text: str | None = said("The value in words where it is no amount.")
    absent_reason: Concept | None = said("Why there is no value.")
    reference_range: list[ReferenceRange] = said("The usual ranges.")
    interpretation: list[Concept] = said("High, low, normal and the like.")
    effective: Moment | None = said("When the specimen was taken.")

    @classmethod
    def of(cls, analyte: Analyte) -> "LabObservation":
        """From the domain."""
        quantity = analyte.quantity
        return cls(
            code=Concept.of(analyte.concept),
            status=analyte.status,
            value=Quantity.maybe(quantity),
            unit=quantity.unit or quantity.code if quantity else None,
            text=analyte.text or (analyte.coded.words if analyte.coded else None),
            absent_reason=Concept.maybe(analyte.absent),
            reference_range=[ReferenceRange.of(given) for given in analyte.ranges],
            interpretation=[Concept.of(meaning) for meaning in analyte.interpretation],
            effective=Moment.maybe(analyte.effective),
        )


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
            observations=[LabObservation.of(analyte) for analyte in report.observations],
            received=body.received.isoformat(),
            source=Source.maybe(body.source),
        )
