"""No client is broken unawares: what the SDL breaks since the release, the changelog names."""

import pytest

from schema.root import build, sdl
from tests.contracts.schema_changes import (
    BREAKING,
    DANGEROUS,
    RELEASED,
    ROOT,
    SAFE,
    changes,
    told,
    unmentioned,
)

OLD = """
directive @rule(name: String!) on FIELD_DEFINITION
interface Named { name: String }
type Query implements Named { name: String  page(first: Int = 20): Int!  who: Who  kind: Kind }
type Rosa { id: ID! } type Omar { id: ID! } union Who = Rosa
enum Kind { ONE TWO } input Wish { text: String! }
type Mutation { wish(input: Wish!): Int  o: Omar }
"""


def test_breaking_and_dangerous_changes_since_the_release_are_in_the_changelog() -> None:
    found = changes(RELEASED.read_text(encoding="utf-8"), sdl(build()))
    missing = unmentioned(found, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert missing == [], "\n".join(("Name these in CHANGELOG.md:", *told(found)))


@pytest.mark.parametrize(
    ("old", "new", "kind", "coordinate"),
    [
        ("page(first: Int = 20): Int!", "", BREAKING, "Query.page"),
        ("page(first: Int = 20): Int!", "page(first: Int = 20): Int", BREAKING, "Query.page"),
        ("page(first: Int = 20): Int!", "page: Int!", BREAKING, "Query.page"),
        ("first: Int = 20", "first: Int = 10", DANGEROUS, "Query.page"),
        ("first: Int = 20", "first: Int = 20, last: Int", DANGEROUS, "Query.page"),
        ("ONE TWO", "ONE", BREAKING, "Kind.TWO"),
        ("ONE TWO", "ONE TWO THREE", DANGEROUS, "Kind.THREE"),
        ("text: String!", "text: String!  more: Int!", BREAKING, "Wish.more"),
        ("Who = Rosa", "Who = Omar", BREAKING, "Who"),
        ("Who = Rosa", "Who = Rosa | Omar", DANGEROUS, "Who"),
        ("Query implements Named", "Query", BREAKING, "Query"),
        ("  o: Omar", "", BREAKING, "Mutation.o"),
        ("type Omar {", "type Olga { id: ID! } type Omar {", SAFE, "Olga"),
        ("directive @rule(name: String!)", "directive @law(name: String!)", BREAKING, "@rule"),
        ("union Who = Rosa", "type Who { id: ID! }", BREAKING, "Who"),
    ],
)
def test_a_change_is_told_with_its_gravity_and_coordinate(
    old: str, new: str, kind: str, coordinate: str
) -> None:
    found = changes(OLD, OLD.replace(old, new, 1))
    assert (kind, coordinate) in [(change.kind, change.coordinate) for change in found]
    assert any(line.startswith(f"- `{coordinate}`: ") for line in told(found))


@pytest.mark.parametrize(
    ("section", "missing"),
    [
        ("- `Query.page` gives null.", 0),
        ("- Query.page, gone", 0),
        ("- `Query.pages`", 1),
        ("- `MyQuery.page`", 1),
        ("\n## [1.0.0]\n- `Query.page`", 1),
    ],
)
def test_a_break_counts_as_named_by_its_own_coordinate_in_what_is_unreleased(
    section: str, missing: int
) -> None:
    found = changes(OLD, OLD.replace("page(first: Int = 20): Int!", ""))
    assert len(unmentioned(found, f"# Changelog\n\n## [Unreleased]\n{section}\n")) == missing


def test_an_addition_needs_no_mention() -> None:
    found = changes(OLD, OLD.replace("who: Who", "who: Who  more: Int"))
    assert [change.kind for change in found] == [SAFE]
    assert unmentioned(found, "") == []
