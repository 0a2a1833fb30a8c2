"""What one request may be, and the counting of a document: depth, aliases, selections, directives.

The price of an operation is counted in `cost`; what HTTP may carry, in `request`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Visitor,
    visit,
)

from api.graphql.faults import Fault, OperationRefused

_INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost, and how much the registry may hold.

    The first five are counted over all operations of a document.
    """

    depth: int = 12
    aliases: int = 30
    """After fragments are expanded, as are depth, selections and repeats."""
    selections: int = 1_000
    repeats: int = 30
    """Fields merged at one place of the answer: validation compares each pair of them."""
    directives: int = 50
    tokens: int = 2_000
    cost: int = 6_000
    """Of one operation (`api.graphql.cost`): every panel of a record with 50 entries and all that
    our own client shows of them passes, and none of two pages of 100 inside one another."""
    document_bytes: int = 64 * 1024
    body_bytes: int = 1024 * 1024
    query_string_bytes: int = 8 * 1024
    seconds: float = 10.0
    """For opening the context, and again for waiting, executing and settling together."""
    cached_operations: int = 1_024
    cached_tokens: int = 100_000
    cached_refusals: int = 1_024


def measure(document: DocumentNode, limits: Limits, *, skip_introspection: bool) -> None:
    """Refuse a document over the limits; a fragment counts at each place that spreads it.

    All operations count together, as all are validated. Walks with a stack and stops at the
    first excess, so cyclic or doubling fragments cost no more than `selections` steps.
    """
    definitions = document.definitions
    operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
    fragments = {
        node.name.value: node.selection_set
        for node in definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    unused = set(fragments)
    places: Counter[tuple[str, ...]] = Counter()
    stack: list[tuple[SelectionSetNode, tuple[str, ...]]] = [
        (node.selection_set, (str(index),)) for index, node in enumerate(operations)
    ]
    aliases = selections = 0
    while stack:
        selection_set, place = stack.pop()
        within("depth", len(place), limits.depth)
        for node in selection_set.selections:
            selections += 1
            within("selections", selections, limits.selections)
            inner, below = _inner(node, fragments, skip_introspection), place
            if isinstance(node, FragmentSpreadNode):
                unused.discard(node.name.value)
            elif isinstance(node, FieldNode):
                aliases += node.alias is not None
                within("aliases", aliases, limits.aliases)
                below = (*place, (node.alias or node.name).value)
                places[below] += 1
                within("repeats", places[below], limits.repeats)
            if inner is not None:
                stack.append((inner, below))
    if unused and not skip_introspection:
        # Validation would say so too, but only after comparing all that is in them.
        message = f"Fragment '{min(unused)}' is never used."
        raise OperationRefused(Fault("GRAPHQL_VALIDATION_FAILED", message))


def _inner(
    node: SelectionNode, fragments: Mapping[str, SelectionSetNode], skip_introspection: bool
) -> SelectionSetNode | None:
    if isinstance(node, FragmentSpreadNode):
        return fragments.get(node.name.value)
    if isinstance(node, FieldNode):
        skipped = skip_introspection and node.name.value in _INTROSPECTION
        return None if skipped else node.selection_set
    return node.selection_set if isinstance(node, InlineFragmentNode) else None


class _Directives(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def enter_directive(self, *_: object) -> None:
        self.count += 1


def count_directives(document: DocumentNode, limits: Limits) -> None:
    directives = _Directives()
    visit(document, directives)
    within("directives", directives.count, limits.directives)


def within(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise over(what, limit)


def over(what: str, limit: int) -> OperationRefused:
    message = f"The operation is over the limit of {limit} for {what}."
    return OperationRefused(Fault("LIMIT_EXCEEDED", message))
