"""Filers of policies, claims and their answers."""

from collections.abc import Awaitable, Callable

from adapters.fhir.desk import Desk
from adapters.fhir.mapping import coverage
from adapters.fhir.reading import Entry
from adapters.fhir.resources import care
from domain.coverage import ReportClaim, ReportCoverage


async def _policy(desk: Desk, entry: Entry) -> None:
    given = entry.decode(care.Coverage)
    chart = await desk.chart(given.subject)
    command = ReportCoverage(
        chart=chart,
        key=desk.key(entry),
        policy=coverage.policy(given),
        source=await desk.origin(entry),
        labels=desk.labels(entry),
    )
    await desk.keep(chart, entry)
    await desk.do(entry, command)
    desk.settle("policies", entry)


async def _claim(desk: Desk, entry: Entry) -> None:
    given = entry.decode(care.Claim)
    chart = await desk.chart(given.subject)
    command = ReportClaim(
        chart=chart,
        key=desk.key(entry),
        claim=coverage.claim(given, entry.resource_type),
        source=await desk.origin(entry),
        labels=desk.labels(entry),
    )
    await desk.keep(chart, entry)
    await desk.do(entry, command)
    desk.settle("claims", entry)


FILED_BY: dict[str, Callable[[Desk, Entry], Awaitable[None]]] = {
    "Coverage": _policy,
    "Claim": _claim,
    "ClaimResponse": _claim,
    "ExplanationOfBenefit": _claim,
    "CoverageEligibilityRequest": _claim,
    "CoverageEligibilityResponse": _claim,
}
