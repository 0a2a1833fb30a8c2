"""What differs between two statements of one fact, field by field, in words."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from domain.kernel.values import Coding, Concept, Moment, Name, Period, Quantity, ReferenceRange

_HIDDEN = frozenset({"labels", "source", "object", "digest", "digests"})


def changes(before: object, after: object) -> Iterator[tuple[str, str, str]]:
    """(field, words before, words after) for each field that differs; a field is a dotted path."""
    was, now = dict(_told(before, "")), dict(_told(after, ""))
    for path in {**was, **now}:
        if was.get(path, "") != now.get(path, ""):
            yield path, was.get(path, ""), now.get(path, "")


def _told(value: object, path: str) -> Iterator[tuple[str, str]]:
    words = _words(value)
    if words is not None:
        yield path, words
    elif isinstance(value, tuple):
        for place, one in enumerate(value):
            yield from _told(one, f"{path}[{place}]")
    elif is_dataclass(value):
        for part in fields(value):
            if part.name not in _HIDDEN:
                inner = getattr(value, part.name)
                yield from _told(inner, f"{path}.{part.name}".lstrip("."))


def _words(value: object) -> str | None:
    """The value as a person reads it; None for what has parts."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str() | int():
            return str(value)
        case Moment():
            return value.text
        case Concept() | Name():
            return value.words
        case Coding():
            return value.display or value.code or ""
        case Quantity():
            return " ".join(filter(None, (value.comparator, value.value, value.unit or value.code)))
        case Period():
            return " to ".join(one.text if one else "..." for one in (value.start, value.end))
        case ReferenceRange():
            bounds = (_words(value.low) or "...", _words(value.high) or "...")
            return value.text or " to ".join(bounds)
    return "" if value == () else None
