"""Whose record it is: demographics as GraphQL."""

import strawberry

from domain import registry
from domain.kernel.readmodel import Row
from projections.registry import ChartRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.values import Moment


@strawberry.type(
    directives=ruled(registry.view), description="The person of a chart, as the authority says."
)
class Patient:
    """FHIR Patient, the demographics of one chart."""

    id: strawberry.ID = said("The chart's id.")
    name: str = said("The name to show.")
    birth_date: Moment | None = said("The date of birth.")
    gender: str | None = said("Administrative gender (FHIR administrative-gender).")
    languages: list[str] = said("Languages of communication, the preferred one first.")
    medical_record_number: str = said("The identifier that the chart was opened under.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Patient":
        """From a row document."""
        body: ChartRow = row.body
        known = body.demographics
        return cls(
            id=strawberry.ID(context.ids.hide("chart", row.chart)),
            name=known.names[0].words if known.names else "",
            birth_date=Moment.maybe(known.birth_date),
            gender=known.gender,
            languages=[language.words for language in known.languages],
            medical_record_number=body.identifier.value,
        )
