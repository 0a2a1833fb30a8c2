"""Rows of the clinical panels: registry, care, records, results, prescriptions."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.care import CareTeamJoined, CareTeamLeft, EncounterReported, Visit
from domain.kernel.event import Erased, Unknown
from domain.kernel.labels import Label
from domain.kernel.readmodel import Drop, Put, Write
from domain.kernel.values import Coding, Concept, Moment, Name, Period, Quantity, Source
from domain.prescriptions import MedicationOrder, PrescriptionReported
from domain.records import (
    Allergy,
    Condition,
    Fact,
    Immunization,
    Note,
    Observation,
    RecordCorrected,
    RecordFiled,
    RecordWithdrawn,
)
from domain.registry import (
    Demographics,
)
from domain.results import Analyte, Report, ResultReceived
from projections import care, prescriptions, records, results
from projections.kernel.panels import LONG_AGO
from tests.projections.recorded import AT, CHART, OTHER, STREAM, recorded

EHR = Source("urn:ehr", "Thing", "1")
_DATED = records.FactRow | results.ResultRow | prescriptions.OrderRow
MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
FLU = Concept(text="Influenza")
ADA = Demographics(names=(Name("Byron"),))
LOVELACE = Demographics(names=(Name("Lovelace"),))


def clear(
    ident: str, at: datetime, state: str, kind: str = "", *, item: str = STREAM, source: str = ""
) -> dict[str, object]:
    """The clear columns of a panel's row."""
    return {
        "chart": CHART,
        "id": ident,
        "at": at,
        "state": state,
        "kind": kind,
        "position": 7,
        "item": item,
        "label": "",
        "alike": "",
        "source": source,
    }


def unlike(writes: Iterator[Write]) -> list[Write]:
    """The writes without what makes facts of several sources alike; that has its own test."""
    return [
        replace(
            write,
            values={k: v for k, v in write.values.items() if k != "code"} | {"alike": ""},
            body=replace(write.body, occurred=None),
        )
        if isinstance(write, Put) and isinstance(write.body, _DATED)
        else write
        for write in writes
    ]


def relation(practitioner: str, since: datetime, until: datetime | None, version: int = 1) -> Put:
    """The row of a care relationship, as of a version of its stream."""
    values = {
        "chart": CHART,
        "practitioner": practitioner,
        "reference": STREAM,
        "since": since,
        "until": until,
        "version": version,
    }
    return Put(care.RELATION, values)


def test_a_visit_is_a_row_and_opens_the_chart_to_those_who_took_part() -> None:
    period = Period(Moment("2026-03"), Moment("2026-04-01T00:00:00Z"))
    visit = Visit(status="finished", period=period, practitioners=("p", "q"))
    event = EncounterReported(encounter=STREAM, visit=visit, source=EHR)
    row = care.VisitRow(visit=visit, received=AT, version=1, source=EHR, occurred=period.start)
    over = APRIL + timedelta(days=180)
    assert list(care.project(recorded(event))) == [
        Put(care.ENCOUNTER, clear(STREAM, MARCH, "finished", source="urn:ehr"), row, CHART),
        relation("p", MARCH, over),
        relation("q", MARCH, over),
    ]


@pytest.mark.parametrize("version", [2, 3])
def test_a_visit_that_is_reported_again_closes_the_chart_to_all_but_those_who_took_part(
    version: int,
) -> None:
    visit = Visit(status="finished", period=Period(Moment("2026-03")), practitioners=("q",))
    event = EncounterReported(encounter=STREAM, visit=visit, source=EHR)
    row = care.VisitRow(
        visit=visit, received=AT, version=version, source=EHR, occurred=Moment("2026-03")
    )
    assert list(care.project(recorded(event, version=version))) == [
        Put(care.ENCOUNTER, clear(STREAM, MARCH, "finished", source="urn:ehr"), row, CHART),
        Drop(care.RELATION, {"chart": CHART, "reference": STREAM}),
        relation("q", MARCH, None, version),
    ]
    nobody = EncounterReported(encounter=STREAM, visit=Visit(status="cancelled"))
    assert list(care.project(recorded(nobody, version=version)))[1:] == [
        Drop(care.RELATION, {"chart": CHART, "reference": STREAM})
    ]


