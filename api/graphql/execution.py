"""Executing an operation: graphql-core runs what has a resolver, a plan completes the rest.

Most of an answer has no resolver: below a panel's rows everything is an attribute of an object
that is there already. Such a tree is completed by closures prepared once per operation, at about
a tenth of what graphql-core spends on it. They know the way without errors only: whatever is not
as it should be (a null, a wrong value, an awaitable) sends that value to graphql-core, which finds
the place and says what is wrong. So data and errors are those of graphql-core by construction.

Left to graphql-core: unions, interfaces and types with an `is_type_of` of their own, which may need
the request.
"""

import contextlib
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLEnumType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    VariableNode,
    Visitor,
    execute,
    is_leaf_type,
    visit,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import (
    CollectedFields,
    DeferUsage,
    FieldDetailsList,
    GroupedFieldSet,
)
from graphql.pyutils import AwaitableOrValue, Path
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

MOST_PLANS = 4
"""Plans kept of one operation: each outcome of its @skip and @include has one."""

Complete = Callable[[Any], Any]
"""The value for the answer. Raises anything for a value that graphql-core has to look at."""
_CONDITIONS = frozenset({"skip", "include"})
_EXACT: dict[str, type] = {"String": str, "ID": str, "Boolean": bool}


class _NotPlain(Exception):
    """A value that the plan does not complete."""


class _Never:
    """No value has this type."""


class Plan:
    """The fields of an operation under one outcome of its conditions, and what completes them.

    Lists of field nodes are keys by identity, so the plan keeps every one that it hands out.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._root: GroupedFieldSet | None = None
        self._below: dict[
            tuple[GraphQLObjectType, int], tuple[FieldDetailsList, CollectedFields]
        ] = {}
        self._completions: dict[tuple[int, int], Complete | None] = {}

    def root(self, collected: GroupedFieldSet) -> GroupedFieldSet:
        """The root fields as collected first, which are the same each time."""
        if self._root is None:
            self._root = collected
        return self._root

    def below(
        self, kind: GraphQLObjectType, fields: FieldDetailsList, collect: Callable[[], Any]
    ) -> CollectedFields:
        """The fields that are selected of an object at these fields."""
        key = (kind, id(fields))
        known = self._below.get(key)
        if known is None:
            known = self._below[key] = (fields, collect())
        return known[1]

    def completion(
        self, kind: GraphQLOutputType, fields: FieldDetailsList, executor: "PlannedExecutor"
    ) -> Complete | None:
        """What completes a value of this type at these fields; None where resolvers are below."""
        key = (id(kind), id(fields))
        if key not in self._completions:
            self._completions[key] = self._prepare(kind, fields, executor)
        return self._completions[key]

    def _prepare(
        self,
        kind: GraphQLOutputType,
        fields: FieldDetailsList,
        executor: "PlannedExecutor",
        *,
        nullable: bool = True,
    ) -> Complete | None:
        if isinstance(kind, GraphQLNonNull):
            return self._prepare(kind.of_type, fields, executor, nullable=False)
        if isinstance(kind, GraphQLList):
            item = self._prepare(kind.of_type, fields, executor)
            return None if item is None else _list(item, nullable)
        if is_leaf_type(kind):
            return _leaf(kind, nullable)
        if isinstance(kind, GraphQLObjectType) and _told_by_class(kind):
            parts = self._parts(kind, fields, executor)
            return None if parts is None else _object(parts, nullable, kind.is_type_of)
        return None

    def _parts(
        self, kind: GraphQLObjectType, fields: FieldDetailsList, executor: "PlannedExecutor"
    ) -> "list[_Part] | None":
        parts = []
        selected = executor.collect_subfields(kind, fields).grouped_field_set
        for key, below in selected.items():
            part = self._part(kind, key, below, executor)
            if part is None:
                return None
            parts.append(part)
        return parts

    def _part(
        self,
        kind: GraphQLObjectType,
        key: str,
        fields: FieldDetailsList,
        executor: "PlannedExecutor",
    ) -> "_Part | None":
        name = fields[0].node.name.value
        if name == "__typename":
            # Every object has a class, and what completes it says the type's name instead.
            return key, "__class__", _Never, lambda _: kind.name
        definition = self._schema.get_field(kind, name)
        attribute = None if definition is None else _attribute(definition)
        if definition is None or attribute is None:
            return None
        complete = self._prepare(definition.type, fields, executor)
        if complete is None:
            return None
        leaf = definition.type
        named = leaf.of_type if isinstance(leaf, GraphQLNonNull) else leaf
        exact = _EXACT.get(getattr(named, "name", ""), _Never)
        return key, attribute, exact, complete


_Part = tuple[str, str, type, Complete]
"""Response name, Python attribute, the type whose values stand as they are, and for others what
completes them."""


def _told_by_class(kind: GraphQLObjectType) -> bool:
    """Whether an object's class alone says that it is of this type, as strawberry asks it."""
    definition = kind.extensions.get("strawberry-definition")
    own = isinstance(definition, StrawberryObjectDefinition) and definition.is_type_of is None
    return kind.is_type_of is None or own


def _attribute(definition: GraphQLField) -> str | None:
    """The attribute that a field shows; None for a field with a resolver."""
    stated = definition.extensions.get("strawberry-definition")
    if not isinstance(stated, StrawberryField) or definition.args:
        return None
    plain = stated.is_basic_field and stated.default_resolver is getattr
    return stated.python_name if plain else None


