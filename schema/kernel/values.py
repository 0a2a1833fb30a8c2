"""GraphQL faces of the clinical value types.

A face names attributes of the domain's own value, which is shown as it is: nothing is copied, and
what nobody selected is never worked out.
"""

import enum
from datetime import UTC, datetime
from typing import cast

import strawberry
from graphql import GraphQLError

from domain.kernel import values
from schema.kernel.paging import shape
from schema.kernel.ruled import ruled, said


def _instant(given: object) -> datetime:
    """The instant in UTC; the caller never sees what was refused."""
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise GraphQLError("a DateTime is RFC 3339 with a zone")


INSTANT = strawberry.scalar(
    name="DateTime",
    description="A moment in RFC 3339 with its zone, such as 2026-11-20T09:30:00Z.",
    serialize=datetime.isoformat,
    parse_value=_instant,
)


@strawberry.type(directives=ruled(shape), description="A code of a terminology.")
class Coding:
    """FHIR Coding."""

    system: str | None = said("The terminology's URI, such as http://loinc.org.")
    code: str | None = said("The code.")
    display: str | None = said("What the code means, in the source's words.")

    @classmethod
    def of(cls, coding: values.Coding) -> "Coding":
        """From the domain."""
        return cast("Coding", coding)


@strawberry.type(directives=ruled(shape), description="A coded meaning with the words to show.")
class Concept:
    """FHIR CodeableConcept."""

    words: str = strawberry.field(name="text", description="The words to show.")
    codings: list[Coding] = said("The codes of this meaning.")

    @classmethod
    def of(cls, concept: values.Concept) -> "Concept":
        """From the domain."""
        return cast("Concept", concept)

    @classmethod
    def maybe(cls, concept: values.Concept | None) -> "Concept | None":
        """From the domain, or null."""
        return cast("Concept | None", concept)


def why_absent(given: values.Concept | None, *said: object) -> Concept | None:
    """Why there is no value; null where one of what was said is there."""
    return None if any(one is not None for one in said) else Concept.of(given or values.UNKNOWN)


@strawberry.type(directives=ruled(shape), description="A measured amount.")
class Quantity:
    """FHIR Quantity; the number keeps the digits it was written with."""

    value: str | None = said("The decimal exactly as the source wrote it, such as 1.10.")
    comparator: str | None = said("`<`, `<=`, `>=` or `>` where the true value lies beyond.")
    unit: str | None = said("The unit in words.")
    code: str | None = said("The UCUM code of the unit.")

    @classmethod
    def maybe(cls, quantity: values.Quantity | None) -> "Quantity | None":
        """From the domain, or null."""
        return cast("Quantity | None", quantity)


@strawberry.type(directives=ruled(shape), description="The usual range of a measured value.")
class ReferenceRange:
    """FHIR Observation.referenceRange."""

    low: Quantity | None = said("The lower bound.")
    high: Quantity | None = said("The upper bound.")
    text: str | None = said("The range in words.")

    @classmethod
    def of(cls, given: values.ReferenceRange) -> "ReferenceRange":
        """From the domain."""
        return cast("ReferenceRange", given)


@strawberry.enum(description="How much of a date or time is known.")
class Precision(enum.Enum):
    """Precision of a Moment."""

    YEAR = strawberry.enum_value("year", description="The year.")
    MONTH = strawberry.enum_value("month", description="Year and month.")
    DAY = strawberry.enum_value("day", description="The day.")
    INSTANT = strawberry.enum_value("instant", description="The instant, with its zone.")


@strawberry.type(directives=ruled(shape), description="A date or time as the source wrote it.")
class Moment:
    """FHIR date, dateTime or instant."""

    text: str = said("Exactly as written, such as 2019-04 or 2019-04-01T09:30:00+02:00.")
    precision: Precision = said("How much of it is known.")

    @classmethod
    def maybe(cls, moment: values.Moment | None) -> "Moment | None":
        """From the domain, or null."""
        return cast("Moment | None", moment)


@strawberry.type(directives=ruled(shape), description="Where a fact was stated.")
class Source:
    """The assigning system of a fact."""

    system: str = said("The system that stated it.")
    type: str = said("What it is called there, such as a FHIR resource type.")

    @classmethod
    def maybe(cls, source: values.Source | None) -> "Source | None":
        """From the domain, or null."""
        return cast("Source | None", source)
