"""Encounter as a visit."""

from adapters.fhir import resources
from adapters.fhir.mapping.values import concepts, period
from domain.care import Visit


def visit(
    given: resources.Encounter, practitioners: tuple[str, ...], organization: str | None
) -> Visit:
    """`practitioners` and `organization` are directory ids of those the encounter names."""
    return Visit(
        status=given.status,
        kind=given.kind,
        types=concepts(given.type),
        reasons=concepts(given.reason_code),
        period=period(given.period),
        practitioners=tuple(dict.fromkeys(practitioners)),
        organization=organization,
    )
