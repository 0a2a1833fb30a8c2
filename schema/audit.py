"""The audit trail as GraphQL, for compliance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import strawberry

from domain import audit
from domain.audit import AccessRefused, AuditReplayed, ListViewed, RecordsViewed
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
    def of(
        cls, context: SchemaContext, recorded: Recorded, about: str | None = None
    ) -> "AuditEntry":
        """From the event; of a list, only what it showed of the chart that was asked about."""
        stated, event = recorded.context, recorded.event
        told = _Told.by(recorded, about)
        return cls(
            id=strawberry.ID(context.ids.hide("event", recorded.header.event)),
            position=context.ids.position_token(recorded.position),
            type=recorded.header.type,
            at=recorded.committed_at.isoformat(),
            actor=_actor(context, stated.actor, stated.actor_kind),
            actor_kind=stated.actor_kind,
            on_behalf_of=_chart(context, stated.on_behalf_of),
            chart=_chart(context, told.chart),
            purpose=stated.purpose,
            basis=stated.basis,
            rule=stated.rule,
            operation=told.operation,
            panels=list(told.panels),
            records=_records(context, told.records),
            count=told.count,
            outcome="refused" if isinstance(event, AccessRefused) else "success",
            reason=stated.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the body of an event says of a look."""

    chart: str | None
    operation: str | None = None
    panels: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    count: int = 0

    @classmethod
    def by(cls, recorded: Recorded, about: str | None) -> "_Told":
        chart = recorded.header.chart
        match recorded.event:
            case RecordsViewed(operation=operation, panels=panels, records=records, count=count):
                return cls(
                    chart=chart, operation=operation, panels=panels, records=records, count=count
                )
            case ListViewed(operation=operation, panels=panels) as listed:
                entries = listed.entries if about is None else listed.of(about)
                seen = tuple(record for entry in entries for record in entry.records)
                return cls(
                    chart=about,
                    operation=operation,
                    panels=panels,
                    records=seen,
                    count=len(seen),
                )
            case AccessRefused(operation=operation, chart=asked):
                return cls(chart=asked, operation=operation)
            case AuditReplayed(count=count):
                return cls(chart=chart, count=count)
        return cls(chart=chart)


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
        events, more = await context.officer.trail(query)
        return connected(
            context.ids,
            [AuditEntry.of(context, event, query.chart) for event in events],
            [str(event.position) for event in events],
            more=more,
            began_after=after is not None,
        )


def _position(context: SchemaContext, cursor: str) -> int:
    try:
        return int(context.ids.from_cursor(cursor))
    except ValueError:
        raise CursorInvalid from None
