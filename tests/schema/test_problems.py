"""Every mutation promises the same: a key, a version where it edits, and its "no" as data."""

import pytest
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
)

from schema.root import build, executable

PROBLEM = {"code": "String!", "message": "String!", "path": "[String!]!", "retryable": "Boolean!"}
# A mutation that makes something new has nothing that somebody may have changed meanwhile.
NOTHING_TO_EDIT: set[str] = set()


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """The public schema."""
    return executable(build())


def mutations(schema: GraphQLSchema) -> dict[str, GraphQLField]:
    assert schema.mutation_type is not None
    assert schema.mutation_type.fields
    return schema.mutation_type.fields


def problems(schema: GraphQLSchema) -> set[str]:
    interface = schema.type_map["Problem"]
    assert isinstance(interface, GraphQLInterfaceType)
    return {kind.name for kind in schema.get_possible_types(interface)}


def answer(field: GraphQLField) -> GraphQLUnionType:
    """The union that a mutation answers with, never null."""
    assert isinstance(field.type, GraphQLNonNull)
    assert isinstance(field.type.of_type, GraphQLUnionType), field.type
    return field.type.of_type


def wish(field: GraphQLField) -> GraphQLInputObjectType:
    """The one input of a mutation, never null."""
    assert list(field.args) == ["input"]
    assert isinstance(field.args["input"].type, GraphQLNonNull)
    given = field.args["input"].type.of_type
    assert isinstance(given, GraphQLInputObjectType)
    return given


def test_a_mutation_answers_with_one_success_or_problems(schema: GraphQLSchema) -> None:
    for name, field in mutations(schema).items():
        members = {kind.name for kind in answer(field).types}
        assert len(members - problems(schema)) == 1, name
        assert {"NotFoundProblem", "KeyReusedProblem", "BusyProblem"} <= members, name


def test_every_input_takes_an_idempotency_key(schema: GraphQLSchema) -> None:
    for name, field in mutations(schema).items():
        assert wish(field).name == f"{name[0].upper()}{name[1:]}Input"
        assert str(wish(field).fields["idempotencyKey"].type) == "String!"


def test_an_edit_takes_the_version_that_was_seen_and_may_find_it_stale(
    schema: GraphQLSchema,
) -> None:
    editing = {name: f for name, f in mutations(schema).items() if name not in NOTHING_TO_EDIT}
    assert {"grantProxyAccess", "withdrawProxyAccess"} <= set(editing)
    for name, field in editing.items():
        assert str(wish(field).fields["expectedVersion"].type) == "Int", name
        assert "StaleVersionProblem" in {kind.name for kind in answer(field).types}, name


def test_every_problem_has_a_code_words_a_path_and_whether_to_retry(schema: GraphQLSchema) -> None:
    for name in {"Problem", *problems(schema)}:
        kind = schema.type_map[name]
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        assert {field: str(kind.fields[field].type) for field in PROBLEM} == PROBLEM


def test_what_is_called_a_problem_is_one(schema: GraphQLSchema) -> None:
    called = {name for name in schema.type_map if name.endswith("Problem")} - {"Problem"}
    assert called == problems(schema)
