"""Results: received again whenever something differs, and only then."""

from dataclasses import replace

from hypothesis import given as examples

from domain.kernel.command import Reserved
from domain.kernel.context import Subject
from domain.kernel.event import Erased
from domain.kernel.items import Item
from domain.kernel.values import Concept, Moment, Quantity, Source
from domain.results import Analyte, ReceiveResult, Report, ResultReceived
from tests.story import given
from tests.strategies import anything

RESULT = "results.report"
EHR = Source("urn:ehr", "DiagnosticReport", "1")
POTASSIUM = Analyte(
    concept=Concept(text="Potassium"), status="final", quantity=Quantity("4.10", "mmol/L")
)
PANEL = Report(
    category="laboratory",
    concept=Concept(text="Electrolytes"),
    status="preliminary",
    effective=Moment("2026-03-01T08:00:00.000Z"),
    observations=(POTASSIUM,),
)


def receiving(report: Report) -> ReceiveResult:
    """The source's report."""
    return ReceiveResult(chart="c", key="rep-1", report=report, source=EHR)


def received(report: Report) -> ResultReceived:
    """What is recorded of it."""
    return ResultReceived(result=RESULT, report=report, source=EHR)


@examples(report=anything(Report))
def test_any_report_is_received_exactly_as_given_and_only_once(report: Report) -> None:
    given().when(receiving(report)).then(received(report)).when(receiving(report)).then()


def test_a_final_report_replaces_a_preliminary_one() -> None:
    final = replace(PANEL, status="final")
    given(received(PANEL)).when(receiving(final)).then(received(final))


def test_a_trailing_zero_of_a_value_is_a_difference() -> None:
    shorter = replace(POTASSIUM, quantity=Quantity("4.1", "mmol/L"))
    other = replace(PANEL, observations=(shorter,))
    given(received(PANEL)).when(receiving(other)).then(received(other))


def test_the_same_observations_from_another_source_are_nothing_new() -> None:
    elsewhere = replace(POTASSIUM, source=Source("urn:lab", "Observation", "9"))
    other = replace(PANEL, observations=(elsewhere,))
    given(received(PANEL)).when(receiving(other)).then()


def test_an_erased_report_stays_erased() -> None:
    state = Item("r", PANEL)
    assert state.evolve(Erased(ResultReceived.type_name)).erased


def test_a_result_is_found_by_its_id_at_the_source_and_is_about_its_chart() -> None:
    [stream] = receiving(PANEL).streams
    assert (stream.reserved, stream.chart) == (Reserved(RESULT, "c|rep-1"), "c")
    assert receiving(PANEL).subject(Item.initial("r")) == Subject(chart="c")
    assert receiving(PANEL).occurred == Moment("2026-03-01T08:00:00.000Z")


def test_each_result_has_a_key_of_its_own() -> None:
    assert ResultReceived.item_key is True
