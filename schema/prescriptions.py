"""Medications as GraphQL."""

import strawberry

from domain import prescriptions
from domain.kernel.readmodel import Row
from projections.prescriptions import OrderRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.values import Concept, Moment, Source


@strawberry.type(directives=ruled(prescriptions.view), description="A medication as ordered.")
class Medication:
    """FHIR MedicationRequest."""

    id: strawberry.ID = said("Stands for this order.")
    code: Concept = said("The medicine.")
    status: str = said("active, on-hold, cancelled, completed, stopped, entered-in-error.")
    authored: Moment | None = said("When it was ordered.")
    directions: list[str] = said("How to take it, in words.")
    reasons: list[Concept] = said("What it is for.")
    received: str = said("When it reached this record (RFC 3339).")
    source: Source | None = said("Where it was stated.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Medication":
        """From a row document."""
        body: OrderRow = row.body
        order = body.order
        return cls(
            id=strawberry.ID(context.ids.hide("record", row.id)),
            code=Concept.of(order.medication),
            status=order.status,
            authored=Moment.maybe(order.authored),
            directions=list(order.directions),
            reasons=[Concept.of(reason) for reason in order.reasons],
            received=body.received.isoformat(),
            source=Source.maybe(body.source),
        )
