"""Values keep the text they were given and derive the rest from it."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from domain.kernel.values import Coding, Concept, Moment, Name, Quantity


@pytest.mark.parametrize(
    ("text", "precision", "instant"),
    [
        ("2026", "year", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-03", "month", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-14", "day", datetime(2026, 3, 14, tzinfo=UTC)),
        ("2026-03-14T09:30:00Z", "instant", datetime(2026, 3, 14, 9, 30, tzinfo=UTC)),
        ("2026-03-14T09:30:00.000Z", "instant", datetime(2026, 3, 14, 9, 30, tzinfo=UTC)),
        ("2026-03-14T01:30:00-08:00", "instant", datetime(2026, 3, 14, 9, 30, tzinfo=UTC)),
        ("2026-03-14T09:30:00.123456789Z", "instant", datetime(2026, 3, 14, 9, 30, 0, 123456, UTC)),
    ],
)
def test_a_moment_keeps_its_text_and_knows_its_earliest_instant(
    text: str, precision: str, instant: datetime
) -> None:
    moment = Moment(text)
    assert (moment.text, moment.precision, moment.instant) == (text, precision, instant)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-13",
        "2026-02-30",
        "2026-03-14T09:30:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:00:00-14:00",
    ],
)
def test_text_that_is_no_date_gives_a_value_error_and_stays_as_it_is(text: str) -> None:
    moment = Moment(text)
    with pytest.raises(ValueError, match=r"."):
        _ = moment.instant
    assert moment.text == text


@examples(st.text())
def test_any_text_is_a_date_or_a_value_error(text: str) -> None:
    try:
        assert Moment(text).instant.tzinfo is UTC
    except ValueError:
        assert Moment(text).text == text


@examples(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_quantity_keeps_the_decimal_as_written(number: Decimal) -> None:
    quantity = Quantity(str(number), "mmol/L")
    assert quantity.value == str(number)
    assert quantity.decimal == number


def test_trailing_zeros_of_a_quantity_count_as_given() -> None:
    assert Quantity("4.10") != Quantity("4.1")
    assert Quantity("4.10").decimal == Quantity("4.1").decimal
    assert Quantity().decimal is None


@pytest.mark.parametrize(
    ("concept", "words"),
    [
        (Concept(text="Flu", codings=(Coding(display="Influenza"),)), "Flu"),
        (Concept(codings=(Coding(code="1"), Coding(display="Influenza"))), "1"),
        (Concept(codings=(Coding(system="urn:x"), Coding(display="Influenza"))), "Influenza"),
        (Concept(), ""),
    ],
)
def test_a_concept_is_shown_by_its_text_or_the_first_coding_that_has_words(
    concept: Concept, words: str
) -> None:
    assert concept.words == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (Name("Byron", ("Ada", "King"), ("Lady",)), "Lady Ada King Byron"),
        (Name(text="Ada L.", family="Byron"), "Ada L."),
        (Name(given=("Ada",)), "Ada"),
        (Name(), ""),
    ],
)
def test_a_name_is_shown_by_its_text_or_its_parts(name: Name, words: str) -> None:
    assert name.words == words
