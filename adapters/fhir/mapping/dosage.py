"""Dosage as words a patient can follow: the source's own, else what its structure says.

FHIR R4 Dosage and Timing; numbers stay as written.
"""

from collections.abc import Iterator

from adapters.fhir.mapping.values import code, concept, number
from adapters.fhir.resources import Dosage, DoseAndRate, Measure, Range, Repeat

_UNITS = {
    "s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month",
    "a": "year",
}  # fmt: skip
_TIMES = {"1": "once", "2": "twice"}
_WHEN = {
    "MORN": "in the morning", "NOON": "at noon", "AFT": "in the afternoon",
    "EVE": "in the evening", "NIGHT": "at night", "HS": "at bedtime", "WAKE": "on waking",
    "C": "with meals", "CM": "with breakfast", "CD": "with lunch", "CV": "with dinner",
    "AC": "before meals", "ACM": "before breakfast", "ACD": "before lunch",
    "ACV": "before dinner", "PC": "after meals", "PCM": "after breakfast",
    "PCD": "after lunch", "PCV": "after dinner",
}  # fmt: skip
_DAYS = {
    "mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday",
    "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip
_NO_UNIT = frozenset({None, "1", "{dose}", "{tbl}"})


def directions(given: Dosage) -> str | None:
    """How to take it; None where neither words nor structure say anything."""
    said = given.text or given.patient_instruction
    if said:
        return said
    parts = [*_dose(given), *_timing(given), *_needed(given)]
    more = [concept(one).words for one in given.additional_instruction]
    return "; ".join(filter(None, (" ".join(parts), *more))) or None


def _dose(given: Dosage) -> Iterator[str]:
    doses = filter(None, map(_one_dose, given.dose_and_rate))
    yield from (next(doses, ""),) if given.dose_and_rate else ()
    route = concept(given.route).words if given.route else ""
    if route:
        yield route if route.casefold() in ("orally", "oral") else f"({route})"


def _one_dose(given: DoseAndRate) -> str:
    dose = _amount(given.dose_quantity) or _span(given.dose_range)
    rate = _amount(given.rate_quantity)
    if given.rate_ratio:
        rate = f"{_amount(given.rate_ratio.numerator)} per {_amount(given.rate_ratio.denominator)}"
    return " at ".join(filter(None, (dose, rate)))


def _amount(given: Measure | None) -> str:
    if given is None:
        return ""
    value, unit = number(given.value) or "", given.unit or given.code
    shown = "" if unit in _NO_UNIT else f" {unit}"
    return f"{given.comparator or ''}{value}{shown}" if value else ""


def _span(given: Range | None) -> str:
    if given is None:
        return ""
    return " to ".join(filter(None, (_amount(given.low), _amount(given.high))))


def _timing(given: Dosage) -> Iterator[str]:
    timing = given.timing
    repeat = timing.repeat if timing else None
    if repeat is not None:
        yield from filter(None, (_often(repeat), *_moments(repeat), _long(repeat)))
    elif timing and timing.code:
        yield timing.code.text or concept(timing.code).words or code(timing.code) or ""


def _often(repeat: Repeat) -> str:
    """`twice daily`, `every 8 hours`, `3 to 4 times a week`."""
    times, most = number(repeat.frequency), number(repeat.frequency_max)
    period, unit = number(repeat.period), _UNITS.get(repeat.period_unit or "")
    if unit is None or period is None:
        return f"{times} times" if times and not repeat.when else ""
    upto = number(repeat.period_max)
    stretch = f"{_plain(period)} to {_plain(upto)}" if upto else _plain(period)
    one = stretch == "1"
    every = f"a {unit}" if one else f"every {stretch} {unit}s"
    if one and unit == "day":
        every = "daily"
    if times in (None, "1") and most is None:
        if one:
            return "once daily" if unit == "day" else f"once every {unit}"
        return every
    often = f"{times} to {most} times" if most else _TIMES.get(times or "", f"{times} times")
    return f"{often} {every}"


def _plain(value: str) -> str:
    """Without a fraction that is nought: `1.0` is one day."""
    return value[:-2] if value.endswith(".0") else value


def _moments(repeat: Repeat) -> Iterator[str]:
    if repeat.when:
        yield " and ".join(_WHEN.get(one, one) for one in repeat.when)
    if repeat.day_of_week:
        yield "on " + ", ".join(_DAYS.get(one, one) for one in repeat.day_of_week)
    if repeat.time_of_day:
        yield "at " + ", ".join(one.removesuffix(":00") for one in repeat.time_of_day)


def _long(repeat: Repeat) -> str:
    bounds = repeat.bounds_duration
    if bounds is not None:
        value, unit = number(bounds.value), bounds.unit or bounds.code or ""
        unit = _UNITS.get(bounds.code or "", unit.rstrip("s"))
        return f"for {value} {unit}{'' if value == '1' else 's'}" if value else ""
    count = number(repeat.count)
    return f"{count} times in all" if count else ""


def _needed(given: Dosage) -> Iterator[str]:
    if given.as_needed_codeable_concept:
        yield f"as needed for {concept(given.as_needed_codeable_concept).words}"
    elif given.as_needed_boolean:
        yield "as needed"
