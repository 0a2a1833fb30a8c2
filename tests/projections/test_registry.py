"""Rows of the registry: charts, deaths, links, merges, reviews, tokens and proposals."""

import pytest

from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.readmodel import Drop, Put
from domain.kernel.values import Identifier, Moment, Name
from domain.registry import (
    ChartAbsorbed,
    ChartLinked,
    ChartMerged,
    ChartOpened,
    ChartReassigned,
    Comparison,
    DeathCorrected,
    DeathReported,
    Demographics,
    DemographicsReported,
    LinkUndone,
    MatchConfirmed,
    MatchDismissed,
    MatchProposed,
    MergeReviewed,
    MergeUndone,
    PersonRegistered,
)
from projections import registry
from projections.kernel.panels import LONG_AGO
from tests.projections.recorded import AT, CHART, OTHER, STREAM, recorded
from tests.projections.test_clinical import MARCH, clear

MRN = Identifier("urn:mrn", "1")
ADA = Demographics(names=(Name("Byron", ("Ada",)),), birth_date=Moment("1990-12-10"))
LOVELACE = Demographics(names=(Name("Lovelace"),))
AT_VERSION_1 = Put(registry.STREAM, {"chart": CHART, "version": 1})
DUE = Put(registry.REVIEW, {"chart": CHART, "since": AT})


def token(text: str) -> Put:
    """The row of a token of the chart."""
    return Put(registry.TOKEN, {"token": text, "chart": CHART})


def test_a_chart_is_one_undated_row_with_its_version_and_the_tokens_it_is_found_by() -> None:
    opened = recorded(ChartOpened(identifier=MRN, demographics=ADA), stream=CHART)
    row = clear(CHART, LONG_AGO, "open", item=CHART)
    body = registry.ChartRow(demographics=ADA, identifier=MRN)
    assert list(registry.project(opened)) == [
        AT_VERSION_1,
        Put(registry.CHART, row, body, CHART),
        token("id|urn:mrn|1"),
        token("name|byron|ada|1990-12-10"),
        token("name|~B650|1990-12-10"),
    ]


def test_what_is_reported_later_replaces_the_row_and_all_its_tokens() -> None:
    told = DemographicsReported(identifier=MRN, demographics=LOVELACE)
    row = clear(CHART, LONG_AGO, "open", item=CHART)
    assert list(registry.project(recorded(told, stream=CHART, version=2))) == [
        Put(registry.STREAM, {"chart": CHART, "version": 2}),
        Put(registry.CHART, row, registry.ChartRow(demographics=LOVELACE, identifier=MRN), CHART),
        Drop(registry.TOKEN, {"chart": CHART}),
        token("id|urn:mrn|1"),
    ]


@pytest.mark.parametrize(("at", "instant"), [(Moment("2026-03"), MARCH), (None, LONG_AGO)])
def test_a_death_is_a_row_at_the_time_where_it_is_known(at: Moment | None, instant: object) -> None:
    died = recorded(DeathReported(at=at), stream=CHART)
    row = registry.DeathRow(at=at, reported=AT)
    assert list(registry.project(died)) == [
        AT_VERSION_1,
        Put(registry.DEATH, clear(CHART, instant, "reported", item=CHART), row, CHART),
    ]


def test_a_death_reported_in_error_leaves_no_row() -> None:
    corrected = recorded(DeathCorrected(reason="namesake"), stream=CHART)
    assert list(registry.project(corrected)) == [
        AT_VERSION_1,
        Drop(registry.DEATH, {"chart": CHART}),
    ]


def test_a_link_is_a_row_of_person_and_chart_until_it_is_undone() -> None:
    row = {"person": STREAM, "chart": OTHER}
    version = Put(registry.PERSON, {"person": STREAM, "version": 1})
    linked = recorded(ChartLinked(chart=OTHER, evidence="staff"), chart=None)
    undone = recorded(LinkUndone(chart=OTHER, reason="wrong"), chart=None)
    assert list(registry.project(linked)) == [version, Put(registry.LINK, row)]
    assert list(registry.project(undone)) == [version, Drop(registry.LINK, row)]
    registered = recorded(PersonRegistered(first_chart=OTHER), chart=None)
    assert list(registry.project(registered)) == [version]