@pytest.mark.parametrize(
    "period", [None, Period(), Period(Moment("soon"), Moment("later"))], ids=str
)
def test_a_visit_without_dates_is_open_since_it_reached_us(period: Period | None) -> None:
    visit = Visit(status="in-progress", period=period, practitioners=("p",))
    writes = list(care.project(recorded(EncounterReported(encounter=STREAM, visit=visit))))
    row = care.VisitRow(
        visit=visit, received=AT, version=1, occurred=period.start if period else None
    )
    assert writes == [
        Put(care.ENCOUNTER, clear(STREAM, LONG_AGO, "in-progress"), row, CHART),
        relation("p", AT, None),
    ]


@pytest.mark.parametrize("status", ["planned", "cancelled", "entered-in-error", "unknown", ""])
def test_a_visit_in_which_nobody_treats_opens_nothing(status: str) -> None:
    visit = Visit(status=status, period=Period(Moment("2026-03-01")), practitioners=("p",))
    written = care.project(recorded(EncounterReported(encounter=STREAM, visit=visit)))
    assert [type(write) for write in written] == [Put]


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00Z", "0001-01-01", "9999-12-31"])
def test_a_date_that_stands_for_none_is_none(start: str) -> None:
    period = Period(Moment(start), Moment("9999-12-31T23:59:59Z"))
    visit = Visit(status="finished", period=period, practitioners=("p",))
    written = list(care.project(recorded(EncounterReported(encounter=STREAM, visit=visit))))
    assert written[1:] == [relation("p", AT, None)]


def test_a_care_team_opens_the_chart_from_joining_to_leaving() -> None:
    joined = CareTeamJoined(practitioner="p", function="surgeon")
    assert list(care.project(recorded(joined))) == [relation("p", AT, None)]
    assert list(care.project(recorded(CareTeamLeft(practitioner="p")))) == [
        Drop(care.RELATION, {"chart": CHART, "reference": STREAM})
    ]


def test_an_erased_visit_loses_its_row_and_what_it_opened() -> None:
    assert list(care.project(recorded(Erased(EncounterReported.type_name)))) == [
        *(Drop(t, {"chart": CHART, "id": STREAM}) for t in (care.ENCOUNTER, care.TEAM, care.ORDER)),
        Drop(care.RELATION, {"chart": CHART, "reference": STREAM}),
    ]


@pytest.mark.parametrize(
    ("fact", "table", "at", "state", "kind"),
    [
        (
            Fact(
                condition=Condition(
                    concept=FLU, onset=Moment("2026-03"), recorded=Moment("2026-04")
                )
            ),
            records.CONDITION,
            MARCH,
            "unknown",
            "",
        ),
        (
            Fact(condition=Condition(concept=FLU, recorded=Moment("2026-04"), clinical_status="x")),
            records.CONDITION,
            APRIL,
            "x",
            "",
        ),
        (Fact(allergy=Allergy(concept=FLU)), records.ALLERGY, LONG_AGO, "unknown", ""),
        (
            Fact(allergy=Allergy(concept=FLU, recorded=Moment("2026-03"), clinical_status="x")),
            records.ALLERGY,
            MARCH,
            "x",
            "",
        ),
        (
            Fact(immunization=Immunization(vaccine=FLU, status="done", given=Moment("2026-03"))),
            records.IMMUNIZATION,
            MARCH,
            "done",
            "",
        ),
        (
            Fact(
                observation=Observation(
                    concept=FLU,
                    status="final",
                    categories=("vital-signs", "x"),
                    effective=Moment("2026-03"),
                    issued=Moment("2026-04"),
                )
            ),
            records.OBSERVATION,
            MARCH,
            "final",
            "vital-signs",
        ),
        (
            Fact(observation=Observation(concept=FLU, status="final", issued=Moment("2026-04"))),
            records.OBSERVATION,
            APRIL,
            "final",
            "",
        ),
        (
            Fact(
                note=Note(
                    concept=FLU,
                    status="current",
                    period=Period(Moment("2026-03")),
                    issued=Moment("2026-04"),
                )
            ),
            records.NOTE,
            MARCH,
            "current",
            "",
        ),
        (
            Fact(note=Note(concept=FLU, status="current", issued=Moment("2026-04"))),
            records.NOTE,
            APRIL,
            "current",
            "",
        ),
    ],
)
def test_a_fact_is_a_row_of_its_panel(
    fact: Fact, table: object, at: datetime, state: str, kind: str
) -> None:
    filed = RecordFiled(item=OTHER, fact=fact, source=EHR)
    row = records.FactRow(fact=fact, received=AT, version=1, source=EHR)
    # A document or note has a key of its own, and so have its rows.
    key = "k" if fact.is_paper else None
    wanted = Put(table, clear(OTHER, at, state, kind, source="urn:ehr"), row, CHART, key=key)
    assert unlike(records.project(recorded(filed))) == [wanted]
    corrected = RecordCorrected(item=OTHER, fact=fact, source=EHR)
    row = records.FactRow(fact=fact, received=AT, version=1, corrected=True, source=EHR)
    wanted = Put(table, clear(OTHER, at, state, kind, source="urn:ehr"), row, CHART, key=key)
    assert unlike(records.project(recorded(corrected))) == [wanted]


