"""Cases of schemathesis, with ids, cursors and keys of real people planted in them."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import schemathesis
from graphql import (
    ArgumentNode,
    FieldNode,
    IntValueNode,
    Node,
    NullValueNode,
    ObjectFieldNode,
    OperationDefinitionNode,
    StringValueNode,
    Visitor,
    parse,
    visit,
)
from graphql.language import print_ast
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.fuzz.canaries import SENT

STAFF = ("nora",)
MAY = {
    "me": ("canary", "rosa"),
    "record": ("canary", "rosa"),
    "history": ("canary", "nora"),
    "worklist": ("adeyemi",),
    **dict.fromkeys(("recordAsOf", "reachedBy", "auditTrail"), ("priya",)),
    **dict.fromkeys(("grantProxyAccess", "withdrawProxyAccess"), ("rosa", "omar")),
}
"""Who may ask for a root field; half of those who mean it are such people."""
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request: who sends it, what, and the position that it gives."""

    person: str | None
    document: str
    position: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """Values that mean something to the house, by the argument that takes them.

    `charts` are those that somebody may open.
    """

    values: Mapping[str, Sequence[str]]
    positions: Sequence[str]
    charts: Mapping[str | None, Sequence[str]]

    def planted(self, document: str, chance: random.Random) -> str:
        """The document with three of four such arguments replaced."""
        return print_ast(visit(parse(document), _Planting(self.values, chance)))

    def sensible(self, document: str, chance: random.Random, person: str | None) -> str:
        """The same for somebody who means it: small pages, mostly the first, of open charts."""
        own = self.charts.get(person)
        values = {**self.values, "chart": own} if own and chance.random() < 0.75 else self.values
        return print_ast(visit(parse(document), _Sensible(values, chance)))


class _Planting(Visitor):
    def __init__(self, values: Mapping[str, Sequence[str]], chance: random.Random) -> None:
        super().__init__()
        self._values = values
        self._chance = chance

    def leave_argument(self, node: ArgumentNode, *_: object) -> Node | None:
        """An argument of a field."""
        return self._replaced(node)

    def leave_object_field(self, node: ObjectFieldNode, *_: object) -> Node | None:
        """A field of an input."""
        return self._replaced(node)

    def _replaced(self, node: Any) -> Node | None:
        known = self._values.get(node.name.value)
        if known is None or self._chance.random() < 0.25:
            return None
        return _with(node, StringValueNode(value=self._chance.choice(known), block=False))


class _Sensible(_Planting):
    def _replaced(self, node: Any) -> Node | None:
        if node.name.value == "first":
            return _with(node, IntValueNode(value=str(self._chance.randint(1, 20))))
        if node.name.value == "after" and self._chance.random() < 0.75:
            return _with(node, NullValueNode())
        return super()._replaced(node)


def _with(node: Any, value: Node) -> Node:
    replaced: Node = type(node)(name=node.name, value=value)
    return replaced


def operations(schema: Any) -> Iterator[tuple[Any, GenerationMode]]:
    """Every root field in both modes."""
    for found in schema.get_all_operations():
        for mode in MODES:
            yield found.ok(), mode


def cases(
    operation: Any, mode: GenerationMode, people: Sequence[str | None], seeds: Seeds
) -> st.SearchStrategy[Case]:
    """Requests of one root field by anybody."""

    def made(body: str, number: int) -> Case:
        # Hypothesis prefers the first of several: here everybody is as likely as everybody else.
        chance = random.Random(number)
        person = chance.choice(people)
        if mode is GenerationMode.POSITIVE and chance.random() < 0.5:
            person = chance.choice(MAY.get(_root(body), STAFF))
        if mode is GenerationMode.POSITIVE:
            document = seeds.sensible(body, chance, person)
            position = chance.choice((None,) * 8 + tuple(seeds.positions))
        else:
            document = seeds.planted(body, chance)
            position = chance.choice((None, None, *seeds.positions))
        return Case(person=person, document=document, position=position)

    bodies = operation.as_strategy(generation_mode=mode).map(lambda case: case.body)
    return st.builds(made, bodies, st.integers(0, 2**32))


def _root(body: str) -> str:
    """The first root field of a document."""
    (definition,) = parse(body).definitions
    assert isinstance(definition, OperationDefinitionNode)
    field = definition.selection_set.selections[0]
    return field.name.value if isinstance(field, FieldNode) else ""


def schema_of(url: str, token: str) -> Any:
    """The schema as the server tells it."""
    headers = {"authorization": f"Bearer {token}"}
    return schemathesis.graphql.from_url(url, headers=headers)


SENT_KEYS = (SENT, f"{SENT}-again", "")
