"""Values from type hints, by Hypothesis or from a seed; what is optional is sometimes absent."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from domain.kernel.values import Moment

I_JSON = 2**53 - 1
"""The largest integer that RFC 8785 may write."""
LETTERS = "abcxyzÄßéЖ語🫀 0123456789-'"
WORDS = ("clinician", "final", "records")
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


def drawn(hint: Any, random: Random, ident: Callable[[str], str | None], name: str = "") -> Any:
    """A value of a type hint from a seeded generator: a thousand times as fast as an example.

    `ident` says which id a text field of that name holds, or None for any text.
    """
    if is_dataclass(hint):
        if hint is Moment and random.random() < 0.8:
            return Moment(_instant(random).isoformat())
        hints = _hints(hint)
        return hint(**{part: drawn(hints[part], random, ident, part) for part in hints})
    if get_origin(hint) is tuple:
        member = get_args(hint)[0]
        return tuple(drawn(member, random, ident, name) for _ in range(random.randrange(3)))
    if get_origin(hint) in (Union, UnionType):
        return drawn(random.choice(get_args(hint)), random, ident, name)
    if hint is str:
        word = random.choice(WORDS) if random.random() < 0.3 else ""
        return ident(name) or word or "".join(random.choices(LETTERS, k=random.randrange(9)))
    if hint is datetime:
        return _instant(random)
    simple = {NoneType: None, bool: random.random() < 0.5, int: random.randint(-I_JSON, I_JSON)}
    return simple[hint] if hint in simple else random.choice(get_args(hint))


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {part.name: hints[part.name] for part in fields(kind)}


def _instant(random: Random) -> datetime:
    seconds, micros = random.randrange(1_000_000_000), random.randrange(1_000_000)
    return datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=micros)
