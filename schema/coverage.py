"""Policies and claims as GraphQL: filed and counted, for their later owners."""

import strawberry

from domain import coverage
from domain.kernel.readmodel import Row
from projections.coverage import ClaimRow, PolicyRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.stated import Stated
from schema.kernel.values import Concept, Moment

view = ruled(coverage.view)


@strawberry.type(directives=view, description="A sum of money.")
class Amount:
    """FHIR Money."""

    value: str = said("The decimal exactly as the source wrote it.")
    currency: str | None = said("ISO 4217 code, where given.")
    what: str | None = said("Which sum it is, such as submitted amount.")


@strawberry.type(directives=view, description="An insurance policy.")
class Policy(Stated):
    """FHIR Coverage."""

    status: str = said("active, cancelled, draft.")
    type: Concept | None = said("What kind of policy.")
    member: str | None = said("The subscriber's number.")
    relationship: Concept | None = said("What the patient is to the subscriber.")
    start: Moment | None = said("When it began.")
    end: Moment | None = said("When it ended.")
    payors: list[str] = said("Who pays.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Policy":
        """From a row document."""
        body: PolicyRow = row.body
        policy = body.policy
        return cls.stating(
            context,
            row,
            status=policy.status,
            type=Concept.maybe(policy.kind),
            member=policy.member,
            relationship=Concept.maybe(policy.relationship),
            start=Moment.maybe(policy.period.start if policy.period else None),
            end=Moment.maybe(policy.period.end if policy.period else None),
            payors=list(policy.payors),
        )


@strawberry.type(directives=view, description="A claim or what was answered to it.")
class Claim(Stated):
    """FHIR Claim, ClaimResponse, ExplanationOfBenefit."""

    form: str = said("Its FHIR type.")
    status: str = said("active, cancelled, draft.")
    type: Concept | None = said("professional, institutional, pharmacy and the like.")
    outcome: str | None = said("queued, complete, error or partial.")
    created: Moment | None = said("When it was written.")
    insurer: str | None = said("Who is asked to pay.")
    provider: str | None = said("Who asks.")
    totals: list[Amount] = said("Its sums.")
    items: int = said("How many lines it has.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Claim":
        """From a row document."""
        body: ClaimRow = row.body
        claim = body.claim
        return cls.stating(
            context,
            row,
            form=claim.form,
            status=claim.status,
            type=Concept.maybe(claim.kind),
            outcome=claim.outcome,
            created=Moment.maybe(claim.created),
            insurer=claim.insurer,
            provider=claim.provider,
            totals=[
                Amount(value=one.value, currency=one.currency, what=one.what)
                for one in claim.totals
            ],
            items=claim.items,
        )
