"""Filed facts: filed the first time, corrected by other content, never filed twice."""

from hypothesis import given as examples

from domain.kernel.command import Filed, Reserved
from domain.kernel.context import Subject
from domain.kernel.values import Concept, Moment, Source
from domain.records import Condition, Fact, FileRecord, RecordCorrected, RecordFiled
from tests.story import given
from tests.strategies import anything

ITEM = "records.item"
EHR = Source("urn:ehr", "Condition", "1", digest="digest")
FLU = Fact(condition=Condition(concept=Concept(text="Influenza")))


def filing(fact: Fact = FLU, when: Moment | None = None) -> FileRecord:
    """The wish to file a fact."""
    return FileRecord(chart="c", key="cond-1", source=EHR, fact=fact, when=when)


@examples(fact=anything(Fact))
def test_any_fact_is_filed_exactly_as_given_and_not_again_when_the_same_content_is_sent(
    fact: Fact,
) -> None:
    given().when(filing(fact)).then(RecordFiled(item=ITEM, fact=fact, source=EHR)).when(
        filing(fact)
    ).then()


def test_another_fact_of_a_known_source_is_filed() -> None:
    given(known=["records.source"]).when(filing()).then(
        RecordFiled(item=ITEM, fact=FLU, source=EHR)
    )


def test_a_known_fact_is_corrected_by_other_content() -> None:
    given(known=["records.source", ITEM]).when(filing()).then(
        RecordCorrected(item=ITEM, fact=FLU, source=EHR)
    )


def test_facts_go_to_the_stream_of_chart_and_source_at_any_version() -> None:
    source, item, content = filing().streams
    assert (source.reserved, source.chart, source.any_version) == (
        Reserved("records.source", "c|urn:ehr"),
        "c",
        True,
    )
    assert (item.reserved, item.chart, item.any_version) == (Reserved(ITEM, "cond-1"), "c", True)
    assert content.reserved == Reserved("records.content", "cond-1|digest")


def test_a_fact_is_about_its_chart_and_happened_when_the_source_says() -> None:
    wish = filing(when=Moment("2025-12"))
    assert wish.subject((Filed("s"), Filed("i"), Filed("c"))) == Subject(chart="c")
    assert wish.occurred == Moment("2025-12")
    assert filing().occurred is None
