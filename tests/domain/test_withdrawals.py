"""An entry leaves a chart that it never belonged to, for the chart that it does belong to."""

from dataclasses import replace
from typing import Any

import pytest

from domain.care import Visit, WithdrawEncounter
from domain.kernel.command import At, Command, Filed
from domain.kernel.items import InThisChart, Item, UnknownChart
from domain.kernel.refusal import NotFound
from domain.kernel.values import Concept
from domain.prescriptions import MedicationOrder, WithdrawPrescription
from domain.records import Condition, Fact, WithdrawRecord
from domain.results import Report, WithdrawResult
from tests.story import NOW

CONTENTS: dict[type[Command[Any]], object] = {
    WithdrawRecord: Fact(condition=Condition(concept=Concept(text="Flu"))),
    WithdrawResult: Report(category="laboratory", concept=Concept(text="K"), status="final"),
    WithdrawPrescription: MedicationOrder(medication=Concept(text="A"), status="active"),
    WithdrawEncounter: Visit(status="finished"),
}
OTHER = Filed("other", known=True)
each_kind = pytest.mark.parametrize("kind", CONTENTS)


def decided(kind: type[Command[Any]], here: Item[Any], *there: object) -> list[object]:
    """What is written down; the second one always stands in the other chart."""
    wish = kind(chart="c", key="k", reason="r", refile="other" if there else None)
    wrote = list(wish.decide((here, *there) if there else here, NOW))
    assert all(isinstance(one, At) == bool(number) for number, one in enumerate(wrote))
    return wrote


def stated(kind: type[Command[Any]], stream: str = "here") -> Item[Any]:
    """The entry as it stands."""
    return Item(stream, CONTENTS[kind])


@each_kind
def test_it_is_filed_there_in_the_same_act(kind: type[Command[Any]]) -> None:
    gone, filed = decided(kind, stated(kind), Item("there"), OTHER)
    assert getattr(gone, "refiled", None) == "other"
    assert isinstance(filed, At)
    assert (filed.stream, getattr(filed.event, "content", None)) == ("there", CONTENTS[kind])


@each_kind
def test_what_that_chart_says_already_is_not_said_twice(kind: type[Command[Any]]) -> None:
    assert len(decided(kind, stated(kind), stated(kind, "there"), OTHER)) == 1


@each_kind
def test_what_was_withdrawn_there_is_filed_there_again(kind: type[Command[Any]]) -> None:
    there = replace(stated(kind, "there"), withdrawn=True)
    assert len(decided(kind, stated(kind), there, OTHER)) == 2


@each_kind
def test_it_never_leaves_a_chart_for_the_same_chart(kind: type[Command[Any]]) -> None:
    with pytest.raises(InThisChart):
        decided(kind, stated(kind), stated(kind), OTHER)


@each_kind
def test_it_never_leaves_for_a_chart_that_nobody_opened(kind: type[Command[Any]]) -> None:
    with pytest.raises(UnknownChart):
        decided(kind, stated(kind), Item("there"), Filed("other"))


@each_kind
def test_it_leaves_once_and_not_before_it_was_there(kind: type[Command[Any]]) -> None:
    assert len(decided(kind, stated(kind))) == 1
    assert decided(kind, replace(stated(kind), withdrawn=True)) == []
    assert decided(kind, replace(stated(kind), withdrawn=True), Item("there"), OTHER) == []
    with pytest.raises(NotFound):
        decided(kind, Item("here"), Item("there"), OTHER)


@each_kind
def test_the_other_chart_is_looked_up_and_nothing_is_written_to_it(
    kind: type[Command[Any]],
) -> None:
    here, there, chart = kind(chart="c", key="k", reason="r", refile="other").streams
    assert (here.chart, there.chart, chart.id, chart.chart) == ("c", "other", "other", "other")
    assert (chart.fold, chart.any_version) == (Filed, False)
