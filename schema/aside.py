"""What was received and could not be filed, as GraphQL, for those who repair it."""

from typing import Annotated

import strawberry

from domain import records
from domain.kernel.perform import Receipt
from domain.kernel.refusal import Refusal
from domain.records import DismissResource, RepairResource, StillSetAside
from schema.kernel.context import Aside, SchemaContext
from schema.kernel.ids import NO_CHART, known
from schema.kernel.paging import (
    After,
    Connection,
    CursorInvalid,
    First,
    Info,
    checked,
    connected,
    shape,
)
from schema.kernel.problems import (
    BusyProblem,
    InputProblem,
    KeyReusedProblem,
    NotFoundProblem,
    StaleVersionProblem,
    problem_of,
)
from schema.kernel.ruled import field, ruled, said


@strawberry.type(
    directives=ruled(records.view_set_aside), description="A received resource that is not filed."
)
class SetAsideResource:
    """What staff need to repair it; its bytes stay sealed."""

    id: strawberry.ID = said("Stands for this resource.")
    type: str = said("The FHIR resource type, or Resource where it does not say.")
    reason: str = said("The code of why it was not filed: malformed, no-patient, bad-date, ...")
    at: str | None = said("The JSON path where it went wrong.")
    source: str = said("The system that sent it.")
    identifier: str = said("Its id there.")
    entry: int | None = said("Its place in what it came with, from 0.")
    since: str = said("When it was set aside (RFC 3339).")
    version: int = said("Give it as expectedVersion when you settle it.")

    @classmethod
    def of(cls, context: SchemaContext, one: Aside) -> "SetAsideResource":
        """From what the context gives."""
        return cls(
            id=strawberry.ID(context.ids.hide("aside", one.id)),
            type=one.original.type,
            reason=one.reason,
            at=one.at,
            source=one.original.system,
            identifier=one.original.id,
            entry=one.index,
            since=one.since.isoformat(),
            version=one.version,
        )


@strawberry.input(description="Which resource to file after all.")
class RepairResourceInput:
    """Input of repairResource."""

    idempotency_key: str = said("Any text of yours; the same key never acts twice.")
    id: strawberry.ID = said("The resource that is set aside.")
    reason: str = said("Why; it goes into the log.")
    resource: str | None = strawberry.field(
        default=None, description="The corrected FHIR JSON; leave out to try the kept bytes again."
    )
    expected_version: int | None = strawberry.field(
        default=None, description="The version that you saw; leave out to act regardless."
    )


@strawberry.input(description="Which resource will not be filed.")
class DismissResourceInput:
    """Input of dismissResource."""

    idempotency_key: str = said("Any text of yours; the same key never acts twice.")
    id: strawberry.ID = said("The resource that is set aside.")
    reason: str = said("Why; it goes into the log.")
    expected_version: int | None = strawberry.field(
        default=None, description="The version that you saw; leave out to act regardless."
    )


@strawberry.type(directives=ruled(shape), description="The resource is set aside no more.")
class ResourceSettled:
    """Success of both mutations."""

    position: str | None = said("Give it as extensions.position of a query to read your change.")
    repeated: bool = said("Whether this is the first answer to an earlier call with the same key.")


ResourceSettledResult = Annotated[
    ResourceSettled
    | InputProblem
    | NotFoundProblem
    | StaleVersionProblem
    | KeyReusedProblem
    | BusyProblem,
    strawberry.union("ResourceSettledResult", description="The settled resource, or why not."),
]
RepairInput = Annotated[RepairResourceInput, strawberry.argument(description="The wish.")]
DismissInput = Annotated[DismissResourceInput, strawberry.argument(description="The wish.")]
ReasonFilter = Annotated[str | None, strawberry.argument(description="Only with this reason.")]


@strawberry.type(description="What is set aside.")
class AsideQuery:
    """Queries of health information staff."""

    @field(records.view_set_aside, "Received resources that are not filed, newest first.")
    async def set_aside(
        self, info: Info, first: First = 20, after: After = None, reason: ReasonFilter = None
    ) -> Connection[SetAsideResource] | None:
        """One ruled read."""
        context = info.context
        before = None if after is None else _position(context, after)
        found, more = await context.desk.set_aside(checked(first), before, reason)
        return connected(
            context.ids,
            [SetAsideResource.of(context, one) for one in found],
            [str(one.position) for one in found],
            more=more,
            began_after=after is not None,
        )


def _position(context: SchemaContext, cursor: str) -> int:
    try:
        return int(context.ids.from_cursor(cursor))
    except ValueError:
        raise CursorInvalid from None


async def _repair(info: Info, input: RepairInput) -> ResourceSettledResult:
    context = info.context
    ident = known(context.ids, "aside", input.id) or NO_CHART
    content = None if input.resource is None else input.resource.encode()
    wish = RepairResource(resource=ident, how=input.reason, seen_version=input.expected_version)
    try:
        receipt = await context.desk.repair(wish, content, input.idempotency_key)
    except Refusal as refusal:
        return _problem(refusal)
    return _settled(context, receipt)


async def _dismiss(info: Info, input: DismissInput) -> ResourceSettledResult:
    context = info.context
    ident = known(context.ids, "aside", input.id) or NO_CHART
    wish = DismissResource(resource=ident, reason=input.reason, seen_version=input.expected_version)
    try:
        receipt = await context.do(wish, input.idempotency_key)
    except Refusal as refusal:
        return _problem(refusal)
    return _settled(context, receipt)


def _problem(refusal: Refusal) -> ResourceSettledResult:
    if isinstance(refusal, StillSetAside):
        return InputProblem.of(refusal, "resource", refusal.reason, *filter(None, [refusal.at]))
    return problem_of(refusal)


def _settled(context: SchemaContext, receipt: Receipt) -> ResourceSettled:
    return ResourceSettled(
        position=None if receipt.last is None else context.ids.position_token(receipt.last),
        repeated=receipt.repeated,
    )


@strawberry.type(description="Repairs of what was received.")
class AsideMutation:
    """Mutations of health information staff."""

    repair_resource: ResourceSettledResult = strawberry.mutation(
        resolver=_repair,
        description="File a resource after all: as it was received, or corrected.",
        directives=ruled(records.repair),
    )
    dismiss_resource: ResourceSettledResult = strawberry.mutation(
        resolver=_dismiss,
        description="Decide that a resource will not be filed; it stays traceable.",
        directives=ruled(records.dismiss),
    )
