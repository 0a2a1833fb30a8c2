"""CareTeam, EpisodeOfCare and ServiceRequest as teams and orders."""

from collections.abc import Iterable

from adapters.fhir.mapping.plans import span, spoken
from adapters.fhir.mapping.values import codes, concepts, moment, period, some_concept
from adapters.fhir.resources import CodeableConcept
from adapters.fhir.resources import care as wire
from domain.care import Member, Order, Team
from domain.kernel.values import Concept

# SNOMED CT 3457005 patient referral, 306206005 referral to service; HL7 v2 table 0482 is not used.
_REFERRAL = frozenset({"3457005", "306206005", "referral"})


def team(
    given: wire.CareTeam, practitioners: tuple[str | None, ...], organization: str | None
) -> Team:
    """`practitioners` are directory ids beside the participants, in order."""
    members = zip(given.participant, practitioners, strict=True)
    return Team(
        status=given.status or "unknown",
        name=given.name,
        concepts=concepts(given.reason_code),
        period=period(given.period),
        members=tuple(
            Member(
                name=(one.member and one.member.display) or "",
                practitioner=ident,
                roles=concepts(one.role),
                period=period(one.period),
            )
            for one, ident in members
        ),
        organization=organization,
    )


def episode(given: wire.EpisodeOfCare, manager: str | None, organization: str | None) -> Team:
    """An episode of care, whose manager is its one member."""
    shown = (given.care_manager and given.care_manager.display) or ""
    return Team(
        status=given.status,
        kind="episode",
        concepts=concepts(given.type),
        period=period(given.period),
        members=(Member(name=shown, practitioner=manager),) if given.care_manager else (),
        organization=organization,
    )


def order(
    given: wire.ServiceRequest, encounter: str | None, reasons: Iterable[CodeableConcept]
) -> Order:
    """An order, or a referral where its category says so."""
    what = some_concept(given.code) or next(iter(concepts(given.category)), Concept(text="Order"))
    return Order(
        concept=what,
        status=given.status,
        intent=given.intent,
        referral=not _REFERRAL.isdisjoint(codes(given.category)),
        categories=concepts(given.category),
        authored=moment(given.authored_on),
        planned=span(given.occurrence_date_time, given.occurrence_period),
        requester=given.requester.display if given.requester else None,
        performers=spoken(given.performer),
        reasons=(*concepts(given.reason_code), *concepts(reasons)),
        priority=given.priority,
        encounter=encounter,
    )
