"""Patient as demographics, and the identifier that its chart is opened under."""

from adapters.fhir import resources
from adapters.fhir.mapping.values import addresses, concept, identifiers, moment, names, telecoms
from domain.kernel.values import Identifier, Moment
from domain.registry import Demographics

MEDICAL_RECORD = "MR"


def demographics(given: resources.Patient, source: str) -> Demographics:
    """What the authority says; the preferred language comes first."""
    spoken = sorted(given.communication, key=lambda one: not one.preferred)
    return Demographics(
        names=names(given.name),
        birth_date=moment(given.birth_date),
        gender=given.gender,
        languages=tuple(concept(one.language) for one in spoken),
        telecoms=telecoms(given.telecom),
        addresses=addresses(given.address),
        identifiers=identifiers(given.identifier, source),
    )


def chart_identifier(given: resources.Patient, source: str, resource_id: str) -> Identifier:
    """The medical record number (HL7 table 0203 `MR`), else the first, else the id at the source.

    An identifier without a system belongs to the source.
    """
    valued = [one for one in given.identifier if one.value]
    known = identifiers(valued, source)
    for raw, identifier in zip(valued, known, strict=True):
        if raw.type and any(coding.code == MEDICAL_RECORD for coding in raw.type.coding):
            return identifier
    return known[0] if known else Identifier(source, resource_id)


def death(given: resources.Patient) -> tuple[bool, Moment | None]:
    """Whether the patient has died, and when where that is known."""
    at = moment(given.deceased_date_time)
    return given.deceased_boolean or at is not None, at
