"""The audit trail as GraphQL, for compliance."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain import audit
from domain.audit import AccessRefused, AuditReplayed, RecordsViewed
from domain.kernel.event import Recorded
from schema.kernel.context import SchemaContext, TrailQuery
from schema.kernel.ids import chart_of, known
from schema.kernel.paging import After, Connection, CursorInvalid, First, Info, checked, connected
from schema.kernel.ruled import field, ruled, said


@strawberry.type(directives=ruled(audit.view_trail), description="An event of the log.")
class AuditEntry:
    """Who did what to whose record, when, why and on which basis."""

    id: strawberry.ID = said("The event's id.")
    position: str = said("Its place in the log, opaque.")
    type: str = said("The event's permanent name.")
    at: str = said("When it became durable (RFC 3339).")
    actor: strawberry.ID = said("Who acted.")
    actor_kind: str = said("account, operator, system or anonymous.")
    on_behalf_of: strawberry.ID | None = said("The chart of the patient for whom they acted.")
    chart: strawberry.ID | None = said("Whose record it was about.")
    purpose: str = said("HL7 purpose of use.")
    basis: str = said("Why it was allowed; none for a refusal.")
    rule: str = said("The rule that decided.")
    operation: str | None = said("The operation, for looks and refusals.")
    panels: list[str] = said("The named reads, for looks.")
    records: list[strawberry.ID] = said("The ids of the records that were seen, for looks.")
    count: int = said("How many records were seen.")
    outcome: str = said("success or refused.")
    reason: str | None = said("The reason that an operator stated.")

    @classmethod
    def of(cls, context: SchemaContext, recorded: Recorded) -> "AuditEntry":
        """From the event."""
        stated, event = recorded.context, recorded.event
        looked = event if isinstance(event, RecordsViewed) else None
        refused = event if isinstance(event, AccessRefused) else None
        chart = refused.chart if refused else recorded.header.chart
        named = event.operation if isinstance(event, RecordsViewed | AccessRefused) else None
        replayed = event.count if isinstance(event, AuditReplayed) else 0
        return cls(
            id=strawberry.ID(context.ids.hide("event", recorded.header.event)),
            position=context.ids.position_token(recorded.position),
            type=recorded.header.type,
            at=recorded.committed_at.isoformat(),
            actor=_actor(context, stated.actor, stated.actor_kind),
            actor_kind=stated.actor_kind,
            on_behalf_of=_chart(context, stated.on_behalf_of),
            chart=_chart(context, chart),
            purpose=stated.purpose,
            basis=stated.basis,
            rule=stated.rule,
            operation=named,
            panels=list(looked.panels) if looked else [],
            records=_records(context, looked.records) if looked else [],
            count=looked.count if looked else replayed,
            outcome="refused" if refused else "success",
            reason=stated.reason,
        )


def _records(context: SchemaContext, records: tuple[str, ...]) -> list[strawberry.ID]:
    return [strawberry.ID(context.ids.hide("record", record)) for record in records]


def _actor(context: SchemaContext, actor: str, kind: str) -> strawberry.ID:
    return strawberry.ID(context.ids.hide("account", actor) if kind == "account" else actor)


def _chart(context: SchemaContext, chart: str | None) -> strawberry.ID | None:
    return None if chart is None else strawberry.ID(context.ids.hide("chart", chart))


ChartFilter = Annotated[
    strawberry.ID | None, strawberry.argument(description="Only about this chart.")
]
ActorFilter = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Only by this account, or by the operator of this name."),
]
Since = Annotated[datetime | None, strawberry.argument(description="Not before this moment.")]
Until = Annotated[datetime | None, strawberry.argument(description="Before this moment.")]


@strawberry.type(description="The audit trail.")
class AuditQuery:
    """Queries of compliance; each is itself in the trail before it is answered."""

    @field(audit.view_trail, "What happened, newest first.")
    async def audit_trail(
        self,
        info: Info,
        chart: ChartFilter = None,
        actor: ActorFilter = None,
        since: Since = None,
        until: Until = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[AuditEntry] | None:
        """One ruled read of the log."""
        context = info.context
        query = TrailQuery(
            chart=None if chart is None else chart_of(context.ids, chart),
            actor=None if actor is None else known(context.ids, "account", actor) or actor,
            since=since,
            until=until,
            first=checked(first),
            before=None if after is None else _position(context, after),
        )
        events, more = await context.trail(query)
        return connected(
            context.ids,
            [AuditEntry.of(context, event) for event in events],
            [str(event.position) for event in events],
            more=more,
            began_after=after is not None,
        )


def _position(context: SchemaContext, cursor: str) -> int:
    try:
        return int(context.ids.from_cursor(cursor))
    except ValueError:
        raise CursorInvalid from None
