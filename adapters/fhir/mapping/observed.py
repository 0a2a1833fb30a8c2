"""Observation.value[x]: one of quantity, concept or words; why it is absent; or another kind."""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import MsgspecError, json

from adapters.fhir.mapping.values import (
    amount,
    is_given,
    number,
    quantity,
    some_concept,
    start,
)
from adapters.fhir.resources import (
    Extent,
    Observation,
    Range,
    Ratio,
    SampledData,
    Valued,
    decode,
)
from domain.kernel.values import Coding, Concept, Moment, Quantity, ReferenceRange

_UNSUPPORTED = Coding(
    "http://terminology.hl7.org/CodeSystem/data-absent-reason", "unsupported", "Unsupported"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value[x]; `other` is the kind of a value that is told in words only."""

    quantity: Quantity | None = None
    coded: Concept | None = None
    text: str | None = None
    absent: Concept | None = None
    other: str | None = None

    @property
    def absent_or_unsupported(self) -> Concept | None:
        """Why there is no value, for places that cannot name another kind of value."""
        unread = self.other and self.text is None
        unsupported = Concept((_UNSUPPORTED,), self.other) if unread else None
        return self.absent or unsupported


def value(given: Valued) -> Value:
    """What was measured or stated."""
    return Value(
        quantity=quantity(given.value_quantity),
        coded=some_concept(given.value_codeable_concept),
        text=_words(given),
        absent=some_concept(given.data_absent_reason),
        other=_other_kind(given),
    )


def effective(given: Observation) -> Moment | None:
    """The time it holds for; of a period, its start."""
    return start(given.effective_date_time or given.effective_instant, given.effective_period)


def ranges(given: Iterable[Range]) -> tuple[ReferenceRange, ...]:
    """Reference ranges as given."""
    return tuple(ReferenceRange(quantity(one.low), quantity(one.high), one.text) for one in given)


def _words(given: Valued) -> str | None:
    if given.value_string is not None:
        return given.value_string
    if given.value_boolean is not None:
        return "true" if given.value_boolean else "false"
    return number(given.value_integer) or _other_words(given)


def _other_words(given: Valued) -> str | None:
    """Range, ratio, time, dateTime, period or sampled data in words; numbers as written."""
    try:
        return next(
            (
                words(bytes(token)) or None
                for token, words in (
                    (given.value_range, _range),
                    (given.value_ratio, _ratio),
                    (given.value_time, _text),
                    (given.value_date_time, _text),
                    (given.value_period, _period),
                    (given.value_sampled_data, _sampled),
                )
                if is_given(token)
            ),
            None,
        )
    except MsgspecError:
        return None


def _text(token: bytes) -> str:
    return json.decode(token, type=str)


def _range(token: bytes) -> str:
    given = decode(token, Range)
    low, high = amount(given.low), amount(given.high)
    if low and high:
        return f"{low} to {high}"
    return f"{low} or more" if low else f"up to {high}" if high else ""


def _ratio(token: bytes) -> str:
    given = decode(token, Ratio)
    return ":".join(filter(None, (amount(given.numerator), amount(given.denominator))))


def _period(token: bytes) -> str:
    given = decode(token, Extent)
    return " to ".join(filter(None, (given.start, given.end)))


def _sampled(token: bytes) -> str:
    given = decode(token, SampledData)
    points = len((given.data or "").split())
    unit = (given.origin and (given.origin.unit or given.origin.code)) or ""
    every = number(given.period)
    return (
        f"{points} samples{f' of {unit}' if unit else ''}{f', every {every} ms' if every else ''}"
    )


def _other_kind(given: Valued) -> str | None:
    kinds = {
        "SampledData": given.value_sampled_data,
        "Range": given.value_range,
        "Ratio": given.value_ratio,
        "Time": given.value_time,
        "DateTime": given.value_date_time,
        "Period": given.value_period,
    }
    return next((kind for kind, token in kinds.items() if is_given(token)), None)
