"""The past in memory: the rows after a run of events, paged like the live ones."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from domain.consent import ProxyAccessGranted, ProxyAccessWithdrawn
from domain.kernel.event import Erased, Recorded, Unknown
from domain.kernel.readmodel import Select
from domain.kernel.values import Concept, Moment
from domain.records import Condition, Fact, RecordCorrected, RecordFiled
from domain.results import Report, ResultReceived
from projections import consent, records, results
from projections.catalogue import PROJECTIONS
from projections.kernel.past import Past
from tests.projections.recorded import CHART, OTHER, STREAM, recorded

KNOWN = [projection for projection in PROJECTIONS if not projection.everything]
ITEMS = [f"00000000-0000-4000-8000-0000000000{n:02d}" for n in range(20, 26)]
onsets = st.sampled_from(["2019", "2020-05", "2020-05-01", "2021-01-01T00:00:00Z", None])


@st.composite
def histories(draw: st.DrawFn) -> list[Recorded]:
    """Filings and corrections of a few items in two charts, in the order of the log."""
    drawn = draw(
        st.lists(
            st.tuples(st.sampled_from(ITEMS), onsets, st.sampled_from([CHART, OTHER])), max_size=30
        )
    )
    seen: set[tuple[str, str]] = set()
    events = []
    for position, (item, onset, chart) in enumerate(drawn, 1):
        kind = RecordCorrected if (item, chart) in seen else RecordFiled
        seen.add((item, chart))
        moment = None if onset is None else Moment(onset)
        fact = Fact(condition=Condition(concept=Concept(text=str(position)), onset=moment))
        event = kind(item=item, fact=fact)
        events.append(recorded(event, position=position, stream=item, chart=chart))
    return events


def conditions(first: int = 100, after: tuple[datetime, str] | None = None) -> Select:
    return Select(panel=records.conditions, chart=CHART, first=first, after=after)


def newest(events: list[Recorded]) -> list[tuple[str, int]]:
    """Each item of the chart with its last event, newest onset first, undated ones last."""
    last = {e.header.stream: e for e in events if e.header.chart == CHART}

    def place(event: Recorded) -> tuple[datetime, str]:
        fact = event.event
        assert isinstance(fact, RecordFiled | RecordCorrected)
        assert fact.fact.condition is not None
        onset = fact.fact.condition.onset
        undated = datetime.min.replace(tzinfo=UTC)
        return (onset.instant if onset else undated), event.header.stream

    ordered = sorted(last.values(), key=place, reverse=True)
    return [(event.header.stream, event.position) for event in ordered]


@given(histories())
def test_the_past_holds_the_last_word_on_every_item_in_order(events: list[Recorded]) -> None:
    page = Past(KNOWN, events).page(conditions())
    assert [(row.id, row.position) for row in page.rows] == newest(events)
    assert page.more is False
    assert {row.chart for row in page.rows} <= {CHART}


@given(histories(), st.integers(1, 4))
def test_pages_of_the_past_hold_each_row_once(events: list[Recorded], size: int) -> None:
    past = Past(KNOWN, events)
    whole = past.page(conditions()).rows
    found: list[object] = []
    after, more = None, True
    while more:
        page = past.page(conditions(size, after))
        found += page.rows
        more = page.more
        after = (page.rows[-1].at, page.rows[-1].id) if page.rows else after
        assert len(page.rows) == size or not more
    assert tuple(found) == whole


@given(histories(), st.data())
def test_nothing_later_shows_in_the_past(events: list[Recorded], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(events)))
    early = Past(KNOWN, events[:cut]).page(conditions())
    assert all(row.position <= cut for row in early.rows)
    assert [(row.id, row.position) for row in early.rows] == newest(events[:cut])


def test_a_correction_replaces_the_row_and_says_so() -> None:
    flu, influenza = (Condition(concept=Concept(text=text)) for text in ("Flu", "Influenza"))
    filed = recorded(RecordFiled(item=ITEMS[0], fact=Fact(condition=flu)), position=1)
    corrected = recorded(RecordCorrected(item=ITEMS[0], fact=Fact(condition=influenza)), position=2)
    (row,) = Past(KNOWN, [filed, corrected]).page(conditions()).rows
    assert row.body.fact.condition == influenza
    assert row.body.corrected is True


def test_a_grant_that_was_withdrawn_is_gone_and_another_one_stays() -> None:
    def granted(stream: str, position: int) -> Recorded:
        event = ProxyAccessGranted(grantee=OTHER, kind="parent", scopes=("records",))
        return recorded(event, position=position, stream=stream)

    withdrawn = recorded(ProxyAccessWithdrawn(grantee=OTHER), position=3, stream=STREAM)
    events = [granted(STREAM, 1), granted(ITEMS[0], 2), withdrawn]
    select = Select(panel=consent.proxies, chart=CHART, first=10)
    assert [r.id for r in Past(KNOWN, events[:2]).page(select).rows] == [ITEMS[0], STREAM]
    assert [r.id for r in Past(KNOWN, events).page(select).rows] == [ITEMS[0]]


def test_an_erased_result_leaves_the_past_too() -> None:
    report = Report(category="laboratory", concept=Concept(text="K"), status="final")
    received = recorded(ResultReceived(result=STREAM, report=report))
    erased = recorded(Erased(ResultReceived.type_name))
    select = Select(panel=results.reports, chart=CHART, first=10, kind="laboratory")
    assert len(Past(KNOWN, [received]).page(select).rows) == 1
    assert Past(KNOWN, [erased]).page(select).rows == ()
    assert Past(KNOWN, [received, erased]).page(select).rows == ()


def test_rows_of_another_kind_are_left_out() -> None:
    report = Report(category="imaging", concept=Concept(text="X-ray"), status="final")
    received = recorded(ResultReceived(result=STREAM, report=report))
    kinds = {"laboratory": 0, "imaging": 1, None: 1}
    for kind, count in kinds.items():
        select = Select(panel=results.reports, chart=CHART, first=10, kind=kind)
        assert len(Past(KNOWN, [received]).page(select).rows) == count


def test_events_that_nobody_knows_leave_the_past_as_it_was() -> None:
    unknown = recorded(Unknown("future.thing-happened", 3))
    assert Past(KNOWN, [unknown]).page(conditions()).rows == ()
