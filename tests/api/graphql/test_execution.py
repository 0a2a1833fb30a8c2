"""The plan beside graphql-core: the same data and the same errors, whatever the operation."""

import asyncio
import enum
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, OperationDefinitionNode, execute, parse, validate
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import queries

from api.graphql import execution
from api.graphql.execution import Plans, run


@strawberry.enum
class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Leaf:
    text: str
    count: int | None
    ratio: float | None
    right: bool
    colour: Colour | None
    ident: strawberry.ID
    tags: list[str]
    grid: list[list[int | None]] | None
    words: str = strawberry.field(name="shown")


@strawberry.type
class Cat(Named):
    leaf: Leaf | None


@strawberry.type
class Dog(Named):
    leaves: list[Leaf] | None


@strawberry.type
class Branch:
    leaf: Leaf
    leaves: list[Leaf]
    sparse: list[Leaf | None] | None
    pet: Named | None
    below: "Branch | None"

    @strawberry.field
    async def later(self) -> Leaf | None:
        return self.leaf

    @strawberry.field
    def now(self, times: int = 2) -> list[Leaf]:
        return [self.leaf] * min(times, 3)

    @strawberry.field
    async def strict(self) -> "Branch":
        if self.below is None:
            raise LookupError("nothing below")
        return self.below


@strawberry.type
class Query:
    @strawberry.field
    async def branch(self, info: strawberry.Info) -> Branch | None:
        made: Branch | None = info.context
        return made

    @strawberry.field
    async def branches(self, info: strawberry.Info, count: int | None = None) -> list[Branch]:
        return [info.context] * min(2 if count is None else count, 3)


SCHEMA = strawberry.Schema(query=Query, types=[Cat, Dog])._schema


