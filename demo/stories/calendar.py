"""A story is told as of a day: all of its dates move by the same number of whole weeks.

So whoever starts the demonstration finds the newest visits in the last days, ages and intervals as
they are written down, and every appointment on its weekday. A year or a month alone moves with its
middle; a time of day stays, with the offset that the clinic's clock has then.
"""

import re
from datetime import date, datetime, timedelta
from typing import Final

from demo.stories.clinics import local_time

LAST_DAY: Final = date(2026, 11, 20)
"""The last day on which something happens as the stories are written down."""
_DATE: Final = re.compile(r"\d{4}(-\d{2}(-\d{2}(T[\d:.]+[+-]\d{2}:\d{2})?)?)?")


def weeks_since(day: date) -> int:
    """By how many weeks a story moves when it is told on a day; never back."""
    return max(0, (day - LAST_DAY).days // 7)


def moved(resource: dict[str, object], weeks: int) -> dict[str, object]:
    """The resource, or any part of one, with its dates so many weeks later."""
    return {name: _moved(name, value, timedelta(weeks=weeks)) for name, value in resource.items()}


def _moved(name: str, value: object, by: timedelta) -> object:
    if isinstance(value, dict):
        return {inner: _moved(inner, each, by) for inner, each in value.items()}
    if isinstance(value, list):
        return [_moved(name, each, by) for each in value]
    if isinstance(value, str) and _is_date(name, value):
        return _later(value, by)
    return value


def _is_date(name: str, value: str) -> bool:
    """Four digits alone are a year only where a date is expected: they may be a code."""
    fits = _DATE.fullmatch(value) is not None
    return fits and (len(value) > 4 or name.endswith(("Date", "DateTime")))


def _later(text: str, by: timedelta) -> str:
    if "T" in text:
        wall = datetime.fromisoformat(text).replace(tzinfo=None) + by
        return local_time(wall.isoformat()).isoformat()
    if len(text) == 10:
        return (date.fromisoformat(text) + by).isoformat()
    month = text[5:] or "07"
    return (date(int(text[:4]), int(month), 15) + by).isoformat()[: len(text)]
