"""Laboratory reports with their observations as GraphQL."""

from typing import cast

import strawberry

from domain import results
from domain.kernel.readmodel import Row
from projections.results import AnalyteRow, ResultRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.stated import Stated
from schema.kernel.values import Concept, Moment, Quantity, ReferenceRange

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
    absence: Concept | None = strawberry.field(
        name="absentReason", description="Why there is no value; given whenever there is none."
    )
    ranges: list[ReferenceRange] = strawberry.field(
        name="referenceRange", description="The usual ranges."
    )
    interpretation: list[Concept] = said("High, low, normal and the like.")
    effective: Moment | None = said("When the specimen was taken.")


@strawberry.type(directives=view, description="A laboratory report.")
class LabReport(Stated):
    """FHIR DiagnosticReport of category LAB."""

    code: Concept = said("What was ordered.")
    status: str = said("registered, partial, preliminary, final, amended, corrected, cancelled.")
    effective: Moment | None = said("When the specimen was taken.")
    issued: Moment | None = said("When the laboratory released it.")
    performers: list[str] = said("Who made it.")
    conclusion: str | None = said("The laboratory's summary.")
    observations: list[LabObservation] = said("Its values, in the laboratory's order.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "LabReport":
        """From a row document."""
        body: ResultRow = row.body
        report = body.report
        return cls.stating(
            context,
            row,
            code=Concept.of(report.concept),
            status=report.status,
            effective=Moment.maybe(report.effective),
            issued=Moment.maybe(report.issued),
            performers=list(report.performers),
            conclusion=report.conclusion,
            observations=cast("list[LabObservation]", report.observations),
        )


@strawberry.type(directives=view, description="One value of an analyte at a time.")
class TrendPoint(Stated):
    """A point of a trend; units are those of the value and are never converted or mixed."""

    code: Concept = said("What was measured.")
    report: Concept = said("The report that it is a value of.")
    status: str = said("preliminary, final, amended, corrected, cancelled.")
    value: Quantity | None = said("The measured amount with its own unit.")
    text: str | None = said("The value in words where it is no amount.")
    reference_range: list[ReferenceRange] = said("The usual ranges, as this laboratory gave them.")
    interpretation: list[Concept] = said("High, low, normal and the like.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "TrendPoint":
        """From a row document."""
        body: AnalyteRow = row.body
        analyte = body.analyte
        return cls.stating(
            context,
            row,
            code=Concept.of(analyte.concept),
            report=Concept.of(body.report),
            status=analyte.status,
            value=Quantity.maybe(analyte.quantity),
            text=analyte.text or (analyte.coded.words if analyte.coded else None),
            reference_range=[ReferenceRange.of(given) for given in analyte.ranges],
            interpretation=[Concept.of(meaning) for meaning in analyte.interpretation],
        )