def test_an_erased_or_withdrawn_fact_loses_its_row_wherever_it_stood() -> None:
    gone = [Drop(table, {"chart": CHART, "id": STREAM}) for table in records.TABLES]
    assert list(records.project(recorded(Erased("records.record-filed")))) == gone
    withdrawn = RecordWithdrawn(item=STREAM, reason="another patient's")
    assert list(records.project(recorded(withdrawn))) == gone


def test_a_fact_of_a_newer_release_writes_nothing() -> None:
    assert list(records.project(recorded(Unknown("records.x", 1)))) == []


def test_facts_are_alike_by_code_and_day_and_what_was_measured() -> None:
    hiv = Label("HIV", "rule")
    seen = Observation(
        concept=Concept((Coding("http://loinc.org", "4548-4"),)),
        status="final",
        effective=Moment("2026-03-01T08:00:00Z"),
        quantity=Quantity("6.1", "%"),
    )
    filed = RecordFiled(item=OTHER, fact=Fact(observation=seen), source=EHR, labels=(hiv,))
    [put] = records.project(recorded(filed))
    assert isinstance(put, Put)
    assert put.values["alike"] == "http://loinc.org|4548-4\n2026-03-01\n6.1\n%"
    assert (put.values["label"], put.category) == ("HIV", "HIV")
    undated = RecordFiled(item=OTHER, fact=Fact(allergy=Allergy(concept=FLU)), source=EHR)
    [put] = records.project(recorded(undated))
    assert isinstance(put, Put)
    assert put.values["alike"] == ""


def test_a_report_with_a_potassium_and_an_hiv_test_is_two_rows() -> None:
    potassium = Analyte(concept=Concept(text="Potassium"), status="final")
    hiv = Analyte(concept=Concept(text="HIV 1"), status="final", labels=(Label("HIV", "loinc"),))
    report = Report(
        category="laboratory", concept=FLU, status="final", observations=(potassium, hiv),
        conclusion="both",
    )  # fmt: skip
    puts = list(results.project(recorded(ResultReceived(result=STREAM, report=report))))
    shown = [(p.values["item"], p.category, p.body.report) for p in puts if isinstance(p, Put)]
    assert [(item, sensitive) for item, sensitive, _ in shown] == [(STREAM, ""), (STREAM, "HIV")]
    assert [part.observations for _, _, part in shown] == [(potassium,), (hiv,)]
    assert [part.conclusion for _, _, part in shown] == [None, "both"]
    assert len({p.values["id"] for p in puts if isinstance(p, Put)}) == 2


def test_a_result_is_a_row_of_its_category_as_last_received() -> None:
    report = Report(
        category="imaging", concept=FLU, status="final", effective=Moment("2026-03"),
        issued=Moment("2026-04"),
    )  # fmt: skip
    event = ResultReceived(result=STREAM, report=report, source=EHR)
    row = results.ResultRow(report=report, received=AT, version=1, source=EHR)
    assert unlike(results.project(recorded(event))) == [
        Put(
            results.RESULT,
            clear(STREAM, MARCH, "final", "imaging", source="urn:ehr"),
            row,
            CHART,
            key="k",
        )
    ]
    assert unlike(results.project(recorded(Erased(event.type_name)))) == [
        Drop(table, {"chart": CHART, "item": STREAM}) for table in results.TABLES
    ]


def test_a_prescription_is_a_row_as_last_reported() -> None:
    order = MedicationOrder(medication=FLU, status="active", authored=Moment("2026-03"))
    event = PrescriptionReported(prescription=STREAM, order=order, source=EHR)
    row = prescriptions.OrderRow(order=order, received=AT, version=1, source=EHR)
    assert unlike(prescriptions.project(recorded(event))) == [
        Put(
            prescriptions.ORDER,
            clear(STREAM, MARCH, "active", "order", source="urn:ehr"),
            row,
            CHART,
        )
    ]
    assert unlike(prescriptions.project(recorded(Erased(event.type_name)))) == [
        Drop(prescriptions.ORDER, {"chart": CHART, "id": STREAM})
    ]
