"""What every entry of a record tells beside its content: whence, when, and who else says so."""

from typing import Any

import strawberry

from domain.kernel.readmodel import Row
from schema.kernel.context import SchemaContext
from schema.kernel.paging import shape
from schema.kernel.ruled import ruled, said
from schema.kernel.values import Moment, Source

ALIKE = "same fact, same day"


@strawberry.type(directives=ruled(shape), description="Another source's statement of one fact.")
class OtherStatement:
    """A row that is kept but not shown, because a newer one says the same."""

    source: Source | None = said("Where it was stated.")
    received: str = said("When it reached this record (RFC 3339).")
    reason: str = said("Why it is taken for the same fact.")


@strawberry.type(directives=ruled(shape), description="An element that the source left out.")
class AbsentElement:
    """FHIR data-absent-reason of an element."""

    element: str = said("Which element, such as performed.")
    reason: str = said("Why (FHIR data-absent-reason): unknown, masked, not-asked and the like.")


@strawberry.interface(directives=ruled(shape), description="An entry of a record.")
class Stated:
    """What all entries have."""

    id: strawberry.ID = said("Stands for this entry.")
    occurred: Moment | None = said("When it happened, as the source wrote it.")
    received: str = said("When it reached this record (RFC 3339).")
    source: Source | None = said("Where it was stated.")
    version: int = said("Give it as expectedVersion when you change the entry.")
    corrected: bool = said("Whether this replaced an earlier statement; history shows it.")
    labels: list[str] = said("Sensitivity codes (HL7 ActCode), such as HIV or PSY.")
    also_stated_by: list[OtherStatement] = said("Other sources that say the same.")
    absent: list[AbsentElement] = said("Elements that the source left out, with the reason.")


def stated(context: SchemaContext, row: Row) -> dict[str, Any]:
    """The fields of `Stated` from a row document."""
    body = row.body
    fact = getattr(body, "fact", None)
    return {
        "id": strawberry.ID(context.ids.hide("record", row.id)),
        "occurred": Moment.maybe(body.occurred),
        "received": body.received.isoformat(),
        "source": Source.maybe(body.source),
        "version": body.version,
        "corrected": body.corrected,
        "labels": sorted({label.code for label in body.labels if label.code}),
        "also_stated_by": [
            OtherStatement(
                source=Source.maybe(other.body.source),
                received=other.body.received.isoformat(),
                reason=ALIKE,
            )
            for other in row.alike
        ],
        "absent": [
            AbsentElement(element=one.element, reason=one.reason)
            for one in (fact.absent if fact is not None else ())
        ],
    }
