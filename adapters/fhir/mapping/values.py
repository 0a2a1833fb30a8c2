"""FHIR data types as domain values: the written form is kept, only the shape changes."""

from collections.abc import Iterable

from msgspec import Raw

from adapters.fhir.resources import (
    Address,
    BusinessIdentifier,
    CodeableConcept,
    ContactPoint,
    Extent,
    HumanName,
    Measure,
)
from domain.kernel.values import Concept, Identifier, Moment, Name, Period, Quantity

NPI = "http://hl7.org/fhir/sid/us-npi"
_FORMER = ("old", "maiden")
_NOTHING = (b"", b"null")


class Unusable(Exception):
    """A resource that decodes but means nothing to the domain; `reason` is a code, never a value.

    Codes: `bad-date`, `bad-number`, `no-name`, `no-medication`, and of its references `no-patient`
    and `other-patient`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def moment(text: str | None) -> Moment | None:
    """The date as written. Raises Unusable for text that is no FHIR date or dateTime."""
    if text is None:
        return None
    given = Moment(text)
    try:
        _ = given.instant
    except ValueError as error:
        raise Unusable("bad-date") from error
    return given


def period(given: Extent | None) -> Period | None:
    """None for a period without bounds."""
    if given is None or (given.start is None and given.end is None):
        return None
    return Period(moment(given.start), moment(given.end))


def start(text: str | None, extent: Extent | None) -> Moment | None:
    """The dateTime, else the start of the period that stands in its place."""
    return moment(text or (extent.start if extent else None))


def concept(given: CodeableConcept) -> Concept:
    """Codings and words as given."""
    return Concept(given.coding, given.text)


def some_concept(given: CodeableConcept | None) -> Concept | None:
    """None stays None."""
    return None if given is None else Concept(given.coding, given.text)


def concepts(given: Iterable[CodeableConcept]) -> tuple[Concept, ...]:
    """All of them, in order."""
    return tuple(Concept(one.coding, one.text) for one in given)


def code(given: CodeableConcept | None) -> str | None:
    """The first code, else the text: for code lists that FHIR binds."""
    if given is None:
        return None
    return next((coding.code for coding in given.coding if coding.code), given.text)


def codes(given: Iterable[CodeableConcept]) -> tuple[str, ...]:
    """Every code of every concept, in order."""
    return tuple(coding.code for one in given for coding in one.coding if coding.code)


def number(token: Raw) -> str | None:
    """The JSON number as written; None where it is absent. Raises Unusable for another token."""
    written = bytes(token)
    if written in _NOTHING:
        return None
    if written[0] not in b"-0123456789":
        raise Unusable("bad-number")
    return written.decode("ascii")


def is_given(token: Raw) -> bool:
    """Whether a member that is only noticed, not read, was there."""
    return bytes(token) not in _NOTHING


def quantity(given: Measure | None) -> Quantity | None:
    """Value, unit words and UCUM code as given."""
    if given is None:
        return None
    return Quantity(number(given.value), given.unit, given.code, given.system, given.comparator)


def amount(given: Measure | None) -> str | None:
    """The quantity in words; None for none."""
    if given is None:
        return None
    parts = (f"{given.comparator or ''}{number(given.value) or ''}", given.unit or given.code)
    return " ".join(filter(None, parts)) or None


def identifiers(given: Iterable[BusinessIdentifier], source: str) -> tuple[Identifier, ...]:
    """Those with a value; an identifier without a system is one of the source."""
    return tuple(
        Identifier(one.system or source, one.value, code(one.type)) for one in given if one.value
    )


def business_key(given: Iterable[BusinessIdentifier], otherwise: str) -> str:
    """`system|value` of the NPI, else of the first full identifier, else `otherwise`."""
    full = [one for one in given if one.system and one.value]
    chosen = next((one for one in full if one.system == NPI), full[0] if full else None)
    return otherwise if chosen is None else f"{chosen.system}|{chosen.value}"


def names(given: Iterable[HumanName]) -> tuple[Name, ...]:
    """In the order given, former names last."""
    ordered = sorted(given, key=lambda one: one.use in _FORMER)
    return tuple(Name(one.family, one.given, one.prefix, one.text) for one in ordered)


def telecoms(given: Iterable[ContactPoint]) -> tuple[str, ...]:
    """Numbers and addresses as written."""
    return tuple(one.value for one in given if one.value)


def addresses(given: Iterable[Address]) -> tuple[str, ...]:
    """One line each: the text, else its parts joined by commas."""
    return tuple(filter(None, map(_one_line, given)))


def _one_line(given: Address) -> str:
    place = (given.city, given.state, given.postal_code, given.country)
    return given.text or ", ".join(filter(None, (*given.line, *place)))
