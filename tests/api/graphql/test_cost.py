"""What an operation costs: objects weigh one, a page multiplies, and the variables decide."""

import pytest
from graphql import OperationDefinitionNode, build_schema, parse, validate

from api.graphql.cost import Cost, Price, price
from api.graphql.faults import OperationRefused

SCHEMA = build_schema("""
type Query { node: Thing  things(first: Int! = 20, after: String): ThingConnection  any: Either }
type ThingConnection { edges: [ThingEdge!]!  pageInfo: PageInfo! }
type ThingEdge { cursor: String!  node: Thing! }
type PageInfo { hasNextPage: Boolean! }
interface Named { name: String  friend: Thing }
type Thing implements Named {
  name: String  friend: Thing  parts: [Part!]!  tags: [String!]!
  things(first: Int = 10): ThingConnection!  all(first: Int): ThingConnection
}
type Part { name: String  whole: Thing }
type Stone implements Named { name: String  friend: Thing  weight: Int }
union Either = Thing | Stone
""")
PAGE = "{ edges { cursor node { name } } pageInfo { hasNextPage } }"


def priced(document: str) -> Price:
    parsed = parse(document)
    assert validate(SCHEMA, parsed) == []
    operation = parsed.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return price(SCHEMA, parsed, operation)


def cost(document: str, **variables: object) -> int:
    return priced(document).of(variables)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{ __typename }", 0),
        ("{ node { name tags } }", 1),
        ("{ node { friend { friend { name } } } }", 3),
        ("{ a: node { name } b: node { name } }", 2),
        ("{ node { name } node { friend { name } } }", 2),
        ("{ node { parts { name } } }", 1 + 2),
        ("{ node { parts { whole { parts { name } } } } }", 1 + 2 * (1 + 1 + 2)),
        (f"{{ things {PAGE} }}", 1 + 20 * 2 + 1),
        (f"{{ things(first: 7) {PAGE} }}", 1 + 7 * 2 + 1),
        (f"{{ node {{ things {PAGE} all {PAGE} }} }}", 1 + (1 + 10 * 2 + 1) + (1 + 2 * 2 + 1)),
        ("{ things(first: 3) { edges { node { parts { name } } } } }", 1 + 3 * (1 + 1 + 2)),
        ("{ things(first: -3) { edges { cursor } } }", 1),
        ("{ any { ... on Thing { friend { name } } ... on Stone { weight } } }", 2),
        ("{ any { ... on Named { friend { name } ... on Thing { parts { name } } } } }", 4),
        ("{ node { ...F ...F friend { ...F } } } fragment F on Named { friend { name } }", 3),
        ("{ __schema { types { name fields { name } } } }", 0),
    ],
)
def test_the_cost_of_a_document(document: str, expected: int) -> None:
    assert cost(document) == expected


def test_pages_inside_one_another_multiply() -> None:
    inner = "{ edges { node { name } } }"
    for _ in range(3):
        inner = f"{{ edges {{ node {{ all(first: 100) {inner} }} }} }}"
    assert cost(f"{{ things(first: 100) {inner} }}") > 2 * 100**4


@pytest.mark.parametrize(
    ("variables", "size"),
    [
        ({"n": 50}, 50),
        ({"n": 50.0}, 50),
        ({}, 30),
        ({"n": None}, 30),
        ({"n": "fifty"}, 30),
        ({"n": [50]}, 30),
        ({"n": -1}, 0),
    ],
)
def test_a_page_size_comes_from_the_variables_or_their_default(
    variables: dict[str, object], size: int
) -> None:
    document = f"query Q($n: Int! = 30) {{ things(first: $n) {PAGE} }}"
    assert cost(document, **variables) == 1 + size * 2 + 1


@pytest.mark.parametrize("size", [2**62, 1e300, 2**31 - 1])
def test_a_cost_beyond_all_bounds_is_told_as_the_largest_exact_number(size: float) -> None:
    document = """query Q($n: Int!) {
      things(first: $n) { edges { node { all(first: $n) { edges { node { name } } } } } } }"""
    told = Cost.of(priced(document), {"n": size}, 100)
    assert told.extensions == {"cost": {"requested": 2**53 - 1, "limit": 100}}
    with pytest.raises(OperationRefused, match="LIMIT_EXCEEDED"):
        told.check()


def test_without_a_default_of_the_variable_the_argument_has_its_own() -> None:
    document = f"query Q($n: Int) {{ node {{ things(first: $n) {PAGE} }} }}"
    assert cost(document) == 1 + 1 + 10 * 2 + 1
    assert cost(document, n=4) == 1 + 1 + 4 * 2 + 1


def test_one_variable_may_size_pages_inside_pages() -> None:
    document = """query Q($n: Int! = 1) {
      things(first: $n) { edges { node { all(first: $n) { edges { node { name } } } } } } }"""
    assert cost(document, n=3) == 1 + 3 * (1 + 1 + 1 + 3 * 2)
