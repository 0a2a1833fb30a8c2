"""Resolvers that are called as they are written.

strawberry converts arguments and wraps each call for extensions and permission classes. A field
that has none of that, and only arguments that graphql-core has converted already, is resolved by
its function at once; all others stay as strawberry made them.
"""

from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
)
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

_PLAIN = (GraphQLBoolean, GraphQLFloat, GraphQLID, GraphQLInt, GraphQLString)
Resolve = Callable[..., Awaitable[Any]]


def resolve_directly(schema: GraphQLSchema) -> None:
    """Let every field of the schema that can be resolved directly be so."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType):
            for field in kind.fields.values():
                direct = _direct(field)
                if direct is not None:
                    field.resolve = direct


def _direct(field: GraphQLField) -> Resolve | None:
    stated = field.extensions.get("strawberry-definition")
    if not isinstance(stated, StrawberryField) or stated.base_resolver is None:
        return None
    resolver = stated.base_resolver
    function = resolver.wrapped_func
    others = (resolver.root_parameter, resolver.parent_parameter)
    if stated.extensions or not resolver.is_async or any(one is not None for one in others):
        return None
    if not isinstance(function, FunctionType) or resolver.self_parameter is None:
        return None
    if not all(map(_is_plain, field.args.values())):
        return None
    for argument in field.args.values():
        argument.out_name = argument.extensions["strawberry-definition"].python_name
    named = resolver.info_parameter
    return _alone(function) if named is None else _informed(function, named.name, stated)


def _is_plain(argument: GraphQLArgument) -> bool:
    """Whether graphql-core's value is what the function takes."""
    stated = argument.extensions.get("strawberry-definition")
    kind = argument.type.of_type if isinstance(argument.type, GraphQLNonNull) else argument.type
    return isinstance(stated, StrawberryArgument) and not stated.is_maybe and kind in _PLAIN


def _alone(function: Resolve) -> Resolve:
    async def resolve(source: Any, _info: GraphQLResolveInfo[Any], **given: Any) -> Any:
        return await function(source, **given)

    return resolve


def _informed(function: Resolve, name: str, stated: StrawberryField) -> Resolve:
    async def resolve(source: Any, info: GraphQLResolveInfo[Any], **given: Any) -> Any:
        given[name] = Info(_raw_info=info, _field=stated)
        return await function(source, **given)

    return resolve
