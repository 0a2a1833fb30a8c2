"""The schema put together. Building it fails on a field without a rule."""

from datetime import datetime

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types
from strawberry.types import get_object_definition

from schema.amending import AmendingMutation, AmendingQuery
from schema.aside import AsideMutation, AsideQuery
from schema.audit import AuditQuery
from schema.care import CareQuery
from schema.consent import ConsentMutation
from schema.identity import IdentityQuery
from schema.kernel.ruled import check
from schema.kernel.values import INSTANT
from schema.record import RecordQuery
from schema.registry import RegistryMutation, RegistryQuery


def build() -> strawberry.Schema:
    """The public schema. Raises SchemaRefused."""
    query = merge_types(
        "Query",
        (
            IdentityQuery,
            RecordQuery,
            AmendingQuery,
            CareQuery,
            RegistryQuery,
            AsideQuery,
            AuditQuery,
        ),
    )
    mutation = merge_types(
        "Mutation", (ConsentMutation, AmendingMutation, RegistryMutation, AsideMutation)
    )
    _describe(query, "Reads; each is on record before its answer leaves.")
    _describe(mutation, "Changes; each takes an idempotency key.")
    schema = strawberry.Schema(
        query=query,
        mutation=mutation,
        config=StrawberryConfig(auto_camel_case=True, scalar_map={datetime: INSTANT}),
    )
    check(executable(schema))
    return schema


def _describe(merged: type, text: str) -> None:
    get_object_definition(merged, strict=True).description = text


def executable(schema: strawberry.Schema) -> GraphQLSchema:
    """The graphql-core schema below."""
    return schema._schema


def sdl(schema: strawberry.Schema) -> str:
    """The SDL with rules, as committed in schema/schema.graphql."""
    return schema.as_str() + "\n"
