"""Cases of schemathesis, with ids, cursors and keys of real people planted in them."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import schemathesis
from graphql import ArgumentNode, Node, ObjectFieldNode, StringValueNode, Visitor, parse, visit
from graphql.language import print_ast
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.fuzz.canaries import SENT

MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request: who sends it, what, and the position that it gives."""

    person: str | None
    document: str
    position: str | None


@dataclass(frozen=True, slots=True)
class Seeds:
    """Values that mean something to the house, by the argument that takes them."""

    values: Mapping[str, Sequence[str]]
    positions: Sequence[str]

    def planted(self, document: str, chance: random.Random) -> str:
        """The document with three of four such arguments replaced."""
        return print_ast(visit(parse(document), _Planting(self.values, chance)))


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
        value = StringValueNode(value=self._chance.choice(known), block=False)
        return type(node)(name=node.name, value=value)


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
        chance = random.Random(number)  # noqa: S311
        return Case(
            person=chance.choice(people),
            document=seeds.planted(body, chance),
            position=chance.choice((None, None, *seeds.positions)),
        )

    bodies = operation.as_strategy(generation_mode=mode).map(lambda case: case.body)
    return st.builds(made, bodies, st.integers(0, 2**32))


def schema_of(url: str, token: str) -> Any:
    """The schema as the server tells it."""
    headers = {"authorization": f"Bearer {token}"}
    return schemathesis.graphql.from_url(url, headers=headers)


SENT_KEYS = (SENT, f"{SENT}-again", "")
