"""Correcting, relabelling and withdrawing entries of a record, their history, and who saw them."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain import audit, records
from domain.kernel.items import InThisChart, UnknownChart
from domain.kernel.refusal import Refusal
from domain.records import ResourceUnusable
from schema.kernel.context import Amendment, SchemaContext
from schema.kernel.context import Version as KnownVersion
from schema.kernel.ids import NO_CHART, chart_of, known
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
from schema.opening import opening


@strawberry.type(directives=ruled(shape), description="What a statement changed.")
class ChangedField:
    """One field, in words."""

    field: str = said("Which field.")
    before: str = said("What it said; empty for nothing.")
    after: str = said("What it says; empty for nothing.")


@strawberry.type(directives=ruled(opening), description="A version of an entry, or its end.")
class EntryVersion:
    """What changed and when."""

    id: strawberry.ID = said("Stands for the event.")
    version: int = said("Counts from 1.")
    what: str = said("stated, changed, relabelled or withdrawn.")
    at: datetime = said("When it became part of this record.")
    occurred: str = said("When it happened, as written.")
    by: str = said("source or staff.")
    reason: str | None = said("The reason that staff gave.")
    source: str | None = said("The system that stated it.")
    labels: list[str] = said("Sensitivity codes from then on.")
    changes: list[ChangedField] = said("What it changed; nothing of an entry of somebody else.")

    @classmethod
    def of(cls, context: SchemaContext, known: KnownVersion) -> "EntryVersion":
        """From the version."""
        return cls(
            id=strawberry.ID(context.ids.hide("event", known.event)),
            version=known.version,
            what=known.what,
            at=known.at,
            occurred=known.occurred,
            by=known.by,
            reason=known.reason,
            source=known.source,
            labels=list(known.labels),
            changes=[
                ChangedField(field=one.field, before=one.before, after=one.after)
                for one in known.changes
            ],
        )


@strawberry.type(directives=ruled(audit.view_trail), description="Whom an entry reached.")
class EntryReach:
    """The blast radius of an entry."""

    accounts: list[strawberry.ID] = said("The accounts that saw it.")
    applications: list[str] = said("The applications that it was shown in.")


@strawberry.input(description="Which entry to replace, and by what.")
class CorrectRecordInput:
    """Input of correctRecord."""

    idempotency_key: str = said("Any text of yours; the same key never acts twice.")
    record: strawberry.ID = said("The entry.")
    resource: str = said("The whole corrected resource as FHIR R4 JSON, or a bundle with it.")
    reason: str = said("Why; the patient can read it in the history.")
    expected_version: int | None = strawberry.field(
        default=None, description="The version that you saw; leave out to change regardless."
    )


@strawberry.input(description="Which entry to label, and how.")
class RelabelRecordInput:
    """Input of relabelRecord."""

    idempotency_key: str = said("Any text of yours; the same key never acts twice.")
    record: strawberry.ID = said("The entry.")
    labels: list[str] = said("Sensitivity codes (HL7 ActCode); none for nothing sensitive.")
    reason: str = said("Why.")
    expected_version: int | None = strawberry.field(
        default=None, description="The version that you saw; leave out to change regardless."
    )


@strawberry.input(description="Which entry to take out of a chart that it never belonged to.")
class WithdrawRecordInput:
    """Input of withdrawRecord."""

    idempotency_key: str = said("Any text of yours; the same key never acts twice.")
    record: strawberry.ID = said("The entry.")
    reason: str = said("Why.")
    refile_to: strawberry.ID | None = strawberry.field(
        default=None, description="The chart that it belongs to, where that is known."
    )
    expected_version: int | None = strawberry.field(
        default=None, description="The version that you saw; leave out to change regardless."
    )


@strawberry.type(directives=ruled(shape), description="The entry is as you wished.")
class RecordAmended:
    """Success of the three mutations."""

    position: str | None = said("Give it as extensions.position of a query to read your change.")
    repeated: bool = said("Whether this is the first answer to an earlier call with the same key.")
    people_reached: int = said("How many accounts had seen the entry.")
    applications_reached: int = said("In how many applications it had been shown.")


AmendResult = Annotated[
    RecordAmended
    | InputProblem
    | NotFoundProblem
    | StaleVersionProblem
    | KeyReusedProblem
    | BusyProblem,
    strawberry.union("AmendResult", description="The changed entry, or why not."),
]
_ABOUT: dict[type[Refusal], str] = {
    InThisChart: "refileTo",
    ResourceUnusable: "resource",
    UnknownChart: "refileTo",
}
RecordId = Annotated[strawberry.ID, strawberry.argument(description="The entry's id.")]
CorrectInput = Annotated[CorrectRecordInput, strawberry.argument(description="The wish.")]
RelabelInput = Annotated[RelabelRecordInput, strawberry.argument(description="The wish.")]
WithdrawInput = Annotated[WithdrawRecordInput, strawberry.argument(description="The wish.")]


def _entry(context: SchemaContext, opaque: str) -> str:
    return known(context.ids, "record", opaque) or NO_CHART


async def _amended(context: SchemaContext, wish: Amendment, key: str) -> AmendResult:
    try:
        receipt, reach = await context.entries.amend(wish, key)
    except Refusal as refusal:
        return problem_of(refusal, _ABOUT)
    return RecordAmended(
        position=None if receipt.last is None else context.ids.position_token(receipt.last),
        repeated=receipt.repeated,
        people_reached=len(reach.people),
        applications_reached=len(reach.applications),
    )


async def _correct(info: Info, input: CorrectInput) -> AmendResult:
    wish = Amendment(
        record=_entry(info.context, input.record),
        reason=input.reason,
        expected_version=input.expected_version,
        resource=input.resource,
    )
    return await _amended(info.context, wish, input.idempotency_key)


async def _relabel(info: Info, input: RelabelInput) -> AmendResult:
    wish = Amendment(
        record=_entry(info.context, input.record),
        reason=input.reason,
        expected_version=input.expected_version,
        codes=tuple(input.labels),
    )
    return await _amended(info.context, wish, input.idempotency_key)


async def _withdraw(info: Info, input: WithdrawInput) -> AmendResult:
    chart = input.refile_to
    wish = Amendment(
        record=_entry(info.context, input.record),
        reason=input.reason,
        expected_version=input.expected_version,
        refile_to=None if chart is None else chart_of(info.context.ids, chart),
    )
    return await _amended(info.context, wish, input.idempotency_key)


@strawberry.type(description="Changes of a record by health-information staff.")
class AmendingMutation:
    """Mutations of single entries; each is one command."""

    correct_record: AmendResult = strawberry.mutation(
        resolver=_correct,
        description="Replace an entry by what is right; the earlier one stays in its history.",
        directives=ruled(records.correct),
    )
    relabel_record: AmendResult = strawberry.mutation(
        resolver=_relabel,
        description="Give an entry other sensitivity labels.",
        directives=ruled(records.relabel),
    )
    withdraw_record: AmendResult = strawberry.mutation(
        resolver=_withdraw,
        description="Take an entry out of a chart and file it where it belongs, in one act.",
        directives=ruled(records.withdraw),
    )


@strawberry.type(description="Single entries of a record through time.")
class AmendingQuery:
    """Queries of single entries; each asks the rule of the entry's panel."""

    @field(opening, "What changed of an entry and when, newest first; withdrawn ones included.")
    async def history(
        self, info: Info, record: RecordId, first: First = 20, after: After = None
    ) -> Connection[EntryVersion] | None:
        """One ruled read of the log."""
        context = info.context
        size, before = checked(first), None if after is None else _place(context, after)
        every = await context.entries.history(_entry(context, record))
        left = [one for one in every if before is None or one.version < before]
        return connected(
            context.ids,
            [EntryVersion.of(context, one) for one in left[:size]],
            [str(one.version) for one in left[:size]],
            more=len(left) > size,
            began_after=after is not None,
        )

    @field(audit.view_trail, "Who saw an entry, for compliance.")
    async def reached_by(self, info: Info, record: RecordId) -> EntryReach | None:
        """One ruled read of the log."""
        context = info.context
        reach = await context.entries.reached(_entry(context, record))
        return EntryReach(
            accounts=[strawberry.ID(context.ids.hide("account", one)) for one in reach.people],
            applications=list(reach.applications),
        )


def _place(context: SchemaContext, cursor: str) -> int:
    try:
        return int(context.ids.from_cursor(cursor))
    except ValueError:
        raise CursorInvalid from None
