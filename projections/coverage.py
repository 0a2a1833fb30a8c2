"""Policies and claims as reported."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain import coverage
from domain.coverage import Claim, ClaimReported, CoverageReported, Policy
from domain.kernel.event import Erased, Recorded
from domain.kernel.labels import Label
from domain.kernel.readmodel import Drop, Panel, Projection, Write
from domain.kernel.values import Moment, Source
from projections.kernel.panels import document, panel_table

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """A policy with where it was stated and when it reached us."""

    policy: Policy
    received: datetime
    version: int
    labels: tuple[Label, ...] = ()
    corrected: bool = False
    source: Source | None = None
    occurred: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """A claim or its answer with where it was stated and when it reached us."""

    claim: Claim
    received: datetime
    version: int
    labels: tuple[Label, ...] = ()
    corrected: bool = False
    source: Source | None = None
    occurred: Moment | None = None


POLICY = panel_table("coverage_policy", PolicyRow)
CLAIM = panel_table("coverage_claim", ClaimRow)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per policy and per claim, as last reported."""
    event, header = recorded.event, recorded.header
    match event:
        case CoverageReported():
            yield _policy(recorded, event)
        case ClaimReported():
            yield _claim(recorded, event)
        case Erased():
            for table in (POLICY, CLAIM):
                yield Drop(table, {"chart": header.chart, "id": header.stream})


def _policy(recorded: Recorded, event: CoverageReported) -> Write:
    policy = event.policy
    at = policy.period.start if policy.period else None
    row = PolicyRow(
        policy=policy,
        received=recorded.committed_at,
        version=recorded.version,
        labels=event.labels,
        corrected=recorded.version > 1,
        source=event.source,
        occurred=at,
    )
    ident, labels = recorded.header.stream, event.labels
    return document(
        POLICY,
        recorded,
        ident,
        row,
        at=at,
        state=policy.status,
        labels=labels,
        source=event.source,
    )


def _claim(recorded: Recorded, event: ClaimReported) -> Write:
    claim = event.claim
    row = ClaimRow(
        claim=claim,
        received=recorded.committed_at,
        version=recorded.version,
        labels=event.labels,
        corrected=recorded.version > 1,
        source=event.source,
        occurred=claim.created,
    )
    return document(
        CLAIM,
        recorded,
        recorded.header.stream,
        row,
        at=claim.created,
        state=claim.status,
        kind=claim.form,
        labels=event.labels,
        source=event.source,
    )


PROJECTION = Projection(
    "coverage", VERSION, (POLICY, CLAIM), (CoverageReported, ClaimReported), project
)
policies = Panel("coverage.policies", coverage.view, POLICY, "coverage")
claims = Panel("coverage.claims", coverage.view, CLAIM, "coverage")
