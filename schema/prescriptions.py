"""Medications as GraphQL."""

import strawberry

from domain import prescriptions
from domain.kernel.readmodel import Row
from projections.prescriptions import OrderRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.stated import Stated
from schema.kernel.values import Concept, Moment, Quantity


@strawberry.type(
    directives=ruled(prescriptions.view),
    description="A medicine ordered, dispensed, given or taken.",
)
class Medication(Stated):
    """FHIR MedicationRequest, -Statement, -Dispense and -Administration."""

    kind: str = said("order, dispense, administration or statement.")
    code: Concept = said("The medicine.")
    status: str = said("active, on-hold, cancelled, completed, stopped, entered-in-error.")
    authored: Moment | None = said("When it was ordered.")
    directions: list[str] = said("How to take it, in words.")
    reasons: list[Concept] = said("What it is for.")
    start: Moment | None = said("From when it was taken or given.")
    end: Moment | None = said("Until when.")
    quantity: Quantity | None = said("How much was dispensed.")
    days_supply: Quantity | None = said("For how long that lasts.")
    by: str | None = said("Who ordered, dispensed, gave or said it.")
    why_status: Concept | None = said("Why it has this status, such as stopped.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Medication":
        """From a row document."""
        body: OrderRow = row.body
        order = body.order
        return cls.stating(
            context,
            row,
            kind=order.kind,
            code=Concept.of(order.medication),
            start=Moment.maybe(order.effective.start if order.effective else None),
            end=Moment.maybe(order.effective.end if order.effective else None),
            quantity=Quantity.maybe(order.quantity),
            days_supply=Quantity.maybe(order.days_supply),
            by=order.by,
            why_status=Concept.maybe(order.why_status),
            status=order.status,
            authored=Moment.maybe(order.authored),
            directions=list(order.directions),
            reasons=[Concept.of(reason) for reason in order.reasons],
        )
