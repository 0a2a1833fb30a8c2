"""Acts of the registry as GraphQL: link, merge, both undone, review, a death and its correction."""

from typing import Annotated, Any

import strawberry

from domain import registry
from domain.kernel.command import Command
from domain.kernel.refusal import Refusal
from domain.kernel.values import Moment
from domain.registry import (
    CorrectDeath,
    DeathTimeUnclear,
    DismissMatch,
    LinkCharts,
    MatchDecided,
    MergeCharts,
    MergedElsewhere,
    NothingToUndo,
    NotMerged,
    ReportDeath,
    ReviewMerge,
    SameChart,
    UndoLink,
    UnmergeCharts,
)
from schema.kernel.context import SchemaContext
from schema.kernel.ids import NO_CHART, chart_of, known
from schema.kernel.paging import Info, shape
from schema.kernel.problems import (
    BusyProblem,
    InputProblem,
    KeyReusedProblem,
    NotFoundProblem,
    StaleVersionProblem,
    problem_of,
)
from schema.kernel.ruled import ruled, said

KEY = "Any text of yours; the same key never acts twice."
REASON = "Why; it goes into the log."
_SEEN = "The version of the chart that you saw; leave out to act regardless."


def _seen(text: str = _SEEN) -> Any:
    return strawberry.field(default=None, description=text)


@strawberry.input(description="Which chart is whose.")
class LinkChartsInput:
    """Input of linkCharts."""

    idempotency_key: str = said(KEY)
    chart: strawberry.ID = said("The chart to link.")
    beside: strawberry.ID = said("A chart of the person that it belongs to.")
    reason: str = said(REASON)
    expected_version: int | None = _seen()


@strawberry.input(description="Which chart to merge into which.")
class MergeChartsInput:
    """Input of mergeCharts."""

    idempotency_key: str = said(KEY)
    chart: strawberry.ID = said("The chart that is read as a part of the other from now on.")
    into: strawberry.ID = said("The chart that stays.")
    reason: str = said(REASON)
    expected_version: int | None = _seen()


@strawberry.input(description="Which chart an act is about, and why.")
class ChartAct:
    """What the inputs of undoLink, unmergeCharts, reviewMerge and correctDeath share."""

    idempotency_key: str = said(KEY)
    chart: strawberry.ID = said("The chart.")
    reason: str = said(REASON)
    expected_version: int | None = _seen()


@strawberry.input(description="Which link to undo.")
class UndoLinkInput(ChartAct):
    """Input of undoLink."""


@strawberry.input(description="Which merge to undo, named by the chart that was merged.")
class UnmergeChartsInput(ChartAct):
    """Input of unmergeCharts."""


@strawberry.input(description="Which chart's grants were reviewed.")
class ReviewMergeInput(ChartAct):
    """Input of reviewMerge."""


@strawberry.input(description="Whose death was reported in error.")
class CorrectDeathInput(ChartAct):
    """Input of correctDeath."""


@strawberry.input(description="Which proposal to dismiss.")
class DismissMatchInput:
    """Input of dismissMatch."""

    idempotency_key: str = said(KEY)
    match: strawberry.ID = said("The proposal.")
    reason: str = said(REASON)
    expected_version: int | None = _seen(
        "The version of the proposal that you saw; leave out to act regardless."
    )


@strawberry.input(description="Who has died, and when.")
class ReportDeathInput:
    """Input of reportDeath."""

    idempotency_key: str = said(KEY)
    chart: strawberry.ID = said("The chart.")
    at: str | None = strawberry.field(
        default=None, description="When, as far as it is known (FHIR dateTime), such as 2026-03."
    )
    expected_version: int | None = _seen()


@strawberry.type(directives=ruled(shape), description="It is as you wished.")
class RegistryChanged:
    """Success of every act."""

    position: str | None = said("Give it as extensions.position of a query to read your change.")
    repeated: bool = said("Whether this is the first answer to an earlier call with the same key.")


RegistryResult = Annotated[
    RegistryChanged
    | InputProblem
    | NotFoundProblem
    | StaleVersionProblem
    | KeyReusedProblem
    | BusyProblem,
    strawberry.union("RegistryResult", description="What was decided, or why not."),
]
_ABOUT: dict[type[Refusal], str] = {
    DeathTimeUnclear: "at",
    MatchDecided: "match",
    MergedElsewhere: "chart",
    NothingToUndo: "chart",
    NotMerged: "chart",
    SameChart: "chart",
}


