"""Deny by default in the schema: every field names its rule, and every element is described.

The rule is printed into the SDL as a directive; it is enforced where the data is read, in
`context.read` and `perform`. Building the schema fails on a field without a rule, which a field
has itself or through its type.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import strawberry
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
)
from strawberry.schema_directive import Location
from strawberry.types.base import StrawberryObjectDefinition

from domain.kernel.rule import Rule

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.OBJECT, Location.INTERFACE],
    name="rule",
    description="Who may see or do this: the rule's name, and the clauses that permit.",
)
class RuleDirective:
    """`@rule(name: "records.view", permits: "oneself | proxy(records) | treating clinician")`."""

    name: str = strawberry.directive_field(name="name")
    permits: str = strawberry.directive_field(name="permits")


class SchemaRefused(TypeError):
    """The schema names a field without a rule or an element without a description."""


def ruled(rule: Rule) -> list[object]:
    """The directives of a field or a type under this rule."""
    return [RuleDirective(name=rule.name, permits=rule.text)]


def said(text: str) -> Any:
    """A plain field with its description; its rule is the type's."""
    return strawberry.field(description=text)


def field(rule: Rule, text: str) -> Callable[[Resolver], Resolver]:
    """Declare a resolver as a field under a rule, with its description."""
    return cast(
        Callable[[Resolver], Resolver], strawberry.field(description=text, directives=ruled(rule))
    )


def check(schema: GraphQLSchema) -> None:
    """Raise SchemaRefused for every field without a rule and every element without words."""
    wrong = sorted(_wrong(schema))
    if wrong:
        raise SchemaRefused("; ".join(wrong))


def _wrong(schema: GraphQLSchema) -> Iterator[str]:
    for name, kind in schema.type_map.items():
        if name.startswith("__"):
            continue
        if not kind.description and not _is_builtin(name):
            yield f"{name} has no description"
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            yield from _wrong_fields(name, kind)
        if isinstance(kind, GraphQLInputObjectType):
            for field, given in kind.fields.items():
                if not given.description:
                    yield f"{name}.{field} has no description"
        if isinstance(kind, GraphQLEnumType):
            for value, meaning in kind.values.items():
                if not meaning.description:
                    yield f"{name}.{value} has no description"


def _wrong_fields(name: str, kind: GraphQLObjectType | GraphQLInterfaceType) -> Iterator[str]:
    type_rule = _has_rule(kind)
    for field, given in kind.fields.items():
        if not given.description:
            yield f"{name}.{field} has no description"
        if not type_rule and not _has_rule(given):
            yield f"{name}.{field} names no rule"
        for argument, taken in given.args.items():
            if not taken.description:
                yield f"{name}.{field}({argument}) has no description"


def _has_rule(element: Any) -> bool:
    definition: StrawberryObjectDefinition | None = element.extensions.get("strawberry-definition")
    directives = getattr(definition, "directives", None) or ()
    return any(isinstance(directive, RuleDirective) for directive in directives)


def _is_builtin(name: str) -> bool:
    return name in {"String", "Int", "Float", "Boolean", "ID"}
