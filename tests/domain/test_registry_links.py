"""Linking, merging and both undone: what moves, what stays, and what is refused."""

from dataclasses import replace

import pytest

from domain.kernel.command import At, Reserved
from domain.kernel.event import Event
from domain.kernel.refusal import NotFound
from domain.kernel.values import Identifier
from domain.registry import (
    Chart,
    ChartAbsorbed,
    ChartLinked,
    ChartMerged,
    ChartOpened,
    ChartReassigned,
    Demographics,
    DismissMatch,
    LinkCharts,
    LinkUndone,
    MatchConfirmed,
    MatchDecided,
    MatchDismissed,
    MatchProposed,
    MergeCharts,
    MergedElsewhere,
    MergeReviewed,
    MergeUndone,
    NothingToUndo,
    NotMerged,
    Person,
    ProposeMatch,
    ReviewMerge,
    SameChart,
    UndoLink,
    UnmergeCharts,
)
from tests.story import Given, On, given

PAIR = "registry.match"
ANY = Demographics()


def chart(ident: str, person: str) -> tuple[On, ...]:
    """A chart of a person; a link of long ago tells the chart whose it is."""
    return (
        On(ident, ChartOpened(identifier=Identifier("urn:mrn", ident), demographics=ANY)),
        On(ident, ChartReassigned(person=person, before=person, cause="with-survivor")),
        On(ident, MergeReviewed(reason="long ago")),
        On(person, ChartLinked(chart=ident, evidence="first chart")),
    )


A, B, C = chart("a", "ann"), chart("b", "bea"), chart("c", "cis")
LINK = LinkCharts(chart="b", beside="a", evidence=("staff",), reason="same passport")
MERGE = MergeCharts(chart="b", into="a", reason="registered twice")
UNMERGE = UnmergeCharts(chart="b", reason="two people")
LINKED = (
    ChartReassigned(person="ann", before="bea", cause="link", beside="a"),
    At("bea", LinkUndone(chart="b", reason="same passport")),
    At("ann", ChartLinked(chart="b", evidence="staff")),
    At(PAIR, MatchConfirmed(chart="b", candidate="a", evidence=("staff",))),
)
MERGED = (
    ChartMerged(into="a", person="ann", before="bea", reason="registered twice"),
    At("a", ChartAbsorbed(chart="b")),
    At("bea", LinkUndone(chart="b", reason="registered twice")),
    At("ann", ChartLinked(chart="b", evidence="merge")),
    At(PAIR, MatchConfirmed(chart="b", candidate="a", evidence=("merge",))),
)
UNDONE = MergeUndone(merged="b", survivor="a", person="bea", reason="two people")


def state(story: Given, ident: str) -> Chart:
    """A chart as the story leaves it."""
    found = Chart.initial(ident)
    for fact in story.facts:
        if isinstance(fact, On) and fact.stream == ident:
            found = found.evolve(fact.fact)
    return found


def person(story: Given, ident: str) -> frozenset[str]:
    """A person's charts as the story leaves them."""
    found = Person.initial(ident)
    for fact in story.facts:
        if isinstance(fact, On) and fact.stream == ident:
            found = found.evolve(fact.fact)
    return found.charts


def test_a_chart_is_linked_to_another_ones_person_in_one_act_and_once() -> None:
    story = given(*A, *B).when(LINK).then(*LINKED)
    assert (person(story, "ann"), person(story, "bea")) == (frozenset("ab"), frozenset())
    assert not state(story, "b").under_review
    story.when(LINK).then()


def test_a_wrong_link_is_undone_and_its_grants_wait_for_review() -> None:
    linked = given(*A, *B).when(LINK).then(*LINKED)
    undone = linked.when(UndoLink(chart="b", reason="twins")).then(
        ChartReassigned(person="bea", before="ann", cause="link-undone", beside="a"),
        At("ann", LinkUndone(chart="b", reason="twins")),
        At("bea", ChartLinked(chart="b", evidence="link undone")),
        At(PAIR, MatchDismissed(chart="b", candidate="a", reason="twins")),
    )
    assert (person(undone, "ann"), person(undone, "bea")) == (frozenset("a"), frozenset("b"))
    assert state(undone, "b").under_review
    undone.when(UndoLink(chart="b", reason="twins")).refused(NothingToUndo)
    automatic = replace(LINK, evidence=("urn:ssn",), automatic=True)
    undone.when(automatic).then()
    undone.when(ProposeMatch(chart="b", candidate="a", score=1, evidence=("+sex",))).then()


def test_a_strong_identifier_links_only_a_chart_that_is_alone_with_its_first_person() -> None:
    automatic = replace(LINK, evidence=("urn:ssn",), automatic=True)
    assert isinstance(automatic, LinkCharts)
    assert next(automatic.decide(given(*A, *B).when(automatic).state, None)) == LINKED[0]
    sibling = On("bea", ChartLinked(chart="c", evidence="staff"))
    given(*A, *B, sibling).when(automatic).then()
    moved = On("b", ChartReassigned(person="bea", before="old", cause="link", beside="x"))
    given(*A, *B, moved).when(automatic).then()


def test_a_merge_moves_the_link_and_keeps_what_it_replaced() -> None:
    story = given(*A, *B).when(MERGE).then(*MERGED)
    assert person(story, "ann") == frozenset("ab")
    assert (state(story, "b").into, state(story, "b").before) == ("a", "bea")
    assert state(story, "a").absorbed == frozenset("b")
    assert state(story, "a").under_review
    assert state(story, "b").under_review
    story.when(MERGE).then()


