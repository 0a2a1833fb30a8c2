"""The operation registry: parse, limits and validation, once per document and operation name.

Keyed by the SHA-256 of the document text and bounded in entries and in tokens (a document of
2,000 tokens holds about 1.1 MB). Refusals are kept too, apart, so that a flood of bad documents
evicts no good one. Trusted documents are prepared at start and never evicted; their ids follow
the appendix "Persisted Documents" of GraphQL over HTTP: `sha256:` and 64 lower-case hex digits.
"""

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from api.graphql.execution import Plans
from api.graphql.faults import Fault, OperationRefused, document_fault

_LONGEST_NAME = 128
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
    document_bytes: int = 64 * 1024
    body_bytes: int = 1024 * 1024
    query_string_bytes: int = 8 * 1024
    seconds: float = 10.0
    """For opening the context, and again for waiting, executing and settling together."""
    cached_operations: int = 1_024
    cached_tokens: int = 100_000
    cached_refusals: int = 1_024


@dataclass(frozen=True, slots=True)
class Operation:
    """A document that passed, and the one operation in it that will be executed."""

    document: DocumentNode
    definition: OperationDefinitionNode
    document_hash: str
    tokens: int
    plans: Plans = field(repr=False, compare=False)

    @property
    def kind(self) -> OperationType:
        return self.definition.operation

    @property
    def name(self) -> str | None:
        """The name as written in the document, a GraphQL Name."""
        return self.definition.name.value if self.definition.name else None


class OperationRegistry:
    """Operations by document hash and operation name.

    `operations` maps document ids to texts; ValueError at construction when an id is not the
    hash of its text or a text does not pass, because its client would fail at every call.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        *,
        operations: Mapping[str, str],
        development: bool,
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._development = development
        self._rules = (
            *specified_rules,
            MaybeNullValidationRule,
            OneOfInputValidationRule,
            *(() if development else (NoSchemaIntrospectionCustomRule,)),
        )
        self._kept: OrderedDict[tuple[str, str | None], Operation] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str | None], OperationRefused] = OrderedDict()
        self._kept_tokens = 0
        self.parses = 0
        """Documents parsed since start; a repeated document adds nothing."""
        self._trusted = {key: self._trust(key, text) for key, text in operations.items()}

    def find(self, document: str, operation_name: str | None) -> Operation:
        """Return the operation to execute. Raises OperationRefused with its faults."""
        encoded = document.encode()
        _within("bytes", len(encoded), self._limits.document_bytes)
        if operation_name is not None and len(operation_name) > _LONGEST_NAME:
            raise _not_found()
        key = (hashlib.sha256(encoded).hexdigest(), operation_name)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key in self._refused:
            self._refused.move_to_end(key)
            raise self._refused[key].again()
        return self._admit(key, document)

    def trusted(self, document_id: str, operation_name: str | None) -> Operation:
        """Return the operation of a preloaded document. Raises OperationRefused."""
        prepared = self._trusted.get(document_id)
        if prepared is None:
            raise OperationRefused(
                Fault("DOCUMENT_UNKNOWN", "No document with this id is known here.")
            )
        first = next(iter(prepared.values()))
        definition = _select(first.document, operation_name)
        return prepared[definition.name.value if definition.name else None]

    def _trust(self, document_id: str, text: str) -> dict[str | None, Operation]:
        digest = hashlib.sha256(text.encode()).hexdigest()
        if document_id != f"sha256:{digest}":
            raise ValueError(f"the trusted document {document_id} is not the hash of its text")
        names = [
            node.name.value if node.name else None
            for node in parse(text).definitions
            if isinstance(node, OperationDefinitionNode)
        ]
        try:
            prepared = {name: self._prepare(digest, text, name) for name in names}
        except OperationRefused as refused:
            raise ValueError(f"the trusted document {document_id} does not pass") from refused
        if not prepared:
            raise ValueError(f"the trusted document {document_id} has no operation")
        return prepared

    def _admit(self, key: tuple[str, str | None], document: str) -> Operation:
        try:
            operation = self._prepare(key[0], document, key[1])
        except OperationRefused as refused:
            self._refused[key] = refused
            if len(self._refused) > self._limits.cached_refusals:
                self._refused.popitem(last=False)
            raise refused.again() from None
        self._kept[key] = operation
        self._kept_tokens += operation.tokens
        while (
            len(self._kept) > self._limits.cached_operations
            or self._kept_tokens > self._limits.cached_tokens
        ):
            _, evicted = self._kept.popitem(last=False)
            self._kept_tokens -= evicted.tokens
        return operation

    def _prepare(self, digest: str, text: str, operation_name: str | None) -> Operation:
        self.parses += 1
        try:
            document = parse(text, max_tokens=self._limits.tokens, allow_empty_selection_sets=False)
        except GraphQLSyntaxError as error:
            if error.description.startswith("Document contains more than"):
                raise _over("tokens", self._limits.tokens) from None
            raise OperationRefused(document_fault("GRAPHQL_PARSE_FAILED", error)) from None
        definition = _select(document, operation_name)
        _count_directives(document, self._limits)
        _measure(document, self._limits, skip_introspection=self._development)
        errors = self._validate(document)
        if len(errors) == 1 and isinstance(errors[0], ValidationAbortedError):
            raise OperationRefused(Fault("LIMIT_EXCEEDED", "The document is too costly to check."))
        if errors:
            faults = (document_fault("GRAPHQL_VALIDATION_FAILED", error) for error in errors)
            raise OperationRefused(*faults)
        plans = Plans(self._schema, document)
        return Operation(document, definition, digest, document.token_count, plans)

    def _validate(self, document: DocumentNode) -> list[GraphQLError]:
        return validate(
            self._schema,
            document,
            self._rules,
            max_errors=20,
            hide_suggestions=not self._development,
        )


def _select(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """GetOperation of the GraphQL specification, section 6.1."""
    found = [
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
        and (name is None or (node.name is not None and node.name.value == name))
    ]
    if not found:
        raise _not_found()
    if name is None and len(found) > 1:
        raise OperationRefused(
            Fault("OPERATION_NAME_REQUIRED", "The document has several operations: name one.")
        )
    if found[0].operation is OperationType.SUBSCRIPTION:
        raise OperationRefused(
            Fault("OPERATION_TYPE_REFUSED", "Subscriptions are not served over plain HTTP.")
        )
    return found[0]


def _measure(document: DocumentNode, limits: Limits, *, skip_introspection: bool) -> None:
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
        _within("depth", len(place), limits.depth)
        for node in selection_set.selections:
            selections += 1
            _within("selections", selections, limits.selections)
            inner, below = _inner(node, fragments, skip_introspection), place
            if isinstance(node, FragmentSpreadNode):
                unused.discard(node.name.value)
            elif isinstance(node, FieldNode):
                aliases += node.alias is not None
                _within("aliases", aliases, limits.aliases)
                below = (*place, (node.alias or node.name).value)
                places[below] += 1
                _within("repeats", places[below], limits.repeats)
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


def _count_directives(document: DocumentNode, limits: Limits) -> None:
    directives = _Directives()
    visit(document, directives)
    _within("directives", directives.count, limits.directives)


def _within(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise _over(what, limit)


def _over(what: str, limit: int) -> OperationRefused:
    message = f"The operation is over the limit of {limit} for {what}."
    return OperationRefused(Fault("LIMIT_EXCEEDED", message))


def _not_found() -> OperationRefused:
    return OperationRefused(
        Fault("OPERATION_NOT_FOUND", "The document has no operation of this name.")
    )
