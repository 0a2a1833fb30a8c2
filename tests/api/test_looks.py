"""Looks on their way into the log: one event per chart, basis and moment, in runs of 1,000 ids."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from api.looks import MAX_RECORDS, Looks
from domain.audit import AccessRefused, RecordsViewed, trail_of
from domain.kernel.context import Actor, Basis

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
ACTOR = Actor(tenant="riverside", id="a", kind="account", session="s", client="c")
OWN, GRANT = Basis("own-record", "p"), Basis("proxy-grant", "g")
charts = st.sampled_from(["chart-1", "chart-2", None])
saws = st.tuples(
    charts, st.sampled_from([OWN, GRANT]), st.sampled_from(["x", "y"]), st.integers(0, 2500)
)


def looks() -> Looks:
    return Looks(ACTOR, "Op", "correlation")


@given(st.lists(saws, max_size=6))
def test_every_id_that_was_seen_is_in_exactly_one_event(
    seen: list[tuple[str | None, Basis, str, int]],
) -> None:
    given_ids: dict[tuple[str | None, Basis], list[str]] = {}
    noted = looks()
    for turn, (chart, basis, panel, count) in enumerate(seen):
        ids = [f"{turn}-{number}" for number in range(count)]
        noted.saw(chart, basis, "a.rule", panel, ids)
        given_ids.setdefault((chart, basis), []).extend(ids)
    appends = noted.appends(NOW)
    assert len(appends) == len(given_ids)
    for append, ((chart, basis), ids) in zip(appends, given_ids.items(), strict=True):
        events = [draft.event for draft in append.drafts]
        assert all(isinstance(event, RecordsViewed) and event.chart == chart for event in events)
        viewed = [event for event in events if isinstance(event, RecordsViewed)]
        assert [record for event in viewed for record in event.records] == ids
        assert all(event.count == len(event.records) <= MAX_RECORDS for event in viewed)
        assert len(viewed) == max(1, -(-len(ids) // MAX_RECORDS))
        assert (append.context.basis, append.context.basis_reference) == (
            basis.kind,
            basis.reference,
        )


def test_panels_of_one_chart_and_basis_share_an_event_and_are_named_once() -> None:
    noted = looks()
    noted.saw("chart-1", OWN, "records.view", "records.conditions", ["1"])
    noted.saw("chart-1", OWN, "results.view", "results.reports", ["2"])
    noted.saw("chart-1", OWN, "records.view", "records.conditions", ["3", "1"])
    (append,) = noted.appends(NOW)
    (draft,) = append.drafts
    assert draft.event == RecordsViewed(
        chart="chart-1",
        operation="Op",
        panels=("records.conditions", "results.reports"),
        records=("1", "2", "3"),
        count=3,
    )
    assert draft.stream == trail_of(ACTOR, NOW)
    assert draft.chart == draft.owner == "chart-1"


def test_a_look_at_the_past_does_not_colour_a_look_at_the_present() -> None:
    noted = looks()
    noted.saw("chart-1", GRANT, "a.rule", "x", ["1"], 7)
    noted.saw("chart-1", GRANT, "a.rule", "x", ["1"])
    noted.saw("chart-1", GRANT, "a.rule", "x", ["1"], 9)
    events = [append.drafts[0].event for append in noted.appends(NOW)]
    assert [e.at_position for e in events if isinstance(e, RecordsViewed)] == [7, None, 9]


def test_a_page_without_rows_was_looked_at_too() -> None:
    noted = looks()
    noted.saw("chart-1", OWN, "a.rule", "x", [])
    (append,) = noted.appends(NOW)
    event = append.drafts[0].event
    assert isinstance(event, RecordsViewed)
    assert event.count == 0


@given(st.lists(charts, max_size=8))
def test_a_refusal_counts_once_per_chart(refused: list[str | None]) -> None:
    noted = looks()
    for chart in refused:
        noted.refused(chart, "a.rule")
    events = [append.drafts[0].event for append in noted.appends(NOW)]
    assert events == [
        AccessRefused(operation="Op", chart=chart) for chart in dict.fromkeys(refused)
    ]
    assert {append.context.basis for append in noted.appends(NOW)} <= {"none"}


def test_an_event_of_1000_ids_is_sealed_below_its_cap() -> None:
    noted = looks()
    uuid = "ffffffff-ffff-4fff-bfff-ffffffffffff"
    ids = [f"{uuid[:-4]}{number:04}" for number in range(MAX_RECORDS)]
    noted.saw(uuid, OWN, "a.rule", "x", ids)
    event = noted.appends(NOW)[0].drafts[0].event
    assert isinstance(event, RecordsViewed)
    assert event.count == MAX_RECORDS
    assert sum(len(record) + 3 for record in event.records) < 48 * 1024


def test_a_look_by_a_grant_is_on_behalf_of_the_chart_and_no_other_look_is() -> None:
    noted = looks()
    noted.saw("chart-1", GRANT, "a.rule", "x", ["1"])
    noted.saw("chart-1", OWN, "a.rule", "x", ["1"])
    noted.refused("chart-1", "a.rule")
    acted = [append.context.on_behalf_of for append in noted.appends(NOW)]
    assert acted == ["chart-1", None, None]
