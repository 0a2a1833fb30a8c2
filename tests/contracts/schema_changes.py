"""What the SDL changed since the last release: `python -m tests.contracts.schema_changes` tells.

The release is tests/contracts/released.graphql, a copy of schema/schema.graphql that is made when
a release is cut and at no other time.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graphql import BreakingChange, DangerousChange, build_schema
from graphql.utilities import find_schema_changes

ROOT = Path(__file__).resolve().parents[2]
RELEASED = Path(__file__).parent / "released.graphql"
BREAKING, DANGEROUS, SAFE = "Breaking", "Dangerous", "Safe"
_COORDINATES = tuple(
    map(
        re.compile,
        (
            r"\b(\w+\.\w+)",
            r"(@\w+)",
            r"union type (\w+)",
            r"implemented by (\w+)",
            r"^(?:Standard scalar |Description of )?(\w+)",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: how grave, the schema coordinate without arguments, and a sentence."""

    kind: str
    coordinate: str
    sentence: str


def changes(released: str, present: str) -> list[Change]:
    """The differences of two SDL texts, the gravest first."""
    found = [
        Change(_kind(change), _coordinate(change.description), change.description)
        for change in find_schema_changes(build_schema(released), build_schema(present))
    ]
    return sorted(found, key=lambda change: ((BREAKING, DANGEROUS, SAFE).index(change.kind),))


def _kind(change: object) -> str:
    if isinstance(change, BreakingChange):
        return BREAKING
    return DANGEROUS if isinstance(change, DangerousChange) else SAFE


def _coordinate(sentence: str) -> str:
    """`Type.field`, `Type.VALUE`, `@directive` or `Type`, as the changelog has to name it."""
    matches = (pattern.search(sentence) for pattern in _COORDINATES)
    return next(match[1] for match in matches if match is not None)


def unmentioned(found: list[Change], changelog: str) -> list[Change]:
    """What may break a client and is not named in the section of what is not released yet."""
    section = changelog.partition("\n## [Unreleased]\n")[2].partition("\n## ")[0]
    return [
        change
        for change in found
        if change.kind != SAFE
        and not re.search(rf"(?<![\w.@]){re.escape(change.coordinate)}(?![\w.])", section)
    ]


def told(found: list[Change]) -> Iterator[str]:
    """The differences as a list in Markdown."""
    kind = ""
    for change in found:
        if change.kind != kind:
            kind = change.kind
            yield f"### {kind}"
        yield f"- `{change.coordinate}`: {change.sentence}"


def main() -> None:
    """Tell the differences of the present SDL."""
    present = (ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8")
    for line in told(changes(RELEASED.read_text(encoding="utf-8"), present)):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
