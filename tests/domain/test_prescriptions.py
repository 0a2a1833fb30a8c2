"""Prescriptions: reported again whenever something differs, and only then."""

from dataclasses import replace

from hypothesis import given as examples

from domain.kernel.command import Reserved
from domain.kernel.context import Subject
from domain.kernel.event import Erased
from domain.kernel.items import Item
from domain.kernel.values import Concept, Moment, Source
from domain.prescriptions import (
    MedicationOrder,
    PrescriptionReported,
    ReportPrescription,
)
from tests.story import given
from tests.strategies import anything

RX = "prescriptions.prescription"
EHR = Source("urn:ehr", "MedicationRequest", "1")
ORDER = MedicationOrder(
    medication=Concept(text="Lisinopril 10 mg"), status="active", authored=Moment("2026-01-02")
)


def reporting(order: MedicationOrder) -> ReportPrescription:
    """The authority's report of an order."""
    return ReportPrescription(chart="c", key="rx-1", order=order, source=EHR)


def reported(order: MedicationOrder) -> PrescriptionReported:
    """What is recorded of it."""
    return PrescriptionReported(prescription=RX, order=order, source=EHR)


@examples(order=anything(MedicationOrder))
def test_any_order_is_reported_exactly_as_given_and_only_once(order: MedicationOrder) -> None:
    order = replace(order, kind="order")
    given().when(reporting(order)).then(reported(order)).when(reporting(order)).then()


def test_a_stopped_order_is_reported_again() -> None:
    stopped = replace(ORDER, status="stopped")
    given(reported(ORDER)).when(reporting(stopped)).then(reported(stopped))


def test_an_erased_report_stays_erased() -> None:
    state = Item("x", ORDER)
    assert state.evolve(Erased(PrescriptionReported.type_name)).erased


def test_a_prescription_is_found_by_its_id_at_the_source_and_is_about_its_chart() -> None:
    [stream] = reporting(ORDER).streams
    assert (stream.reserved, stream.chart) == (Reserved(RX, "c|rx-1"), "c")
    assert reporting(ORDER).subject(Item.initial("x")) == Subject(chart="c")
    assert reporting(ORDER).occurred == Moment("2026-01-02")
