"""Orders wait for their answers; teams are reported and change; staff correct what was reported."""

from dataclasses import replace

import pytest

from domain.care import (
    AnswerOrder,
    CareTeamChanged,
    CareTeamReported,
    CorrectEncounter,
    EncounterCorrected,
    EncounterRelabelled,
    EncounterReported,
    EncounterWithdrawn,
    Order,
    OrderAnswered,
    OrderReported,
    RelabelEncounter,
    ReportCareTeam,
    ReportOrder,
    Team,
    Visit,
    WithdrawEncounter,
    waits,
)
from domain.kernel.labels import STAFF, Label
from domain.kernel.refusal import NotFound
from domain.kernel.values import Concept
from domain.prescriptions import (
    CorrectPrescription,
    MedicationOrder,
    PrescriptionReported,
    PrescriptionWithdrawn,
    WithdrawPrescription,
)
from tests.story import given

ORDER = Order(concept=Concept(text="Potassium"), status="active", intent="order")
REPORT = ReportOrder(chart="c", key="k", order=ORDER)
REPORTED = OrderReported(order_id="care.order", order=ORDER)
ANSWER = AnswerOrder(chart="c", key="k")
VISIT = Visit(status="finished")
SEEN = EncounterReported(encounter="care.encounter", visit=VISIT)


def test_an_order_is_answered_once_by_the_result_that_names_it() -> None:
    told = given().when(REPORT).then(REPORTED)
    answered = told.when(ANSWER).then(OrderAnswered(order_id="care.order", order=ORDER))
    answered.when(ANSWER).then()
    completed = replace(ORDER, status="completed")
    answered.when(replace(REPORT, order=completed)).then(
        OrderReported(order_id="care.order", order=completed, answered=True)
    )


def test_a_result_may_come_before_its_order() -> None:
    early = given().when(ANSWER).then(OrderAnswered(order_id="care.order"))
    early.when(REPORT).then(replace(REPORTED, answered=True))


@pytest.mark.parametrize(
    ("changed", "answered", "waiting"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"status": "completed"}, False, False),
        ({"status": "entered-in-error"}, False, False),
        ({"intent": "plan"}, False, False),
    ],
)
def test_we_wait_for_open_orders_without_an_answer(
    changed: dict[str, str], answered: bool, waiting: bool
) -> None:
    assert waits(replace(ORDER, **changed), answered=answered) is waiting


def test_a_team_is_reported_and_a_change_may_take_access_away() -> None:
    team, smaller = Team(status="active", name="A"), Team(status="inactive", name="A")
    wish = ReportCareTeam(chart="c", key="t", team=team)
    told = given().when(wish).then(CareTeamReported(team_id="care.team", team=team))
    told.when(wish).then()
    told.when(replace(wish, team=smaller)).then(CareTeamChanged(team_id="care.team", team=smaller))
    assert CareTeamChanged.withdraws_access


def test_staff_correct_and_relabel_an_encounter_that_is_there() -> None:
    other = Visit(status="cancelled")
    wish = CorrectEncounter(chart="c", key="e", visit=other, reason="never came")
    given(SEEN).when(wish).then(
        EncounterCorrected(encounter="care.encounter", visit=other, reason="never came")
    ).when(wish).then()
    given().when(wish).refused(NotFound)
    given(SEEN).when(RelabelEncounter(chart="c", key="e", codes=("PSY",), reason="r")).then(
        EncounterRelabelled(
            encounter="care.encounter", visit=VISIT, labels=(Label("PSY", STAFF),), reason="r"
        )
    )


def test_what_was_withdrawn_is_withdrawn_once_and_not_corrected() -> None:
    gone = EncounterWithdrawn(encounter="care.encounter", reason="r")
    wish = WithdrawEncounter(chart="c", key="e", reason="r")
    given(SEEN).when(wish).then(gone).when(wish).then()
    correct = CorrectEncounter(chart="c", key="e", visit=VISIT, reason="r")
    given(SEEN, gone).when(correct).refused(NotFound)
    order = MedicationOrder(medication=Concept(text="A"), status="active")
    rx = "prescriptions.prescription"
    told = given(PrescriptionReported(prescription=rx, order=order))
    told.when(WithdrawPrescription(chart="c", key="k", reason="r")).then(
        PrescriptionWithdrawn(prescription=rx, reason="r")
    )
    stopped = replace(order, status="stopped")
    told.when(CorrectPrescription(chart="c", key="k", order=stopped, reason="r")).then(
        PrescriptionReported(prescription=rx, order=stopped, reason="r")
    )
