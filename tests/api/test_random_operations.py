"""Random operations over the public schema: our execution beside graphql-core's own.

Both run with the caller's real context over the same rows; nothing is settled, so no look of the
one changes what the other sees.
"""

from typing import Any

import pytest
from graphql import (
    ArgumentNode,
    DocumentNode,
    ExecutionResult,
    IntValueNode,
    NullValueNode,
    OperationDefinitionNode,
    StringValueNode,
    Visitor,
    execute,
    parse,
    validate,
    visit,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import mutations, nodes, queries

from api.graphql.execution import Plans, run
from schema.root import build, executable
from tests.api.world import World

pytestmark = pytest.mark.anyio
SCHEMA = executable(build())
SCALARS = {"DateTime": st.just(nodes.String("2026-03-14T09:30:00+00:00"))}
COUNT = 80


def random_documents(strategy: st.SearchStrategy[Any], count: int) -> list[DocumentNode]:
    """The same documents on every run."""
    found: dict[str, DocumentNode] = {}

    @settings(max_examples=count, deadline=None, database=None, derandomize=True,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(strategy)
    def collect(text: str) -> None:
        found.setdefault(text, parse(text))

    collect()
    return list(found.values())


class Sensible(Visitor):
    """Gives arguments that find something: a chart of ours, a page that there is, no cursor.

    Refusals of these would null the whole answer, and which others are told then is a matter of
    time; tests/api/graphql/test_execution.py has such nulls without it.
    """

    def __init__(self, chart: str) -> None:
        super().__init__()
        self._chart = chart

    def leave_argument(self, node: ArgumentNode, *_: object) -> ArgumentNode:
        name = node.name.value
        if name == "chart":
            return ArgumentNode(name=node.name, value=StringValueNode(value=self._chart))
        if name == "first" and isinstance(node.value, IntValueNode):
            size = str(1 + int(node.value.value) % 100)
            return ArgumentNode(name=node.name, value=IntValueNode(value=size))
        if name == "after":
            return ArgumentNode(name=node.name, value=NullValueNode())
        return node


def stated(result: ExecutionResult) -> tuple[object, object]:
    """Data, and the errors in one order: panels that run at once fail in any."""
    errors = [(error.message, error.path, error.locations) for error in result.errors or ()]
    return result.data, sorted(errors, key=repr)


async def both(
    world: World, person: str, document: DocumentNode
) -> tuple[tuple[object, object], tuple[object, object]]:
    assert validate(SCHEMA, document) == []
    (definition,) = document.definitions
    assert isinstance(definition, OperationDefinitionNode)
    headers = [(b"authorization", f"Bearer {world.token(person)}".encode())]
    theirs, ours = [await world.door.open({"headers": headers}, {}) for _ in range(2)]
    try:
        outcome = execute(
            SCHEMA, document, context_value=theirs, max_coercion_errors=1, hide_suggestions=True
        )
        expected = outcome if isinstance(outcome, ExecutionResult) else await outcome
        plans = Plans(SCHEMA, document)
        result = await run(SCHEMA, document, definition, plans, ours, {})
        return stated(expected), stated(result)
    finally:
        await theirs.close()
        await ours.close()


@pytest.mark.parametrize("person", ["rosa", "adeyemi", "priya"])
async def test_random_queries_give_the_data_and_the_errors_of_graphql_core(
    world: World, person: str
) -> None:
    chart = Sensible(await world.chart("rosa"))
    filled = 0
    for document in random_documents(queries(SCHEMA, custom_scalars=SCALARS), COUNT):
        expected, result = await both(world, person, visit(document, chart))
        assert result == expected
        filled += any((expected[0] or {}).values()) if isinstance(expected[0], dict) else 0
    assert filled > COUNT // 10


async def test_random_mutations_give_the_data_and_the_errors_of_graphql_core(world: World) -> None:
    for document in random_documents(mutations(SCHEMA, custom_scalars=SCALARS), COUNT // 3):
        expected, result = await both(world, "rosa", document)
        assert result == expected
