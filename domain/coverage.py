"""Insurance: policies and claims as reported; eligibility, denials and appeals are decided later.

Streams: one per policy, one per claim or eligibility answer. A claim has a life of its own with the
payer and may be appealed long after the policy has ended.
Source: FHIR R4 financial resources; X12 5010 sets 270/271, 276/277, 278, 835, 837.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Event
from domain.kernel.items import Item
from domain.kernel.labels import Label
from domain.kernel.rule import may, oneself, operator, system
from domain.kernel.values import Concept, Moment, Period, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is reported of a coverage (FHIR Coverage); `payors` by name."""

    status: str
    kind: Concept | None = None
    member: str | None = None
    relationship: Concept | None = None
    period: Period | None = None
    payors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum of money: the decimal as written and its currency; `what` says which sum it is."""

    value: str
    currency: str | None = None
    what: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is reported of a claim or its answer.

    `form` is the FHIR type: Claim, ExplanationOfBenefit, ClaimResponse, CoverageEligibilityRequest
    or CoverageEligibilityResponse. `items` counts its lines.
    """

    form: str
    status: str
    kind: Concept | None = None
    use: str | None = None
    outcome: str | None = None
    created: Moment | None = None
    period: Period | None = None
    insurer: str | None = None
    provider: str | None = None
    totals: tuple[Amount, ...] = ()
    items: int = 0


class CoverageReported(Event, name="coverage.coverage-reported", version=1):
    """The authority reported an insurance policy of the patient, or changed it."""

    policy_id: str
    policy: Policy
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def content(self) -> Policy:
        """The policy."""
        return self.policy


class ClaimReported(Event, name="coverage.claim-reported", version=1):
    """A claim, or what was answered to one, was reported or changed."""

    claim_id: str
    claim: Claim
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def content(self) -> Claim:
        """The claim."""
        return self.claim


view = may("coverage.view", oneself)
report = may("coverage.report", operator, system)


class ReportCoverage(Command[Item[Policy]], name="coverage.report-coverage", rule=report):
    """File a policy of a source; `key` is its id there."""

    chart: str
    key: str
    policy: Policy
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The policy of this source id."""
        reserved = Reserved("coverage.policy", f"{self.chart}|{self.key}")
        return (Stream(fold=Item, reserved=reserved, chart=self.chart),)

    @property
    def occurred(self) -> Moment | None:
        """When it began."""
        return None if self.policy.period is None else self.policy.period.start

    def subject(self, _state: Item[Policy]) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Item[Policy], _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last report."""
        labels = state.news(self.policy, self.labels)
        if labels is not None:
            yield CoverageReported(
                policy_id=state.id, policy=self.policy, source=self.source, labels=labels
            )


class ReportClaim(Command[Item[Claim]], name="coverage.report-claim", rule=report):
    """File a claim or its answer; `key` is its id at the source."""

    chart: str
    key: str
    claim: Claim
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The claim of this source id."""
        reserved = Reserved("coverage.claim", f"{self.chart}|{self.key}")
        return (Stream(fold=Item, reserved=reserved, chart=self.chart),)

    @property
    def occurred(self) -> Moment | None:
        """When it was written."""
        return self.claim.created

    def subject(self, _state: Item[Claim]) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Item[Claim], _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last report."""
        labels = state.news(self.claim, self.labels)
        if labels is not None:
            yield ClaimReported(
                claim_id=state.id, claim=self.claim, source=self.source, labels=labels
            )
