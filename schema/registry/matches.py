"""Proposals of matching as GraphQL: two charts side by side, for those who keep the registry."""

import strawberry

from domain import registry
from domain.kernel.readmodel import Row
from domain.registry import Proposal
from projections import registry as panels
from schema.kernel.context import SchemaContext
from schema.kernel.paging import After, Connection, CursorInvalid, First, Info, checked, connected
from schema.kernel.ruled import field, ruled, said
from schema.registry.patients import Patient


@strawberry.type(directives=ruled(registry.review), description="A chart of a proposal.")
class MatchedChart:
    """One side of a proposal."""

    chart: strawberry.ID = said("The chart's id.")
    version: int = said("Give it as expectedVersion of an act on this chart.")
    patient: Patient | None = strawberry.field(
        description="Its demographics; null where they cannot be shown now.",
        directives=ruled(registry.review),
    )

    @classmethod
    def of(
        cls, context: SchemaContext, chart: str, version: int, row: Row | None
    ) -> "MatchedChart":
        """From the proposal and the chart's newest demographics."""
        return cls(
            chart=strawberry.ID(context.ids.hide("chart", chart)),
            version=version,
            patient=None if row is None else Patient.of(context, row),
        )


@strawberry.type(
    directives=ruled(registry.review), description="Two charts that may be one person's."
)
class Match:
    """An open proposal."""

    id: strawberry.ID = said("Stands for this proposal; give it as `match` of dismissMatch.")
    version: int = said("Give it as expectedVersion of dismissMatch.")
    score: float = said("Bits of evidence that the charts are one person's.")
    evidence: list[str] = said("The fields that agree (+) and disagree (-).")
    charts: list[MatchedChart] = said("The two charts.")

    @classmethod
    def of(cls, context: SchemaContext, proposal: Proposal, rows: dict[str, Row]) -> "Match":
        """From the proposal and the demographics of its charts."""
        return cls(
            id=strawberry.ID(context.ids.hide("match", proposal.id)),
            version=proposal.version,
            score=proposal.why.score / 100,
            evidence=list(proposal.why.evidence),
            charts=[
                MatchedChart.of(context, chart, version, rows.get(chart))
                for chart, version in zip(proposal.charts, proposal.versions, strict=True)
            ],
        )


@strawberry.type(description="The registry's desk.")
class RegistryQuery:
    """Queries of those who keep the registry."""

    @field(registry.review, "Pairs of charts that may be one person's, newest first.")
    async def matches(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[Match] | None:
        """One ruled read of the proposals and of the demographics of their charts."""
        context = info.context
        before = None if after is None else _position(context, after)
        found, more = await context.desk.proposals(checked(first), before)
        charts = list(dict.fromkeys(chart for one in found for chart in one.charts))
        rows = await context.first_rows(panels.candidates, charts)
        return connected(
            context.ids,
            [Match.of(context, one, rows) for one in found],
            [str(one.position) for one in found],
            more=more,
            began_after=after is not None,
        )


def _position(context: SchemaContext, cursor: str) -> int:
    try:
        return int(context.ids.from_cursor(cursor))
    except ValueError:
        raise CursorInvalid from None
