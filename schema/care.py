"""Visits as GraphQL."""

import strawberry

from domain import care
from domain.kernel.readmodel import Row
from projections.care import VisitRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.values import Concept, Moment, Source


@strawberry.type(directives=ruled(care.view), description="A visit, stay or contact.")
class Visit:
    """FHIR Encounter."""

    id: strawberry.ID = said("Stands for this visit.")
    status: str = said("planned, arrived, in-progress, finished, cancelled.")
    kind: str | None = said("AMB, EMER, IMP and the like (HL7 ActCode).")
    types: list[Concept] = said("What kind of visit it was.")
    reasons: list[Concept] = said("Why it took place.")
    start: Moment | None = said("When it began.")
    end: Moment | None = said("When it ended.")
    received: str = said("When it reached this record (RFC 3339).")
    source: Source | None = said("Where it was stated.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Visit":
        """From a row document."""
        body: VisitRow = row.body
        visit = body.visit
        return cls(
            id=strawberry.ID(context.ids.hide("record", row.id)),
            status=visit.status,
            kind=visit.kind.code if visit.kind else None,
            types=[Concept.of(kind) for kind in visit.types],
            reasons=[Concept.of(reason) for reason in visit.reasons],
            start=Moment.maybe(visit.period.start if visit.period else None),
            end=Moment.maybe(visit.period.end if visit.period else None),
            received=body.received.isoformat(),
            source=Source.maybe(body.source),
        )