class Later:
    """An awaitable that can be awaited again and again."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __await__(self) -> Generator[None, None, object]:
        yield
        return self.value


@dataclass
class Tree:
    """Builds values for the schema, some of which are not what the schema promises."""

    draw: Any
    wrong: bool
    names: list[str] = field(default_factory=list)

    def value(self, right: object) -> Any:
        if not self.wrong or self.draw(st.integers(0, 11)):
            return right
        return self.draw(
            st.sampled_from([None, "text", 7, 2**40, 1.5, True, [], ["x", None], Later(right),
                             Later(None), ValueError("defect"), object(), {"text": "a dict"}])
        )  # fmt: skip

    def leaf(self) -> Any:
        leaf = Leaf(
            text=self.value("words"),
            count=self.value(3),
            ratio=self.value(0.5),
            right=self.value(True),
            colour=self.value(Colour.BLUE),
            ident=self.value(strawberry.ID("leaf_1")),
            tags=self.value(["a", self.value("b")]),
            grid=self.value([[1, self.value(None)], self.value([])]),
            words=self.value("shown"),
        )
        return self.value(leaf)

    def branch(self, depth: int) -> Any:
        pet = self.draw(
            st.sampled_from([None, Cat(name="Mo", leaf=self.leaf()), Dog(name="Bo", leaves=[])])
        )
        branch = Branch(
            leaf=self.leaf(),
            leaves=self.value([self.leaf(), self.leaf()]),
            sparse=self.value((self.leaf(), None)),
            pet=self.value(pet),
            below=self.branch(depth - 1) if depth else None,
        )
        return self.value(branch)


@st.composite
def trees(draw: Any, wrong: bool) -> Any:
    return Tree(draw, wrong).branch(2)


def stated(result: ExecutionResult) -> object:
    errors = [
        (error.message, error.path, error.locations, type(error.original_error))
        for error in result.errors or ()
    ]
    return result.data, errors


async def both(document: str, tree: object, variables: dict[str, Any]) -> tuple[object, object]:
    """What graphql-core says, and what we say the first and the second time."""
    parsed = parse(document)
    assert validate(SCHEMA, parsed) == []
    (definition,) = (d for d in parsed.definitions if isinstance(d, OperationDefinitionNode))
    outcome = execute(
        SCHEMA,
        parsed,
        context_value=tree,
        variable_values=variables,
        max_coercion_errors=1,
        hide_suggestions=True,
    )
    theirs = outcome if isinstance(outcome, ExecutionResult) else await outcome
    plans = Plans(SCHEMA, parsed)
    first = await run(SCHEMA, parsed, definition, plans, tree, variables)
    again = await run(SCHEMA, parsed, definition, plans, tree, variables)
    assert stated(first) == stated(again)
    return stated(theirs), stated(first)


@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(queries(SCHEMA), trees(wrong=True))
def test_random_operations_over_defective_values_give_the_same_data_and_errors(
    document: Any, tree: object
) -> None:
    theirs, ours = asyncio.run(both(document, tree, {}))
    assert ours == theirs


@settings(
    max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
@given(queries(SCHEMA), trees(wrong=False))
def test_random_operations_over_sound_values_give_the_same_data(
    document: Any, tree: object
) -> None:
    theirs, ours = asyncio.run(both(document, tree, {}))
    assert ours == theirs


LEAF = "{ text count colour tags }"
DOCUMENTS = {
    "merged selections": f"""{{ branch {{ leaf {{ text }} leaf {LEAF} }}
      branch {{ leaf {{ ident shown }} }} }}""",
    "fragments": f"""query {{ branch {{ ...a pet {{ ...on Cat {{ leaf {LEAF} }} ...n }} }} }}
      fragment a on Branch {{ leaves {{ ...b }} below {{ leaf {{ ...b }} }} }}
      fragment b on Leaf {LEAF} fragment n on Named {{ __typename name }}""",
    "type names": "{ __typename branch { kind: __typename leaf { __typename text } } }",
    "aliases": "{ branch { a: leaf { x: text y: text } b: leaves { x: count } } }",
    "skip": f"""query ($yes: Boolean!, $no: Boolean = false) {{ branch {{
      leaf @skip(if: $yes) {LEAF} leaves @include(if: $no) {LEAF}
      below {{ ... @include(if: $yes) {{ leaf {{ text @skip(if: $no) ident }} }} }}
      a: now(times: 1) {{ shown @include(if: true) count @skip(if: true) }} }} }}""",
    "arguments": """query ($n: Int = 1, $absent: Int) { branch { now(times: $n) { text }
      b: now(times: $absent) { text } } branches(count: 3) { leaf { text } } }""",
    "introspection": "{ __schema { queryType { name } } __type(name: \"Leaf\") { name } }",
    "nulls that reach the top": "{ branches { strict { strict { strict { leaf { text } } } } } }",
}  # fmt: skip
VARIABLES = {
    "skip": [{"yes": True}, {"yes": False, "no": True}, {"yes": True, "no": True}, {}],
    "arguments": [{}, {"n": 3, "absent": None}, {"n": "three"}],
}


@pytest.mark.parametrize("name", DOCUMENTS)
@settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
@given(st.booleans().flatmap(trees))
def test_what_random_operations_seldom_have_gives_the_same(name: str, tree: object) -> None:
    for variables in VARIABLES.get(name, [{}]):
        theirs, ours = asyncio.run(both(DOCUMENTS[name], tree, dict(variables)))
        assert ours == theirs


def test_a_plan_answers_each_outcome_of_the_conditions_for_itself() -> None:
    parsed = parse("query ($a: Boolean!) { branch { leaf { text @skip(if: $a) ident } } }")
    plans = Plans(SCHEMA, parsed)
    assert plans.under({"a": True}) is plans.under({"a": True})
    assert plans.under({"a": True}) is not plans.under({"a": False})


def test_no_operation_keeps_more_plans_than_its_share() -> None:
    names = [f"v{number}" for number in range(6)]
    fields = " ".join(f"f{n}: __typename @skip(if: ${n})" for n in names)
    plans = Plans(
        SCHEMA, parse(f"query ({' '.join(f'${n}: Boolean!' for n in names)}) {{ {fields} }}")
    )
    for number in range(40):
        plans.under({name: bool(number >> place & 1) for place, name in enumerate(names)})
    assert len(plans._plans) == execution.MOST_PLANS
