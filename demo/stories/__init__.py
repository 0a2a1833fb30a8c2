"""Thirteen people and their records: the demonstration's story patients as FHIR R4 bundles.

Two clinics, years of visits each, every value made by this package. Nothing is random: ids are
UUIDs (version 5) of names and dates are written down, so a story told on the same day has the same
bytes in every run. As written, the last day on which something happens is `calendar.LAST_DAY`.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from demo.stories import adults, around, diabetes, elders, families, hearts, lakeside
from demo.stories.calendar import LAST_DAY, moved, weeks_since
from demo.stories.chart import Chart

__all__ = ["Story", "bundle_bytes", "expected_counts", "stories"]


@dataclass(frozen=True)
class Story:
    """A patient with a one-line story; `bundle` is a FHIR R4 transaction Bundle."""

    key: str
    name: str
    tagline: str
    language: str
    tenant: str
    bundle: dict[str, object]


_TAGLINES: tuple[tuple[Callable[[], Chart], str], ...] = (
    (diabetes.rosa, "Ten years with type 2 diabetes, and a new HbA1c last week"),
    (adults.omar, "Waits for a sensitive test result"),
    (hearts.jun, "Heart failure at 81, many medicines, a daughter who helps"),
    (adults.mei, "Her own thyroid, and her father's chart"),
    (families.tess, "Fifteen, asthma, and a visit that is hers alone"),
    (families.laura, "Migraine, and a daughter who is growing up"),
    (elders.walter, "COPD at 82; large print, please"),
    (families.amara, "Expecting her first child next month"),
    (hearts.henry, "A heart attack, a stent, and the way back"),
    (elders.grace, "Breast cancer behind her, strong bones ahead"),
    (adults.daniel, "Anxiety that is getting quieter"),
    (lakeside.liam, "Seven, all vaccines done, no peanuts"),
    (lakeside.noor, "Tired no more: iron on the rise"),
)


def stories(told: date = LAST_DAY) -> tuple[Story, ...]:
    """All stories in the order of the demonstration, as they are told on a day.

    Built once; treat bundles as read-only.
    """
    return _moved(weeks_since(told))


@cache
def _moved(weeks: int) -> tuple[Story, ...]:
    if weeks == 0:
        return tuple(_told(make(), tagline) for make, tagline in _TAGLINES)
    return tuple(replace(story, bundle=moved(story.bundle, weeks)) for story in _moved(0))


def bundle_bytes(story: Story) -> bytes:
    """The bundle as UTF-8 JSON with sorted keys and no insignificant spaces."""
    return json.dumps(
        story.bundle, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    ).encode()


def expected_counts(story: Story) -> dict[str, int]:
    """How many resources of each type the bundle holds, by type name in order."""
    entries = story.bundle["entry"]
    if not isinstance(entries, list):
        raise TypeError("a transaction bundle has a list of entries")
    return dict(sorted(Counter(entry["resource"]["resourceType"] for entry in entries).items()))


def _told(chart: Chart, tagline: str) -> Story:
    around.surround(chart)
    person = chart.person
    return Story(
        chart.key, person.name, tagline, person.language, chart.clinic.tenant, chart.bundle()
    )