@pytest.mark.parametrize(
    "lost",
    [Erased(LinkUndone.type_name), Unknown(LinkUndone.type_name, 2), Erased(ChartLinked.type_name)],
)
def test_a_link_that_cannot_be_read_closes_every_chart_of_the_person(
    lost: Erased | Unknown,
) -> None:
    unread = recorded(lost, chart=None)
    assert list(registry.project(unread)) == [
        Put(registry.PERSON, {"person": STREAM, "version": 1}),
        Drop(registry.LINK, {"person": STREAM}),
    ]


def test_an_erased_chart_loses_its_row_and_its_tokens() -> None:
    gone = recorded(Erased(ChartOpened.type_name), stream=CHART)
    assert list(registry.project(gone)) == [
        AT_VERSION_1,
        Drop(registry.CHART, {"chart": CHART}),
        Drop(registry.TOKEN, {"chart": CHART}),
    ]


def test_erased_demographics_leave_nothing_to_find_the_chart_by() -> None:
    gone = recorded(Erased(DemographicsReported.type_name), stream=CHART)
    assert list(registry.project(gone)) == [AT_VERSION_1, Drop(registry.TOKEN, {"chart": CHART})]


@pytest.mark.parametrize("kind", [ChartMerged, MergeUndone])
def test_a_merge_that_cannot_be_read_any_more_is_no_row(kind: type[Event]) -> None:
    for lost in (Erased(kind.type_name), Unknown(kind.type_name, 2)):
        assert list(registry.project(recorded(lost, stream=CHART))) == [
            AT_VERSION_1,
            Drop(registry.MERGE, {"chart": CHART}),
            DUE,
        ]


def test_an_undone_merge_is_written_about_the_merged_chart_by_its_own_stream_only() -> None:
    undone = MergeUndone(merged=OTHER, survivor=CHART, person="q", reason="wrong")
    assert list(registry.project(recorded(undone, stream=CHART))) == [AT_VERSION_1, DUE]


def test_a_merge_is_a_row_and_makes_a_review_due_until_somebody_reviewed() -> None:
    merged = ChartMerged(into=OTHER, person="p", before="q", reason="twice")
    undone = MergeUndone(merged=CHART, survivor=OTHER, person="q", reason="wrong")
    assert list(registry.project(recorded(merged, stream=CHART))) == [
        AT_VERSION_1,
        Put(registry.MERGE, {"chart": CHART, "survivor": OTHER}),
        DUE,
    ]
    assert list(registry.project(recorded(undone, stream=CHART))) == [
        AT_VERSION_1,
        Drop(registry.MERGE, {"chart": CHART}),
        DUE,
    ]
    assert list(registry.project(recorded(MergeReviewed(reason="seen"), stream=CHART))) == [
        AT_VERSION_1,
        Drop(registry.REVIEW, {"chart": CHART}),
    ]


@pytest.mark.parametrize(
    ("event", "due"),
    [
        (ChartAbsorbed(chart=OTHER), True),
        (ChartReassigned(person="p", before="q", cause="link-undone"), True),
        (ChartReassigned(person="p", before="q", cause="with-survivor"), True),
        (ChartReassigned(person="p", before="q", cause="link", beside=OTHER), False),
        (Erased(ChartAbsorbed.type_name), True),
        (Unknown(ChartReassigned.type_name, 2), True),
    ],
)
def test_whatever_may_have_changed_who_acts_makes_a_review_due(
    event: Event | Erased | Unknown, due: bool
) -> None:
    writes = list(registry.project(recorded(event, stream=CHART)))
    assert writes == [AT_VERSION_1, DUE][: 2 if due else 1]


def test_a_proposal_is_a_row_until_it_is_decided() -> None:
    proposed = MatchProposed(chart=CHART, candidate=OTHER, score=1250, evidence=("+given",))
    row = {"id": STREAM, "first": CHART, "second": OTHER, "position": 7, "version": 1}
    body = Comparison(score=1250, evidence=("+given",))
    assert list(registry.project(recorded(proposed, chart=None))) == [
        Put(registry.MATCH, row, body)
    ]
    for decided in (
        MatchConfirmed(chart=CHART, candidate=OTHER, evidence=("staff",)),
        MatchDismissed(chart=CHART, candidate=OTHER, reason="twins"),
        Erased(MatchProposed.type_name),
    ):
        writes = list(registry.project(recorded(decided, chart=None)))
        assert writes == [Drop(registry.MATCH, {"id": STREAM})]
