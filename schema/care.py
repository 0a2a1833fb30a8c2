"""Visits, teams, orders and the list of the patients in a clinician's care, as GraphQL."""

from datetime import datetime

import strawberry

from domain import care, registry
from domain.kernel.context import Authority
from domain.kernel.readmodel import Listing, Row
from projections import care as care_panels
from projections import registry as registry_panels
from projections.care import WAITING, OrderRow, TeamRow, VisitRow
from schema.kernel.context import SchemaContext
from schema.kernel.paging import (
    After,
    Connection,
    First,
    Info,
    checked,
    connected,
    place_of,
)
from schema.kernel.ruled import field, ruled, said
from schema.kernel.stated import Stated
from schema.kernel.values import Concept, Moment
from schema.registry import Patient

view = ruled(care.view)


@strawberry.type(directives=ruled(care.view), description="A visit, stay or contact.")
class Visit(Stated):
    """FHIR Encounter."""

    status: str = said("planned, arrived, in-progress, finished, cancelled.")
    kind: str | None = said("AMB, EMER, IMP and the like (HL7 ActCode).")
    types: list[Concept] = said("What kind of visit it was.")
    reasons: list[Concept] = said("Why it took place.")
    start: Moment | None = said("When it began.")
    end: Moment | None = said("When it ended.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Visit":
        """From a row document."""
        body: VisitRow = row.body
        visit = body.visit
        return cls.stating(
            context,
            row,
            status=visit.status,
            kind=visit.kind.code if visit.kind else None,
            types=[Concept.of(kind) for kind in visit.types],
            reasons=[Concept.of(reason) for reason in visit.reasons],
            start=Moment.maybe(visit.period.start if visit.period else None),
            end=Moment.maybe(visit.period.end if visit.period else None),
        )


@strawberry.type(directives=ruled(care.view), description="A member of a care team.")
class CareTeamMember:
    """FHIR CareTeam.participant."""

    name: str = said("The name as given.")
    roles: list[Concept] = said("What they do in the team.")
    start: Moment | None = said("From when.")
    end: Moment | None = said("Until when.")


@strawberry.type(
    directives=view, description="Who cares for the patient together, or an episode of care."
)
class CareTeam(Stated):
    """FHIR CareTeam, EpisodeOfCare."""

    kind: str = said("team or episode.")
    name: str | None = said("Its name.")
    status: str = said("proposed, active, suspended, inactive, finished.")
    reasons: list[Concept] = said("What it is for.")
    start: Moment | None = said("When it began.")
    end: Moment | None = said("When it ended.")
    members: list[CareTeamMember] = said("Who belongs to it.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "CareTeam":
        """From a row document."""
        body: TeamRow = row.body
        team = body.team
        return cls.stating(
            context,
            row,
            kind=team.kind,
            name=team.name,
            status=team.status,
            reasons=[Concept.of(one) for one in team.concepts],
            start=Moment.maybe(team.period.start if team.period else None),
            end=Moment.maybe(team.period.end if team.period else None),
            members=[
                CareTeamMember(
                    name=one.name,
                    roles=[Concept.of(role) for role in one.roles],
                    start=Moment.maybe(one.period.start if one.period else None),
                    end=Moment.maybe(one.period.end if one.period else None),
                )
                for one in team.members
            ],
        )


@strawberry.type(directives=view, description="An order or a referral.")
class Order(Stated):
    """FHIR ServiceRequest."""

    code: Concept = said("What was ordered.")
    status: str = said("draft, active, on-hold, revoked, completed.")
    waiting: bool = said("Whether we are waiting for this.")
    referral: bool = said("Whether it refers the patient to somebody.")
    authored: Moment | None = said("When it was ordered.")
    requester: str | None = said("Who ordered it.")
    performers: list[str] = said("Who is to do it.")
    reasons: list[Concept] = said("Why.")
    priority: str | None = said("routine, urgent, asap or stat.")
    planned_start: Moment | None = said("When it is planned to begin.")
    planned_end: Moment | None = said("When it is planned to end.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Order":
        """From a row document."""
        body: OrderRow = row.body
        order = body.order
        return cls.stating(
            context,
            row,
            code=Concept.of(order.concept),
            status=order.status,
            waiting=row.kind == WAITING,
            referral=order.referral,
            authored=Moment.maybe(order.authored),
            requester=order.requester,
            performers=list(order.performers),
            reasons=[Concept.of(one) for one in order.reasons],
            priority=order.priority,
            planned_start=Moment.maybe(order.planned.start if order.planned else None),
            planned_end=Moment.maybe(order.planned.end if order.planned else None),
        )


@strawberry.type(directives=ruled(care.list_patients), description="A patient in your care.")
class WorklistEntry:
    """One chart of a worklist."""

    chart: strawberry.ID = said("The chart's id; give it as `chart` of the query `record`.")
    patient: Patient | None = strawberry.field(
        description="Whose record it is; null while that cannot be shown.",
        directives=ruled(registry.view),
    )
    last_visit: Visit | None = strawberry.field(
        description="The newest visit that has begun.", directives=ruled(care.view)
    )


@strawberry.type(description="Lists of a clinician.")
class CareQuery:
    """Queries over the charts that a clinician treats."""

    @field(care.list_patients, "The patients in your care, the newest visit first.")
    async def worklist(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[WorklistEntry] | None:
        """One ruled read of the newest visits, and the demographics of the page."""
        context: SchemaContext = info.context
        listing = Listing(
            first=checked(first),
            until=context.now(),
            after=None if after is None else place_of(context, after),
        )
        charts = _in_care(await context.authority(care.list_patients), listing.until)
        entries, more = await context.listed(care_panels.visits, charts, listing)
        page = [entry.chart for entry in entries]
        people = await context.first_rows(registry_panels.demographics, page)
        return connected(
            context.ids,
            [
                WorklistEntry(
                    chart=strawberry.ID(context.ids.hide("chart", entry.chart)),
                    patient=_patient(context, people.get(entry.chart)),
                    last_visit=None if entry.row is None else Visit.of(context, entry.row),
                )
                for entry in entries
            ],
            [(entry.at, entry.chart) for entry in entries],
            more=more,
            began_after=after is not None,
        )


def _in_care(authority: Authority, now: datetime) -> list[str]:
    """The charts with a care relationship in force, each once."""
    relations = (
        relation.chart
        for relation in authority.relations
        if relation.since <= now and (relation.until is None or relation.until > now)
    )
    return [*dict.fromkeys(relations)]


def _patient(context: SchemaContext, row: Row | None) -> Patient | None:
    return None if row is None else Patient.of(context, row)
