"""Checks and what they find: a verdict, what was seen, and what to do about it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Verdict = Literal["ok", "warning", "failure", "unknown"]
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check saw: nothing wrong, or how bad it is, in words without any patient's data."""

    words: str
    verdict: Verdict = "ok"


@dataclass(frozen=True, slots=True)
class Check(Generic[P]):
    """One question to a place `P` and the hint for whoever has to mend it."""

    name: str
    fix: str
    look: Callable[[P], Awaitable[Seen]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The answer to one check; `fix` is empty where nothing is to be done."""

    check: str
    verdict: Verdict
    seen: str
    fix: str = ""


async def examine(checks: Sequence[Check[P]], place: P) -> list[Diagnosis]:
    """Every check in order; one that cannot be carried out is `unknown` and says so."""
    return [await _one(check, place) for check in checks]


async def _one(check: Check[P], place: P) -> Diagnosis:
    try:
        seen = await check.look(place)
    except Exception as error:  # a sick house must not stop the examination
        seen = Seen(f"could not be checked: {type(error).__name__}", "unknown")
    fix = "" if seen.verdict == "ok" else check.fix
    return Diagnosis(check=check.name, verdict=seen.verdict, seen=seen.words, fix=fix)


def expect(condition: bool, words: str, otherwise: str, verdict: Verdict = "failure") -> Seen:
    """`words` where the condition holds, else `otherwise` with the verdict."""
    return Seen(words) if condition else Seen(otherwise, verdict)
