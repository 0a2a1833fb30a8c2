"""Hypothesis strategies from type hints: every field filled, optional ones sometimes absent."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

I_JSON = 2**53 - 1
"""The largest integer that RFC 8785 may write."""
TEXT = st.text(max_size=12)
INSTANTS = st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC))


@cache
def anything(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type hint as our events use them: dataclasses, text, numbers, tuples, unions.

    Each is made once: Hypothesis examines a strategy anew for every new object, which is slow.
    """
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{f.name: anything(hints[f.name]) for f in fields(hint)})
    simple = {
        str: TEXT,
        int: st.integers(-I_JSON, I_JSON),
        bool: st.booleans(),
        NoneType: st.none(),
        datetime: INSTANTS,
    }
    if hint in simple:
        return simple[hint]
    if get_origin(hint) is tuple:
        return st.lists(anything(get_args(hint)[0]), max_size=2).map(tuple)
    if get_origin(hint) in (Union, UnionType):
        return st.one_of(*(anything(part) for part in get_args(hint)))
    return st.sampled_from(get_args(hint))
