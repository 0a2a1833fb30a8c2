"""The operation registry: parse, limits, validation and price, once per document and operation.

Keyed by the SHA-256 of the document text and bounded in entries and in tokens (a document of
2,000 tokens holds about 1.1 MB). Refusals are kept too, apart, so that a flood of bad documents
evicts no good one. Trusted documents are prepared at start and never evicted; their ids follow
the appendix "Persisted Documents" of GraphQL over HTTP: `sha256:` and 64 lower-case hex digits.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from api.graphql.cost import Cost, Price, price
from api.graphql.faults import Fault, OperationRefused, document_fault
from api.graphql.limits import Limits, count_directives, measure, over, within

_LONGEST_NAME = 128
_RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)


@dataclass(frozen=True, slots=True)
class Operation:
    """A document that passed, and the one operation in it that will be executed."""

    document: DocumentNode
    definition: OperationDefinitionNode
    document_hash: str
    tokens: int
    price: Price

    @property
    def kind(self) -> OperationType:
        return self.definition.operation

    @property
    def name(self) -> str | None:
        """The name as written in the document, a GraphQL Name."""
        return self.definition.name.value if self.definition.name else None


@dataclass(frozen=True, slots=True)
class _Preparation:
    """Parse, limits, validation and price of one operation."""

    schema: GraphQLSchema
    limits: Limits
    development: bool

    def operation(self, digest: str, text: str, operation_name: str | None) -> Operation:
        """The operation of this name. Raises OperationRefused."""
        try:
            document = parse(text, max_tokens=self.limits.tokens, allow_empty_selection_sets=False)
        except GraphQLSyntaxError as error:
            if error.description.startswith("Document contains more than"):
                raise over("tokens", self.limits.tokens) from None
            raise OperationRefused(document_fault("GRAPHQL_PARSE_FAILED", error)) from None
        definition = _select(document, operation_name)
        count_directives(document, self.limits)
        measure(document, self.limits, skip_introspection=self.development)
        errors = self._validate(document)
        if len(errors) == 1 and isinstance(errors[0], ValidationAbortedError):
            raise OperationRefused(Fault("LIMIT_EXCEEDED", "The document is too costly to check."))
        if errors:
            faults = (document_fault("GRAPHQL_VALIDATION_FAILED", error) for error in errors)
            raise OperationRefused(*faults)
        cost = price(self.schema, document, definition)
        return Operation(document, definition, digest, document.token_count, cost)

    def _validate(self, document: DocumentNode) -> list[GraphQLError]:
        return validate(
            self.schema,
            document,
            _RULES if self.development else (*_RULES, NoSchemaIntrospectionCustomRule),
            max_errors=20,
            hide_suggestions=not self.development,
        )


class OperationRegistry:
    """Operations by document hash and operation name.

    `operations` maps document ids to texts; ValueError at construction when an id is not the
    hash of its text or a text does not pass, because its client would fail at every call.
    With `trusted_only` nothing else is executed.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        *,
        operations: Mapping[str, str],
        development: bool,
        trusted_only: bool = False,
    ) -> None:
        self._preparation = _Preparation(schema, limits, development)
        self._limits = limits
        self._trusted_only = trusted_only
        self._kept: OrderedDict[tuple[str, str | None], Operation] = OrderedDict()
        self._refused: OrderedDict[tuple[str, str | None], OperationRefused] = OrderedDict()
        self._kept_tokens = 0
        self.parses = 0
        """Documents parsed since start; a repeated document adds nothing."""
        self._trusted = {key: self._trust(key, text) for key, text in operations.items()}

    def find(self, document: str, operation_name: str | None) -> Operation:
        """Return the operation to execute. Raises OperationRefused with its faults."""
        if self._trusted_only:
            message = "Only trusted documents are executed here: send a documentId."
            raise OperationRefused(Fault("TRUSTED_ONLY", message))
        encoded = document.encode()
        within("bytes", len(encoded), self._limits.document_bytes)
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
        operations = self._trusted.get(document_id)
        if operations is None:
            raise OperationRefused(
                Fault("DOCUMENT_UNKNOWN", "No document with this id is known here.")
            )
        if operation_name is None and len(operations) > 1:
            raise _name_required()
        name = next(iter(operations)) if operation_name is None else operation_name
        if name not in operations:
            raise _not_found()
        return operations[name]

    def _trust(self, document_id: str, text: str) -> dict[str | None, Operation]:
        """The operations of a trusted document by name."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        if document_id != f"sha256:{digest}":
            raise ValueError(f"the trusted document {document_id} is not the hash of its text")
        names = [
            node.name.value if node.name else None
            for node in parse(text).definitions
            if isinstance(node, OperationDefinitionNode)
        ]
        if not names:
            raise ValueError(f"the trusted document {document_id} has no operation")
        try:
            prepared = {name: self._prepare(digest, text, name) for name in names}
            for operation in prepared.values():
                Cost(operation.price.fixed, self._limits.cost).check()
            return prepared
        except OperationRefused as refused:
            raise ValueError(f"the trusted document {document_id} does not pass") from refused

    def _prepare(self, digest: str, text: str, operation_name: str | None) -> Operation:
        self.parses += 1
        return self._preparation.operation(digest, text, operation_name)

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
        raise _name_required()
    if found[0].operation is OperationType.SUBSCRIPTION:
        raise OperationRefused(
            Fault("OPERATION_TYPE_REFUSED", "Subscriptions are not served over plain HTTP.")
        )
    return found[0]


def _name_required() -> OperationRefused:
    return OperationRefused(
        Fault("OPERATION_NAME_REQUIRED", "The document has several operations: name one.")
    )


def _not_found() -> OperationRefused:
    return OperationRefused(
        Fault("OPERATION_NOT_FOUND", "The document has no operation of this name.")
    )
