"""Clinical value types shared by capabilities; they keep the text they were given.

FHIR R4 dates and decimals carry meaning in their written form (precision, trailing zeros), so a
`Moment` and a `Quantity` hold the original text beside nothing else; numbers are derived.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

_PADDING = {4: "-01-01T00:00:00+00:00", 7: "-01T00:00:00+00:00", 10: "T00:00:00+00:00"}


@dataclass(frozen=True, slots=True)
class Moment:
    """A FHIR date, dateTime or instant exactly as written (YYYY up to fractions of a second)."""

    text: str

    @property
    def instant(self) -> datetime:
        """The earliest UTC instant it may mean. Raises ValueError for text that is no date."""
        padded = self.text + _PADDING.get(len(self.text), "")
        parsed = datetime.fromisoformat(padded)
        if parsed.tzinfo is None:
            raise ValueError("a FHIR dateTime with a time needs a zone")
        try:
            return parsed.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("a date outside the years 1 to 9999 in UTC") from error

    @property
    def precision(self) -> str:
        """`year`, `month`, `day` or `instant`."""
        return {4: "year", 7: "month", 10: "day"}.get(len(self.text), "instant")


@dataclass(frozen=True, slots=True)
class Coding:
    """A code of a terminology: system URI, code, display."""

    system: str | None = None
    code: str | None = None
    display: str | None = None


@dataclass(frozen=True, slots=True)
class Concept:
    """A FHIR CodeableConcept: codings of one meaning, and the words that were used."""

    codings: tuple[Coding, ...] = ()
    text: str | None = None

    @property
    def words(self) -> str:
        """What to show: the text, else the first display, else the first code."""
        shown = (c.display or c.code for c in self.codings)
        return self.text or next((word for word in shown if word), "")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured amount: the decimal as written, its unit (words) and UCUM code."""

    value: str | None = None
    unit: str | None = None
    code: str | None = None
    system: str | None = None
    comparator: str | None = None

    @property
    def decimal(self) -> Decimal | None:
        """The number, or None where the source gave none."""
        return None if self.value is None else Decimal(self.value)


@dataclass(frozen=True, slots=True)
class ReferenceRange:
    """A FHIR Observation.referenceRange."""

    low: Quantity | None = None
    high: Quantity | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Identifier:
    """A business identifier: value within the system of its assigning authority."""

    system: str
    value: str
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name in parts as given."""

    family: str | None = None
    given: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    text: str | None = None

    @property
    def words(self) -> str:
        """The whole name for display."""
        return self.text or " ".join((*self.prefix, *self.given, *filter(None, [self.family])))


@dataclass(frozen=True, slots=True)
class Period:
    """A FHIR Period; an absent end is still open."""

    start: Moment | None = None
    end: Moment | None = None


UNKNOWN = Concept(
    (Coding("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown", "Unknown"),)
)
"""Why there is no value where the source gave no reason."""


@dataclass(frozen=True, slots=True)
class Absence:
    """An element that a source left out on purpose, and why (FHIR data-absent-reason)."""

    element: str
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a filed fact came from: assigning system, its type and id there, and the sealed
    original (object id, keyed digest of the received bytes).

    `version` and `updated` are what the system itself said of its version, as written.
    """

    system: str
    type: str
    id: str
    object: str | None = None
    digest: str | None = None
    version: str | None = None
    updated: str | None = None
