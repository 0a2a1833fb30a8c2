"""Observation.value[x]: one of quantity, concept or words; why it is absent; or another kind."""

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.fhir.mapping.values import (
    is_given,
    number,
    quantity,
    some_concept,
    start,
)
from adapters.fhir.resources import Observation, Range, Valued
from domain.kernel.values import Coding, Concept, Moment, Quantity, ReferenceRange

_UNSUPPORTED = Coding(
    "http://terminology.hl7.org/CodeSystem/data-absent-reason", "unsupported", "Unsupported"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value[x]; `other` is the kind of a value that stays in the received bytes only."""

    quantity: Quantity | None = None
    coded: Concept | None = None
    text: str | None = None
    absent: Concept | None = None
    other: str | None = None

    @property
    def absent_or_unsupported(self) -> Concept | None:
        """Why there is no value, for places that cannot name another kind of value."""
        unsupported = Concept((_UNSUPPORTED,), self.other) if self.other else None
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
    return number(given.value_integer)


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
