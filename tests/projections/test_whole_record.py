"""Rows of teams, orders, single values, medicines, claims and the new kinds of facts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.care import (
    CareTeamChanged,
    CareTeamReported,
    EncounterRelabelled,
    EncounterWithdrawn,
    Member,
    Order,
    OrderAnswered,
    OrderReported,
    Team,
    Visit,
)
from domain.coverage import Claim, ClaimReported
from domain.kernel.labels import Label
from domain.kernel.readmodel import Drop, Put
from domain.kernel.values import Coding, Concept, Moment, Period, Quantity
from domain.records import CarePlan, Document, Fact, Procedure, RecordFiled
from domain.results import Analyte, Report, ResultReceived
from projections import care, coverage, records, results
from projections.kernel.changes import changes
from tests.projections.recorded import CHART, STREAM, recorded

A1C = Concept((Coding("http://loinc.org", "4548-4"),), "HbA1c")
ORDER = Order(concept=A1C, status="active", intent="order", authored=Moment("2026-03-01"))
SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


def test_the_members_of_an_active_team_treat_between_their_dates() -> None:
    span = Period(Moment("2026-03-01"), Moment("2026-04-01"))
    grey = Member(name="Grey", practitioner="p", period=span)
    team = Team(status="active", members=(grey, Member(name="Ada")))
    put, open_ = care.project(recorded(CareTeamReported(team_id=STREAM, team=team)))
    assert isinstance(put, Put)
    assert isinstance(open_, Put)
    assert (put.table, put.values["state"], put.body.version) == (care.TEAM, "active", 1)
    assert (open_.values["since"], open_.values["until"]) == (SINCE, UNTIL)
    over = replace(team, status="inactive")
    changed = CareTeamChanged(team_id=STREAM, team=over)
    assert [type(write) for write in care.project(recorded(changed, version=2))] == [Put, Drop]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (OrderReported(order_id=STREAM, order=ORDER), "waiting"),
        (OrderReported(order_id=STREAM, order=ORDER, answered=True), "done"),
        (OrderReported(order_id=STREAM, order=replace(ORDER, status="completed")), "done"),
        (OrderAnswered(order_id=STREAM, order=ORDER), "done"),
    ],
)
def test_an_order_waits_until_it_is_answered_or_closed(
    event: OrderReported | OrderAnswered, kind: str
) -> None:
    [put] = care.project(recorded(event))
    assert isinstance(put, Put)
    assert (put.table, put.values["kind"]) == (care.ORDER, kind)


def test_an_answer_before_its_order_is_no_row() -> None:
    assert list(care.project(recorded(OrderAnswered(order_id=STREAM)))) == []


def test_a_withdrawn_visit_opens_nothing_and_a_relabelled_one_is_sealed_anew() -> None:
    withdrawn = care.project(recorded(EncounterWithdrawn(encounter=STREAM, reason="r")))
    assert list(withdrawn) == [
        Drop(care.ENCOUNTER, {"chart": CHART, "id": STREAM}),
        Drop(care.RELATION, {"chart": CHART, "reference": STREAM}),
    ]
    hidden = EncounterRelabelled(
        encounter=STREAM, visit=Visit(status="planned"), labels=(Label("PSY", "staff"),)
    )
    [put] = care.project(recorded(hidden))
    assert isinstance(put, Put)
    assert (put.category, put.body.corrected) == ("PSY", False)


def test_every_value_of_a_report_is_a_row_under_its_code_and_its_own_category() -> None:
    hba1c = Analyte(concept=A1C, status="final", quantity=Quantity("7.10", "%"))
    hiv = replace(hba1c, concept=Concept(text="HIV"), labels=(Label("HIV", "loinc"),))
    silent = Analyte(concept=Concept(text="Comment"), status="final", text="fasting")
    report = Report(
        category="laboratory", concept=A1C, status="final", effective=Moment("2026-03-01"),
        observations=(hba1c, hiv, silent),
    )  # fmt: skip
    puts = [
        put
        for put in results.project(recorded(ResultReceived(result=STREAM, report=report)))
        if isinstance(put, Put) and put.table is results.ANALYTE
    ]
    assert [(put.values["code"], put.category) for put in puts] == [
        ("http://loinc.org|4548-4", ""),
        ("hiv", "HIV"),
    ]
    assert [put.values["at"] for put in puts] == [SINCE, SINCE]
    assert {str(put.values["id"]) for put in puts} <= results.row_ids(STREAM, report)


def test_a_wholly_sensitive_report_keeps_the_id_that_staff_know_it_by() -> None:
    report = Report(
        category="laboratory", concept=A1C, status="final", labels=(Label("HIV", "loinc"),)
    )
    [put] = results.project(recorded(ResultReceived(result=STREAM, report=report)))
    assert isinstance(put, Put)
    assert (put.values["id"], put.category) == (STREAM, "HIV")


@pytest.mark.parametrize(
    ("fact", "table", "state"),
    [
        (Fact(procedure=Procedure(concept=A1C, status="completed")), "records_procedure",
         "completed"),
        (Fact(document=Document(concept=A1C, status="current")), "records_document", "current"),
        (
            Fact(document=Document(concept=A1C, status="current",
                                   document_status="entered-in-error")),
            "records_document", "entered-in-error",
        ),
        (Fact(care_plan=CarePlan(status="revoked")), "records_care_plan", "revoked"),
    ],
)  # fmt: skip
def test_a_fact_is_a_row_of_its_panel_with_its_state(fact: Fact, table: str, state: str) -> None:
    [put] = records.project(recorded(RecordFiled(item=STREAM, fact=fact)))
    assert isinstance(put, Put)
    assert (put.table.name, put.values["state"]) == (table, state)


def test_a_claim_is_a_row_of_its_form() -> None:
    claim = Claim(form="ClaimResponse", status="active", created=Moment("2026-03-01"))
    [put] = coverage.project(recorded(ClaimReported(claim_id=STREAM, claim=claim)))
    assert isinstance(put, Put)
    assert (put.values["kind"], put.values["at"]) == ("ClaimResponse", SINCE)


def test_what_changed_is_told_field_by_field_in_words() -> None:
    before = Fact(procedure=Procedure(concept=A1C, status="in-progress", performers=("Ada",)))
    after = Fact(procedure=Procedure(concept=Concept(text="Other"), status="completed"))
    assert list(changes(before, after)) == [
        ("procedure.concept", "HbA1c", "Other"),
        ("procedure.status", "in-progress", "completed"),
        ("procedure.performers[0]", "Ada", ""),
    ]
    assert list(changes(before, before)) == []
