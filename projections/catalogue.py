"""Every projection of this release. The permission read models are those that rules read."""

from domain.kernel.event import event_types
from domain.kernel.readmodel import Panel, Projection
from projections import (
    audit,
    care,
    consent,
    directory,
    identity,
    prescriptions,
    records,
    registry,
    results,
)
from projections.kernel import aside, sources

PROJECTIONS: tuple[Projection, ...] = (
    *(
        module.PROJECTION
        for module in (
            registry, directory, identity, consent, care, records, results, prescriptions, audit,
            aside,
        )
    ),
    sources.of_types(event_types().values()),
)  # fmt: skip
PERMISSIONS = ("registry", "directory", "identity", "consent", "care")
PANELS: tuple[Panel, ...] = (
    registry.demographics,
    registry.deaths,
    consent.proxies,
    care.visits,
    records.conditions,
    records.allergies,
    records.immunizations,
    records.observations,
    records.notes,
    results.reports,
    prescriptions.medications,
)


def projection(name: str) -> Projection:
    """The projection of that name. Raises KeyError."""
    return {known.name: known for known in PROJECTIONS}[name]