def _object(
    parts: "list[_Part]", nullable: bool, is_type_of: Callable[..., Any] | None
) -> Complete:
    plain: set[type] = set()

    def is_there(source: Any) -> bool:
        if source is None and nullable:
            return False
        if source is None or isinstance(source, Exception) or hasattr(source, "__await__"):
            raise _NotPlain
        plain.add(type(source))
        return True

    # Half of all objects are a code or a time of which the text alone is asked for.
    if len(parts) == 1 and is_type_of is None:
        [(key, attribute, exact, finish)] = parts
        take = attrgetter(attribute)

        def complete_one(source: Any) -> dict[str, Any] | None:
            if type(source) not in plain and not is_there(source):
                return None
            value = take(source)
            return {key: value if type(value) is exact else finish(value)}

        return complete_one

    taken = _taken([attribute for _, attribute, _, _ in parts])
    shown = [(key, exact, finish) for key, _, exact, finish in parts]

    def complete(source: Any) -> dict[str, Any] | None:
        if type(source) not in plain and not is_there(source):
            return None
        if is_type_of is not None and not is_type_of(source, None):
            raise _NotPlain
        return {
            key: value if type(value) is exact else finish(value)
            for (key, exact, finish), value in zip(shown, taken(source), strict=False)
        }

    return complete


def _taken(attributes: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """The values of these attributes, in order."""
    if len(attributes) > 1:
        return attrgetter(*attributes)
    return lambda source: tuple(getattr(source, attribute) for attribute in attributes)


def _list(item: Complete, nullable: bool) -> Complete:
    def complete(source: Any) -> list[Any] | None:
        if type(source) is list or type(source) is tuple:
            return [item(value) for value in source]
        if source is None and nullable:
            return None
        raise _NotPlain

    return complete


def _leaf(kind: GraphQLLeafType, nullable: bool) -> Complete:
    coerce = kind.coerce_output_value
    known: dict[Any, Any] = {}
    few = isinstance(kind, GraphQLEnumType)

    def complete(value: Any) -> Any:
        if value is None and nullable:
            return None
        if few and value in known:
            return known[value]
        # A scalar may take anything for its text, also what is to be awaited.
        if value is None or isinstance(value, Exception) or hasattr(value, "__await__"):
            raise _NotPlain
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise _NotPlain
        if few:
            known[value] = coerced
        return coerced

    return complete


class Plans:
    """The plans of one operation, one for each outcome of its @skip and @include."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        conditions = _Conditions()
        visit(document, conditions)
        self._schema = schema
        self._names = tuple(sorted(conditions.variables))
        self._plans: dict[tuple[object, ...], Plan] = {}

    def under(self, variables: dict[str, Any]) -> Plan:
        """The plan for these coerced variables."""
        outcome = tuple(variables.get(name) for name in self._names)
        plan = self._plans.get(outcome)
        if plan is None:
            plan = Plan(self._schema)
            if len(self._plans) < MOST_PLANS:
                self._plans[outcome] = plan
        return plan


class _Conditions(Visitor):
    """The variables that @skip and @include look at."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()

    def enter_directive(self, node: Any, *_: object) -> None:
        if node.name.value in _CONDITIONS:
            given = (argument.value for argument in node.arguments)
            self.variables.update(v.name.value for v in given if isinstance(v, VariableNode))


class PlannedExecutor(Executor[None]):
    """graphql-core's executor, with the plan's completions tried first."""

    def __init__(self, *arguments: Any, plans: Plans, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._plan = plans.under(self.variable_values.coerced)

    def execute_collected_root_fields(
        self,
        root_type: GraphQLObjectType,
        root_value: Any,
        grouped_field_set: GroupedFieldSet,
        serially: bool,
        new_defer_usages: Sequence[DeferUsage],
    ) -> AwaitableOrValue[dict[str, Any]]:
        """As graphql-core does, with the plan's own lists of fields."""
        known = self._plan.root(grouped_field_set)
        return super().execute_collected_root_fields(
            root_type, root_value, known, serially, new_defer_usages
        )

    def collect_subfields(
        self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList
    ) -> CollectedFields:
        """Collected once per plan instead of once per request."""
        collect = super().collect_subfields
        return self._plan.below(
            return_type, field_details_list, lambda: collect(return_type, field_details_list)
        )

    def complete_value(
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: None,
    ) -> AwaitableOrValue[Any]:
        """By the plan where it can, else by graphql-core."""
        complete = self._plan.completion(return_type, field_details_list, self)
        if complete is not None:
            with contextlib.suppress(Exception):
                return complete(result)
        return super().complete_value(
            return_type, field_details_list, info, path, result, position_context
        )


async def run(
    schema: GraphQLSchema,
    document: DocumentNode,
    definition: OperationDefinitionNode,
    plans: Plans,
    context: object,
    variables: dict[str, Any],
) -> ExecutionResult:
    """The result of an operation that was validated; faults of variables have no path."""
    outcome = execute(
        schema,
        document,
        context_value=context,
        variable_values=variables,
        operation_name=definition.name.value if definition.name else None,
        max_coercion_errors=1,
        executor_class=PlannedExecutor,
        hide_suggestions=True,
        plans=plans,
    )
    return outcome if isinstance(outcome, ExecutionResult) else await outcome
