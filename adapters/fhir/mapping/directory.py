"""Organization and Practitioner as directory entries."""

from adapters.fhir import resources
from adapters.fhir.mapping.values import (
    Unusable,
    addresses,
    concepts,
    identifiers,
    names,
    telecoms,
)
from domain.directory import Organization, Practitioner


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
