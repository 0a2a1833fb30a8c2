"""Every projection of this release. The permission read models are those that rules read."""

from domain.kernel.event import event_types
from domain.kernel.readmodel import Panel, Projection
from projections import (
    audit,
    care,
    consent,
    coverage,
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
            registry, directory, identity, consent, care, records, results, prescriptions, coverage,
            audit, aside,
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
    care.teams,
    care.orders,
    *records.PANELS,
    results.reports,
    results.analytes,
    prescriptions.medications,
    coverage.policies,
    coverage.claims,
)


def projection(name: str) -> Projection:
    """The projection of that name. Raises KeyError."""
    return {known.name: known for known in PROJECTIONS}[name]
