"""Encounters as reported, care teams as joined and left."""

from domain.care import (
    CareTeamJoined,
    CareTeamLeft,
    EncounterCorrected,
    EncounterReported,
    JoinCareTeam,
    LeaveCareTeam,
    Membership,
    ReportEncounter,
    Visit,
)
from domain.kernel.command import Reserved
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Unknown
from domain.kernel.items import Item
from domain.kernel.values import Moment, Period, Source
from tests.story import given

ENCOUNTER = "care.encounter"
EHR = Source("urn:ehr", "Encounter", "1")
PLANNED = Visit(status="planned", period=Period(Moment("2026-03-01"), None))
FINISHED = Visit(status="finished", period=Period(Moment("2026-03-01"), Moment("2026-03-02")))
JOIN = JoinCareTeam(chart="c", practitioner="p", function="surgeon")
LEAVE = LeaveCareTeam(chart="c", practitioner="p")
JOINED = CareTeamJoined(practitioner="p", function="surgeon")
LEFT = CareTeamLeft(practitioner="p")


def reporting(visit: Visit) -> ReportEncounter:
    """The authority's report of an encounter."""
    return ReportEncounter(chart="c", key="enc-1", visit=visit, source=EHR)


def reported(visit: Visit) -> EncounterReported:
    """What is recorded of it."""
    return EncounterReported(encounter=ENCOUNTER, visit=visit, source=EHR)


def corrected(visit: Visit) -> EncounterCorrected:
    """What is recorded of a later report."""
    return EncounterCorrected(encounter=ENCOUNTER, visit=visit, source=EHR)


def test_an_encounter_is_reported_once_and_corrected_when_something_differs() -> None:
    first = given().when(reporting(PLANNED)).then(reported(PLANNED))
    first.when(reporting(PLANNED)).then()
    first.when(reporting(FINISHED)).then(corrected(FINISHED)).when(reporting(FINISHED)).then()


def test_a_correction_may_take_access_away() -> None:
    assert EncounterCorrected.withdraws_access
    assert not EncounterReported.withdraws_access


def test_an_encounter_happened_when_it_began() -> None:
    assert reporting(FINISHED).occurred == Moment("2026-03-01")
    assert reporting(Visit(status="planned")).occurred is None
    assert reporting(Visit(status="planned", period=Period())).occurred is None


def test_an_encounter_is_found_by_its_id_at_the_source_and_belongs_to_the_chart() -> None:
    [stream] = reporting(PLANNED).streams
    assert (stream.reserved, stream.chart) == (Reserved(ENCOUNTER, "c|enc-1"), "c")
    assert reporting(PLANNED).subject(Item[Visit].initial("e")) == Subject(chart="c")


def test_an_erased_encounter_stays_erased() -> None:
    state = Item("e", PLANNED)
    assert state.evolve(Erased(EncounterReported.type_name)).erased


def test_a_practitioner_joins_once() -> None:
    given().when(JOIN).then(JOINED).when(JOIN).then()


def test_a_practitioner_leaves_once_and_may_join_again() -> None:
    left = given(JOINED).when(LEAVE).then(LEFT)
    left.when(LEAVE).then()
    left.when(JOIN).then(JOINED)


def test_leaving_a_team_one_never_joined_is_nothing() -> None:
    given().when(LEAVE).then()


def test_joining_and_leaving_meet_on_the_stream_of_chart_and_practitioner() -> None:
    for wish in (JOIN, LEAVE):
        [stream] = wish.streams
        assert (stream.reserved, stream.chart) == (Reserved("care.membership", "c|p"), "c")
        assert wish.subject(Membership.initial("m")) == Subject(chart="c")


def test_erased_and_unknown_events_leave_a_membership_as_it_was() -> None:
    state = Membership("m", joined=True)
    assert state.evolve(Erased(JOINED.type_name)) == state
    assert state.evolve(Unknown("care.care-team-renamed", 1)) == state
