"""What an error may say: faults without values, and the log line of a bug.

A message of graphql-core may echo what was sent or stored ("Int cannot represent non-integer
value: ..."), which is health information. Names and types of the schema are kept, values never.
"""

import contextlib
import re
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog
from graphql import (
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLSyntaxError,
    Node,
    VariableDefinitionNode,
    is_input_type,
    type_from_ast,
)
from graphql.utilities import validate_input_value
from strawberry.exceptions import StrawberryInputCoercionError

from domain.kernel.refusal import Refusal

_log = structlog.get_logger("anamnesis.graphql")

MASKED = "Something went wrong. Quote this id to support."
_MOST_FAULTS = 20
_MOST_FRAMES = 20
# Rules that report at these nodes speak of names and types; others may quote a literal.
_NAMING_NODES = frozenset(
    {
        "argument",
        "directive",
        "field",
        "fragment_definition",
        "fragment_spread",
        "inline_fragment",
        "name",
        "named_type",
        "operation_definition",
        "variable",
        "variable_definition",
    }
)
_SYNTAX = re.compile(
    r"Document is nested too deeply\. Parsing aborted\.$"
    r"|(?:Expected (?:Name|'[^']{1,3}'|<EOF>), found|Unexpected) "
    r"(?:Name|String|BlockString|Int|Float|Comment|<EOF>|'[^'\w]{1,3}'$)"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of `errors`: a permanent code, a sentence, and where; never a value."""

    code: str
    message: str
    retryable: bool = False
    path: tuple[str | int, ...] | None = None
    locations: tuple[tuple[int, int], ...] = ()

    def entry(self, correlation: str) -> dict[str, object]:
        """The JSON object of GraphQL section 7.1.2, lines and columns counted from 1."""
        entry: dict[str, object] = {"message": self.message}
        if self.locations:
            entry["locations"] = [{"line": line, "column": col} for line, col in self.locations]
        if self.path is not None:
            entry["path"] = self.path
        entry["extensions"] = {
            "code": self.code,
            "retryable": self.retryable,
            "correlationId": correlation,
        }
        return entry


class OperationRefused(Exception):
    """A well-formed request whose operation is not executed (a GraphQL request error)."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults[0].code)
        self.faults = faults

    def again(self) -> "OperationRefused":
        """The same refusal without the traceback, so that a kept one does not grow."""
        return OperationRefused(*self.faults)


def document_fault(code: str, error: GraphQLError) -> Fault:
    """A parse or validation error without the literals of the document."""
    if isinstance(error, GraphQLSyntaxError):
        known = _SYNTAX.match(error.description)
        message = f"Syntax Error: {known.group()}" if known else "Syntax Error."
    elif error.nodes and all(node.kind in _NAMING_NODES for node in error.nodes):
        message = error.message
    else:
        # Also errors of custom scalars, which come without a node.
        message = "A literal is not a value of the type expected."
    return Fault(code, message, locations=_locations(error))


def variable_faults(
    schema: GraphQLSchema,
    definitions: Iterable[VariableDefinitionNode],
    variables: Mapping[str, object],
) -> tuple[Fault, ...]:
    """Say for each variable that could not be coerced where it is wrong and what was expected."""
    faults: list[Fault] = []
    for definition in definitions:
        name = definition.variable.name.value
        expected = type_from_ast(schema, definition.type)
        if not is_input_type(expected):
            continue
        if name not in variables:
            if isinstance(expected, GraphQLNonNull) and definition.default_value is None:
                faults.append(_variable_fault(definition, expected, (), None))
            continue
        value = variables[name]
        places = _wrong_places(value, expected)
        faults.extend(_variable_fault(definition, expected, at, value) for at in places)
    if not faults:
        faults.append(Fault("VARIABLE_INVALID", "A variable is not of its declared type."))
    return tuple(faults[:_MOST_FAULTS])


class _Enough(Exception):
    """More places would only cost time."""


def _wrong_places(value: object, expected: GraphQLInputType) -> list[tuple[str | int, ...]]:
    places: dict[tuple[str | int, ...], None] = {}

    def remember(_: GraphQLError, at: list[str | int]) -> None:
        places[tuple(at)] = None
        if len(places) == _MOST_FAULTS:
            raise _Enough

    with contextlib.suppress(_Enough):
        validate_input_value(value, expected, remember, hide_suggestions=True)
    return list(places)


def _variable_fault(
    definition: VariableDefinitionNode,
    expected: GraphQLInputType,
    at: Iterable[str | int],
    value: object,
) -> Fault:
    place = f"${definition.variable.name.value}"
    for step in at:
        expected, value, shown = _descend(expected, value, step)
        place += shown
    message = f"Variable '{place}': expected a value of type '{expected}'."
    bare = expected.of_type if isinstance(expected, GraphQLNonNull) else expected
    if isinstance(bare, GraphQLInputObjectType) and isinstance(value, dict):
        required = [
            name
            for name, field in bare.fields.items()
            if isinstance(field.type, GraphQLNonNull) and name not in value
        ]
        missing = ", ".join(f"'{name}'" for name in required)
        message += f" Missing: {missing}." if missing else " It has a field unknown to the type."
    return Fault("VARIABLE_INVALID", message, locations=_locations_of(definition))


def _descend(
    expected: GraphQLInputType, value: object, step: str | int
) -> tuple[GraphQLInputType, object, str]:
    bare = expected.of_type if isinstance(expected, GraphQLNonNull) else expected
    if isinstance(bare, GraphQLList) and isinstance(step, int):
        inner = value[step] if isinstance(value, list) and step < len(value) else value
        return bare.of_type, inner, f"[{step}]"
    if isinstance(bare, GraphQLInputObjectType) and step in bare.fields:
        inner = value.get(step) if isinstance(value, dict) else None
        return bare.fields[str(step)].type, inner, f".{step}"
    return expected, None, ""


def field_fault(error: GraphQLError) -> tuple[Fault, Exception | None]:
    """The fault of a field error, and the exception to log when it is a bug."""
    cause = cause_of(error)
    path = tuple(error.path) if error.path is not None else None
    locations = _locations(error)
    if isinstance(cause, Refusal):
        return Fault(cause.code, cause.message, cause.retryable, path, locations), None
    if isinstance(cause, StrawberryInputCoercionError):
        message = "An argument of this field is not of its declared type."
        return Fault("ARGUMENT_INVALID", message, False, path, locations), None
    return Fault("INTERNAL", MASKED, False, path, locations), cause


def cause_of(error: GraphQLError) -> Exception:
    """The innermost exception that graphql-core wrapped."""
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def log_bug(
    cause: BaseException,
    correlation: str,
    operation: str | None = None,
    document_hash: str | None = None,
) -> None:
    """Log the class and the place of a bug; its message and its values stay out."""
    frames = [
        f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}:{line}"
        for frame, line in traceback.walk_tb(cause.__traceback__)
    ]
    _log.error(
        "graphql.bug",
        error_class=type(cause).__qualname__,
        correlation=correlation,
        operation=operation,
        document_hash=document_hash,
        trace=frames[-_MOST_FRAMES:],
    )


def _locations(error: GraphQLError) -> tuple[tuple[int, int], ...]:
    return tuple((place.line, place.column) for place in error.locations or ())


def _locations_of(node: Node) -> tuple[tuple[int, int], ...]:
    if node.loc is None:
        return ()
    place = node.loc.source.get_location(node.loc.start)
    return ((place.line, place.column),)
