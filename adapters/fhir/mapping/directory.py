"""Organization, Practitioner, Location and PractitionerRole as directory entries."""

from adapters.fhir import resources
from adapters.fhir.mapping.values import (
    Unusable,
    addresses,
    concepts,
    identifiers,
    names,
    period,
    telecoms,
)
from adapters.fhir.resources import care
from domain.directory import Function, Organization, Place, Practitioner


def organization(given: resources.Organization, source: str) -> Organization:
    """Listed under its name, alias or first identifier (constraint org-1 asks for one of them)."""
    known = identifiers(given.identifier, source)
    fallback = known[0].value if known else None
    name = given.name or next(iter(given.alias), fallback)
    if name is None:
        raise Unusable("no-name")
    return Organization(
        name=name,
        identifiers=known,
        kinds=concepts(given.type),
        telecoms=telecoms(given.telecom),
        addresses=addresses(given.address),
    )


def practitioner(given: resources.Practitioner, source: str) -> Practitioner:
    """Listed under the names given, which may be none."""
    return Practitioner(
        names=names(given.name),
        identifiers=identifiers(given.identifier, source),
        gender=given.gender,
        telecoms=telecoms(given.telecom),
    )


def place(given: care.Location, source: str, organization: str | None) -> Place:
    """Listed under its name, description or first identifier."""
    known = identifiers(given.identifier, source)
    name = given.name or given.description or (known[0].value if known else None)
    if name is None:
        raise Unusable("no-name")
    return Place(
        name=name,
        status=given.status,
        description=given.description,
        identifiers=known,
        kinds=concepts(given.type),
        telecoms=telecoms(given.telecom),
        addresses=addresses(filter(None, [given.address])),
        organization=organization,
    )


def function(
    given: care.PractitionerRole,
    practitioner: str | None,
    organization: str | None,
    places: tuple[str, ...],
) -> Function:
    """What a practitioner does where; ids of the directory."""
    return Function(
        practitioner=practitioner,
        organization=organization,
        places=places,
        codes=concepts(given.code),
        specialties=concepts(given.specialty),
        telecoms=telecoms(given.telecom),
        period=period(given.period),
        active=given.active,
    )