async def _changed(context: SchemaContext, wish: Command[Any], key: str) -> RegistryResult:
    try:
        receipt = await context.do(wish, key)
    except Refusal as refusal:
        return problem_of(refusal, _ABOUT)
    return RegistryChanged(
        position=None if receipt.last is None else context.ids.position_token(receipt.last),
        repeated=receipt.repeated,
    )


LinkInput = Annotated[LinkChartsInput, strawberry.argument(description="The wish.")]
MergeInput = Annotated[MergeChartsInput, strawberry.argument(description="The wish.")]
UndoInput = Annotated[UndoLinkInput, strawberry.argument(description="The wish.")]
UnmergeInput = Annotated[UnmergeChartsInput, strawberry.argument(description="The wish.")]
ReviewInput = Annotated[ReviewMergeInput, strawberry.argument(description="The wish.")]
CorrectInput = Annotated[CorrectDeathInput, strawberry.argument(description="The wish.")]
DismissInput = Annotated[DismissMatchInput, strawberry.argument(description="The wish.")]
DeathInput = Annotated[ReportDeathInput, strawberry.argument(description="The wish.")]


async def _link(info: Info, input: LinkInput) -> RegistryResult:
    ids = info.context.ids
    wish = LinkCharts(
        chart=chart_of(ids, input.chart),
        beside=chart_of(ids, input.beside),
        evidence=("staff",),
        reason=input.reason,
        seen_version=input.expected_version,
    )
    return await _changed(info.context, wish, input.idempotency_key)


async def _merge(info: Info, input: MergeInput) -> RegistryResult:
    ids = info.context.ids
    wish = MergeCharts(
        chart=chart_of(ids, input.chart),
        into=chart_of(ids, input.into),
        reason=input.reason,
        seen_version=input.expected_version,
    )
    return await _changed(info.context, wish, input.idempotency_key)


async def _dismiss(info: Info, input: DismissInput) -> RegistryResult:
    wish = DismissMatch(
        match=known(info.context.ids, "match", input.match) or NO_CHART,
        reason=input.reason,
        seen_version=input.expected_version,
    )
    return await _changed(info.context, wish, input.idempotency_key)


async def _report_death(info: Info, input: DeathInput) -> RegistryResult:
    wish = ReportDeath(
        chart=chart_of(info.context.ids, input.chart),
        at=None if input.at is None else Moment(input.at),
        seen_version=input.expected_version,
    )
    return await _changed(info.context, wish, input.idempotency_key)


async def _act(
    info: Info,
    input: ChartAct,
    kind: type[UndoLink] | type[UnmergeCharts] | type[ReviewMerge] | type[CorrectDeath],
) -> RegistryResult:
    wish = kind(
        chart=chart_of(info.context.ids, input.chart),
        reason=input.reason,
        seen_version=input.expected_version,
    )
    return await _changed(info.context, wish, input.idempotency_key)


async def _undo_link(info: Info, input: UndoInput) -> RegistryResult:
    return await _act(info, input, UndoLink)


async def _unmerge(info: Info, input: UnmergeInput) -> RegistryResult:
    return await _act(info, input, UnmergeCharts)


async def _review_merge(info: Info, input: ReviewInput) -> RegistryResult:
    return await _act(info, input, ReviewMerge)


async def _correct_death(info: Info, input: CorrectInput) -> RegistryResult:
    return await _act(info, input, CorrectDeath)


def _mutation(resolver: Any, text: str) -> Any:
    return strawberry.mutation(
        resolver=resolver, description=text, directives=ruled(registry.decide)
    )


@strawberry.type(description="Changes of the registry.")
class RegistryMutation:
    """Mutations of this capability; each is one command."""

    link_charts: RegistryResult = _mutation(_link, "Say that a chart is a person's.")
    undo_link: RegistryResult = _mutation(
        _undo_link, "Give a chart back to the person before; its grants wait for review."
    )
    dismiss_match: RegistryResult = _mutation(
        _dismiss, "Say that the charts of a proposal are two persons'."
    )
    merge_charts: RegistryResult = _mutation(
        _merge, "Read a chart as a part of another one; grants of both wait for review."
    )
    unmerge_charts: RegistryResult = _mutation(
        _unmerge, "Undo the merge of a chart; grants of both wait for review."
    )
    review_merge: RegistryResult = _mutation(
        _review_merge, "Put the grants of a chart in force again after a merge or its undoing."
    )
    report_death: RegistryResult = _mutation(
        _report_death, "Report that the person of a chart has died; grants end or pass on."
    )
    correct_death: RegistryResult = _mutation(
        _correct_death, "Take back a death that was reported in error."
    )
