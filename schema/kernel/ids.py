"""Ids that callers give: a text that is no id of ours goes the way of an id that nobody has."""

from uuid import UUID

from domain.kernel.refusal import NotFound
from schema.kernel.context import Ids

NO_CHART = str(UUID(int=0))
"""What a text stands for that is no id: nobody's chart, refused and on record like any other."""


def chart_of(ids: Ids, opaque: str) -> str:
    """The chart of an opaque id; NO_CHART for a text that is none."""
    return known(ids, "chart", opaque) or NO_CHART


def known(ids: Ids, kind: str, opaque: str) -> str | None:
    """What an opaque id stands for; None for a text that is no id of this kind."""
    try:
        return ids.reveal(kind, opaque)
    except NotFound:
        return None
