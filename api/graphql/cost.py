"""What an operation may cost at most, known from its text and its page sizes before it runs.

Source: GraphQL Cost Directives, IBM specification draft. A field of an object, interface or union
weighs 1, a leaf nothing. A list multiplies what it holds: `edges` by the page size of its
connection (there as `@listSize(slicingArguments: ["first"], sizedFields: ["edges"])`), any other
list by ASSUMED_ITEMS. Ours are told by their shape, a field with the argument `first`, so no
directive can be forgotten. Fields under `@skip` and `@include` and fragments on different types
all count.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    type_from_ast,
)

from api.graphql.faults import Fault, OperationRefused

ASSUMED_ITEMS = 2
"""Entries of a list that is no page, such as the codings of a concept."""
_LARGEST = 2**53 - 1


@dataclass(frozen=True, slots=True)
class PageSize:
    """A page size that a request chooses: a variable, and what counts where it is not given."""

    variable: str
    otherwise: int

    def chosen(self, variables: Mapping[str, object]) -> int:
        """The size; what is no whole number is refused later, as a variable of a wrong type."""
        return _whole(variables.get(self.variable), self.otherwise)


@dataclass(frozen=True, slots=True)
class Price:
    """The cost of a selection: a fixed sum, and prices that a chosen page size multiplies."""

    fixed: int
    paged: tuple[tuple[PageSize, "Price"], ...] = ()

    def of(self, variables: Mapping[str, object]) -> int:
        """The cost under the variables of a request."""
        pages = ((size.chosen(variables), price.of(variables)) for size, price in self.paged)
        return self.fixed + sum(size * each for size, each in pages)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request may cost, beside the limit."""

    requested: int
    limit: int

    @classmethod
    def of(cls, price: Price, variables: Mapping[str, object], limit: int) -> "Cost":
        """The cost under the variables of a request, as far as a JSON number is exact."""
        return cls(min(price.of(variables), _LARGEST), limit)

    @property
    def extensions(self) -> dict[str, object]:
        """`cost` among the extensions of the answer."""
        return {"cost": {"requested": self.requested, "limit": self.limit}}

    def check(self) -> None:
        """Raise OperationRefused when it is over the limit."""
        if self.requested > self.limit:
            message = f"The operation costs {self.requested}, over the limit of {self.limit}."
            raise OperationRefused(Fault("LIMIT_EXCEEDED", message))


@dataclass(frozen=True, slots=True)
class _Reading:
    """The document being priced."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    defaults: Mapping[str, ValueNode | None]


def price(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> Price:
    """The price of an operation of a document that passed validation and its limits."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    definitions = operation.variable_definitions or ()
    defaults = {node.variable.name.value: node.default_value for node in definitions}
    root = schema.get_root_type(operation.operation)
    if root is None:
        return Price(0)
    reading = _Reading(schema, fragments, defaults)
    return _selected(reading, root, [operation.selection_set], ASSUMED_ITEMS)


def _selected(
    reading: _Reading,
    parent: GraphQLCompositeType,
    selections: Iterable[SelectionSetNode],
    page: int | PageSize,
) -> Price:
    """The price of what is selected on a type; `page` is the size of its `edges`."""
    parts = [
        _field(reading, kind, nodes, page)
        for kind, nodes in _merged(reading, parent, selections)
        if nodes[0].name.value not in ("__schema", "__type", "__typename")
    ]
    return _sum(parts)


def _merged(
    reading: _Reading, parent: GraphQLCompositeType, selections: Iterable[SelectionSetNode]
) -> list[tuple[GraphQLCompositeType, list[FieldNode]]]:
    """Fields by the key of the answer, as the executor merges them, with the type they are of."""
    fields: dict[tuple[str, str], tuple[GraphQLCompositeType, list[FieldNode]]] = {}
    spread: set[tuple[str, str]] = set()
    stack = [(parent, node) for node in selections]
    while stack:
        kind, selected = stack.pop()
        for node in selected.selections:
            if isinstance(node, FieldNode):
                key = kind.name, (node.alias or node.name).value
                fields.setdefault(key, (kind, []))[1].append(node)
                continue
            inner: InlineFragmentNode | FragmentDefinitionNode
            if isinstance(node, FragmentSpreadNode):
                if (kind.name, node.name.value) in spread:
                    continue
                spread.add((kind.name, node.name.value))
                inner = reading.fragments[node.name.value]
            elif isinstance(node, InlineFragmentNode):
                inner = node
            else:
                continue
            stack.append((_narrowed(reading, kind, inner), inner.selection_set))
    return list(fields.values())


def _narrowed(
    reading: _Reading,
    kind: GraphQLCompositeType,
    fragment: InlineFragmentNode | FragmentDefinitionNode,
) -> GraphQLCompositeType:
    """The type inside a fragment; an interface around an object changes nothing."""
    condition = fragment.type_condition
    narrowed = type_from_ast(reading.schema, condition) if condition is not None else kind
    if isinstance(kind, GraphQLObjectType) or not is_composite_type(narrowed):
        return kind
    return narrowed


def _field(
    reading: _Reading, parent: GraphQLCompositeType, nodes: list[FieldNode], page: int | PageSize
) -> Price:
    given = _declared(parent, nodes[0].name.value)
    if given is None:
        return Price(0)
    kind = get_named_type(given.type)
    if not is_composite_type(kind):
        return Price(0)
    inner = [node.selection_set for node in nodes if node.selection_set is not None]
    below = _selected(reading, kind, inner, _page(reading, given, nodes[0]))
    each = Price(below.fixed + 1, below.paged)
    if not _holds_list(given.type):
        return each
    return _times(page if nodes[0].name.value == "edges" else ASSUMED_ITEMS, each)


def _declared(parent: GraphQLCompositeType, name: str) -> GraphQLField | None:
    if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
        return None
    declared: dict[str, GraphQLField] = parent.fields
    return declared.get(name)


def _holds_list(kind: GraphQLOutputType) -> bool:
    return is_list_type(get_nullable_type(kind))


def _page(reading: _Reading, given: GraphQLField, node: FieldNode) -> int | PageSize:
    """The page size that a field asks for: its `first`, or what the schema says without it."""
    if "first" not in given.args:
        return ASSUMED_ITEMS
    usual = _usual(given)
    for argument in node.arguments or ():
        if argument.name.value == "first":
            return _asked(reading, argument.value, usual)
    return usual


def _usual(given: GraphQLField) -> int:
    argument = given.args["first"]
    if argument.default is None:
        return _whole(argument.default_value, ASSUMED_ITEMS)
    return _whole(argument.default.value, _literal(argument.default.literal, ASSUMED_ITEMS))


def _asked(reading: _Reading, value: ValueNode, usual: int) -> int | PageSize:
    if isinstance(value, VariableNode):
        name = value.name.value
        return PageSize(name, _literal(reading.defaults.get(name), usual))
    return _literal(value, usual)


def _literal(value: object, otherwise: int) -> int:
    return max(int(value.value), 0) if isinstance(value, IntValueNode) else otherwise


def _whole(value: object, otherwise: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return max(value, 0) if isinstance(value, int) else otherwise


def _times(size: int | PageSize, each: Price) -> Price:
    if isinstance(size, PageSize):
        return Price(0, ((size, each),))
    scaled = tuple((inner, _times(size, below)) for inner, below in each.paged)
    return Price(size * each.fixed, scaled)


def _sum(parts: Iterable[Price]) -> Price:
    parts = list(parts)
    paged = tuple(page for part in parts for page in part.paged)
    return Price(sum(part.fixed for part in parts), paged)
