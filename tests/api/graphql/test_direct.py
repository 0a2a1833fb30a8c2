"""Fields resolved directly answer as strawberry's own do, and the others are left to it."""

import enum
from collections.abc import Callable
from typing import Any

import pytest
import strawberry
from graphql import GraphQLObjectType, GraphQLSchema, graphql
from strawberry.extensions import FieldExtension
from strawberry.types.maybe import Maybe

from api.graphql.direct import resolve_directly

pytestmark = pytest.mark.anyio


@strawberry.enum
class Colour(enum.Enum):
    RED = "red"


@strawberry.input
class Given:
    text: str


class Doubling(FieldExtension):
    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        return 2 * await next_(source, info, **kwargs)


@strawberry.type
class Node:
    name: str

    @strawberry.field
    async def path(self, info: strawberry.Info, how_many: int = 2, after: str | None = None) -> str:
        return f"{self.name} {info.field_name} {info.context} {how_many} {after}"

    @strawberry.field
    async def silent(self, ident: strawberry.ID) -> str:
        return f"{self.name} {ident}"

    @strawberry.field
    def at_once(self, times: int) -> str:
        return self.name * times

    @strawberry.field
    async def coloured(self, colour: Colour) -> str:
        return colour.value

    @strawberry.field
    async def stated(self, given: Given) -> str:
        return given.text

    @strawberry.field
    async def listed(self, words: list[str]) -> str:
        return " ".join(words)

    @strawberry.field
    async def perhaps(self, word: Maybe[str | None] = None) -> str:
        return "nothing said" if word is None else f"said {word.value}"

    @strawberry.field(extensions=[Doubling()])
    async def doubled(self, text: str) -> str:
        return text


@strawberry.type
class Query:
    @strawberry.field
    async def node(self, name: str = "Mo") -> Node:
        return Node(name=name)


DIRECT = {"Query.node", "Node.path", "Node.silent"}
DOCUMENTS = [
    "{ node { path } }",
    '{ node(name: "Bo") { path(howMany: 3, after: null) a: path(after: "x") silent(ident: 7) } }',
    '{ node { atOnce(times: 2) coloured(colour: RED) listed(words: ["a", "b"]) } }',
    '{ node { stated(given: { text: "t" }) doubled(text: "d") } }',
    '{ node { a: perhaps b: perhaps(word: null) c: perhaps(word: "w") } }',
    "query ($n: Int! = 5, $a: String) { node { path(howMany: $n, after: $a) } }",
    "{ node { path(howMany: null) } }",
]


def built() -> GraphQLSchema:
    return strawberry.Schema(query=Query)._schema


def resolvers(schema: GraphQLSchema) -> dict[str, object]:
    return {
        f"{kind.name}.{name}": field.resolve
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLObjectType)
        for name, field in kind.fields.items()
    }


def test_what_takes_no_more_than_plain_values_is_resolved_directly() -> None:
    schema = built()
    before = resolvers(schema)
    resolve_directly(schema)
    after = resolvers(schema)
    assert {name for name in before if before[name] is not after[name]} == DIRECT


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_the_answer_is_the_one_of_strawberry(document: str) -> None:
    theirs, ours = built(), built()
    resolve_directly(ours)
    first = await graphql(theirs, document, context_value="here")
    second = await graphql(ours, document, context_value="here")
    assert (second.data, second.errors) == (first.data, first.errors)
    assert (first.data is None) == ("null)" in document and "howMany: null)" in document)