def test_unmerging_restores_the_links_from_before() -> None:
    before = given(*A, *B)
    merged = before.when(MERGE).then(*MERGED)
    undone = merged.when(UNMERGE).then(
        UNDONE,
        At("a", UNDONE),
        At("ann", LinkUndone(chart="b", reason="two people")),
        At("bea", ChartLinked(chart="b", evidence="merge undone")),
        At(PAIR, MatchDismissed(chart="b", candidate="a", reason="two people")),
    )
    for ident in ("ann", "bea"):
        assert person(undone, ident) == person(before, ident)
    for ident in ("a", "b"):
        assert state(undone, ident) == replace(state(before, ident), under_review=True)
        reviewed = undone.when(ReviewMerge(chart=ident, reason="seen"))
        assert list(reviewed.command.decide(state(undone, ident), None)) == [
            MergeReviewed(reason="seen")
        ]
    undone.when(UNMERGE).refused(NotMerged)


def test_charts_of_one_person_are_merged_without_touching_the_links() -> None:
    sibling = (*chart("b", "ann"),)
    given(*A, *sibling).when(MERGE).then(
        ChartMerged(into="a", person="ann", before="ann", reason="registered twice"),
        At("a", ChartAbsorbed(chart="b")),
        At(PAIR, MatchConfirmed(chart="b", candidate="a", evidence=("merge",))),
    )


def test_what_was_merged_into_a_chart_moves_with_it_and_back() -> None:
    first = given(*A, *B, *C).when(MergeCharts(chart="c", into="b", reason="r"))
    below = first.given.facts, [*first.command.decide(first.state, None)]
    facts = [On("c", e) if not isinstance(e, At) else On(e.stream, e.event) for e in below[1]]
    story = given(*below[0], *facts).when(MERGE)
    events = list(story.command.decide(story.state, None))
    assert At("c", ChartReassigned(person="ann", before="bea", cause="with-survivor")) in events
    both = given(*story.given.facts, *_placed(events, "b"))
    assert person(both, "ann") == frozenset("abc")
    back = both.when(UNMERGE)
    apart = given(*both.facts, *_placed(list(back.command.decide(back.state, None)), "b"))
    assert (person(apart, "ann"), person(apart, "bea")) == (frozenset("a"), frozenset("bc"))
    assert (state(apart, "c").into, state(apart, "c").person) == ("b", "bea")


def _placed(events: list[Event | At], first: str) -> list[On]:
    return [On(e.stream, e.event) if isinstance(e, At) else On(first, e) for e in events]


def test_a_chart_that_is_a_part_of_another_is_neither_linked_nor_merged_nor_merged_into() -> None:
    merged = given(*A, *B, *C).when(MERGE).then(*MERGED)
    merged.when(MergeCharts(chart="b", into="c", reason="r")).refused(MergedElsewhere)
    merged.when(MergeCharts(chart="c", into="b", reason="r")).refused(MergedElsewhere)
    merged.when(LinkCharts(chart="b", beside="c", evidence=("staff",))).refused(MergedElsewhere)
    merged.when(UndoLink(chart="b", reason="r")).refused(MergedElsewhere)


@pytest.mark.parametrize("act", [MergeCharts(chart="a", into="a", reason="r"),
                                 LinkCharts(chart="a", beside="a", evidence=())])  # fmt: skip
def test_a_chart_is_not_its_own_double(act: MergeCharts | LinkCharts) -> None:
    given(*A).when(act).refused(SameChart)


@pytest.mark.parametrize(
    "act",
    [MERGE, LINK, UNMERGE, UndoLink(chart="b", reason="r"), ReviewMerge(chart="b", reason="r")],
)
def test_a_chart_that_nobody_opened_is_not_found(act: MergeCharts) -> None:
    given(*A).when(act).refused(NotFound)


def test_the_person_of_a_chart_that_never_moved_is_found_by_its_identifier() -> None:
    opened = Chart.initial("b").evolve(
        ChartOpened(identifier=Identifier("urn:mrn", "7"), demographics=ANY)
    )
    (stream,) = UndoLink(chart="b", reason="r").further((opened,))
    assert stream.reserved == Reserved("registry.person-of-chart", "urn:mrn|7")
    assert UndoLink(chart="b", reason="r").further((opened, Person("p"))) == ()


def test_a_review_that_is_not_due_is_nothing() -> None:
    given(*A).when(ReviewMerge(chart="a", reason="seen")).then()


PROPOSAL = ProposeMatch(chart="b", candidate="a", score=1500, evidence=("+family", "-given"))
PROPOSED = MatchProposed(chart="b", candidate="a", score=1500, evidence=("+family", "-given"))


def test_a_pair_is_proposed_once_and_again_only_on_other_evidence() -> None:
    story = given().when(PROPOSAL).then(PROPOSED).when(PROPOSAL).then()
    dismissed = story.when(_dismissing()).then(
        MatchDismissed(chart="b", candidate="a", reason="twins")
    )
    dismissed.when(_dismissing()).then()
    dismissed.when(PROPOSAL).then()
    other = replace(PROPOSAL, evidence=("+family", "+given"))
    dismissed.when(other).then(replace(PROPOSED, evidence=("+family", "+given")))


def _dismissing() -> DismissMatch:
    return DismissMatch(match=PAIR, reason="twins")


def test_only_an_open_proposal_is_dismissed() -> None:
    given().when(_dismissing()).refused(NotFound)
    confirmed = MatchConfirmed(chart="b", candidate="a", evidence=("staff",))
    given(confirmed).when(_dismissing()).refused(MatchDecided)


def test_a_pair_has_one_stream_whichever_chart_is_named_first() -> None:
    turned = replace(PROPOSAL, chart="a", candidate="b")
    assert PROPOSAL.streams == turned.streams
