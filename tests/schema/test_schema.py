"""The public schema: what is committed is what is built, and nothing is without rule or words."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import strawberry
from graphql import (
    DirectiveNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    StringValueNode,
    parse,
)

from api.generated import generated
from domain.kernel.rule import anyone, may, rules
from schema.kernel.ruled import SchemaRefused, check, ruled, said
from schema.root import build, executable

ROOT = Path(__file__).parents[2]
PROBE = may("schema.test-probe", anyone)


@pytest.fixture(scope="module")
def documents() -> dict[str, str]:
    """Every generated document, built now; rules that only tests declare are left out."""
    return {
        name: re.sub(r"^\| `schema\.test-.*\n", "", text, flags=re.M)
        for name, text in generated().items()
    }


@pytest.mark.parametrize(
    "name", ["schema/schema.graphql", "docs/events.md", "docs/errors.md", "docs/permissions.md"]
)
def test_the_committed_document_is_the_built_one(documents: dict[str, str], name: str) -> None:
    assert (ROOT / name).read_text() == documents[name]


def test_no_other_document_is_generated(documents: dict[str, str]) -> None:
    assert len(documents) == 4


def test_every_field_of_the_sdl_carries_a_rule_itself_or_through_its_type() -> None:
    known = {rule.name: rule.text for rule in rules()}
    seen = 0
    for kind in parse((ROOT / "schema" / "schema.graphql").read_text()).definitions:
        if not isinstance(kind, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
            continue
        for field in kind.fields or ():
            rule = _rule(field.directives) or _rule(kind.directives)
            assert rule is not None, f"{kind.name.value}.{field.name.value}"
            assert known[rule["name"]] == rule["permits"]
            seen += 1
    assert seen > 150


def test_every_field_of_a_query_and_a_mutation_carries_a_rule_of_its_own() -> None:
    roots = [
        kind
        for kind in parse((ROOT / "schema" / "schema.graphql").read_text()).definitions
        if isinstance(kind, ObjectTypeDefinitionNode) and kind.name.value in ("Query", "Mutation")
    ]
    assert len(roots) == 2
    for field in (field for root in roots for field in root.fields or ()):
        rule = _rule(field.directives)
        assert rule is not None, field.name.value
        assert not rule["name"].startswith("schema.")


def test_every_element_of_the_sdl_is_described() -> None:
    for kind in parse((ROOT / "schema" / "schema.graphql").read_text()).definitions:
        assert getattr(kind, "description", None), kind
        match kind:
            case ObjectTypeDefinitionNode() | InterfaceTypeDefinitionNode():
                fields: tuple[FieldDefinitionNode, ...] = tuple(kind.fields or ())
                assert all(field.description for field in fields)
                assert all(a.description for field in fields for a in field.arguments or ())
            case InputObjectTypeDefinitionNode():
                assert all(given.description for given in kind.fields or ())
            case EnumTypeDefinitionNode():
                assert all(value.description for value in kind.values or ())


def _rule(directives: Sequence[DirectiveNode] | None) -> dict[str, str] | None:
    for directive in directives or ():
        if directive.name.value == "rule":
            given = [(one.name.value, one.value) for one in directive.arguments or ()]
            return {name: v.value for name, v in given if isinstance(v, StringValueNode)}
    return None


def test_a_field_without_a_rule_is_refused_by_its_name() -> None:
    @strawberry.type(description="A query.")
    class Query:
        known: str = strawberry.field(description="Ruled.", directives=ruled(PROBE))
        open_door: str = strawberry.field(description="Not ruled.")

    with pytest.raises(SchemaRefused, match=r"^Query\.openDoor names no rule$"):
        check(executable(strawberry.Schema(query=Query)))


def test_a_field_without_words_is_refused_by_its_name() -> None:
    @strawberry.type(description="A query.", directives=ruled(PROBE))
    class Query:
        silent: str

    with pytest.raises(SchemaRefused, match=r"^Query\.silent has no description$"):
        check(executable(strawberry.Schema(query=Query)))


@strawberry.input(description="An input.")
class Wish:
    """An input whose field has no words."""

    mute: str


@strawberry.type(directives=ruled(PROBE))
class Thing:
    """A type without words for the SDL."""

    name: str = said("Its name.")


def _thing(wish: Wish) -> Thing:
    return Thing(name=wish.mute)


def test_every_fault_of_a_schema_is_named_at_once() -> None:
    @strawberry.type(description="A query.")
    class Query:
        thing: Thing = strawberry.field(resolver=_thing, description="A thing.")

    with pytest.raises(SchemaRefused) as refused:
        check(executable(strawberry.Schema(query=Query)))
    assert str(refused.value).split("; ") == [
        "Query.thing names no rule",
        "Query.thing(wish) has no description",
        "Thing has no description",
        "Wish.mute has no description",
    ]


def test_a_type_that_only_an_interface_rules_is_refused() -> None:
    @strawberry.interface(description="Named.", directives=ruled(PROBE))
    class Named:
        name: str = said("Its name.")

    @strawberry.type(description="A thing.")
    class Sized(Named):
        size: int = said("Its size.")

    @strawberry.type(description="A query.", directives=ruled(PROBE))
    class Query:
        thing: Named = said("A thing.")

    with pytest.raises(SchemaRefused, match=r"Sized\.size names no rule"):
        check(executable(strawberry.Schema(query=Query, types=[Sized])))


def test_the_public_schema_passes_its_own_check() -> None:
    check(executable(build()))
