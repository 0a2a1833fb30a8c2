"""Visits, care teams and orders as GraphQL."""

import strawberry

from domain import care
from domain.kernel.readmodel import Row
from projections.care import WAITING, OrderRow, TeamRow, VisitRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.stated import Stated, stated
from schema.kernel.values import Concept, Moment

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
        return cls(
            **stated(context, row),
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
        return cls(
            **stated(context, row),
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
        return cls(
            **stated(context, row),
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
