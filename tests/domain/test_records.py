"""Filed facts: filed the first time, corrected by other content, never filed twice."""

from hypothesis import given as examples

from domain.kernel.command import Reserved
from domain.kernel.context import Subject
from domain.kernel.event import Erased
from domain.kernel.items import Item
from domain.kernel.refusal import RecordErased
from domain.kernel.values import Concept, Moment, Source
from domain.records import Condition, Fact, FileRecord, RecordCorrected, RecordFiled
from tests.story import given
from tests.strategies import anything

ITEM = "records.item"
EHR = Source("urn:ehr", "Condition", "1", digest="digest")
FLU = Fact(condition=Condition(concept=Concept(text="Influenza")))
COLD = Fact(condition=Condition(concept=Concept(text="Cold")))


def filing(fact: Fact = FLU, when: Moment | None = None) -> FileRecord:
    """The wish to file a fact."""
    return FileRecord(chart="c", key="cond-1", source=EHR, fact=fact, when=when)


@examples(fact=anything(Fact))
def test_any_fact_is_filed_exactly_as_given_and_not_again_when_it_is_sent_again(
    fact: Fact,
) -> None:
    given().when(filing(fact)).then(RecordFiled(item=ITEM, fact=fact, source=EHR)).when(
        filing(fact)
    ).then()


def test_a_known_fact_is_corrected_by_other_content() -> None:
    given(RecordFiled(item=ITEM, fact=FLU, source=EHR)).when(filing(COLD)).then(
        RecordCorrected(item=ITEM, fact=COLD, source=EHR)
    )


def test_a_correction_is_corrected_back() -> None:
    given(
        RecordFiled(item=ITEM, fact=FLU, source=EHR),
        RecordCorrected(item=ITEM, fact=COLD, source=EHR),
    ).when(filing(FLU)).then(RecordCorrected(item=ITEM, fact=FLU, source=EHR))


def test_an_erased_fact_stays_erased() -> None:
    given(Erased("records.record-filed")).when(filing()).refused(RecordErased)


def test_a_fact_is_found_by_its_id_at_the_source_in_its_chart() -> None:
    (item,) = filing().streams
    assert (item.reserved, item.chart, item.any_version) == (Reserved(ITEM, "c|cond-1"), "c", False)


def test_a_fact_is_about_its_chart_and_happened_when_the_source_says() -> None:
    wish = filing(when=Moment("2025-12"))
    assert wish.subject(Item("i")) == Subject(chart="c")
    assert wish.occurred == Moment("2025-12")
    assert filing().occurred is None
