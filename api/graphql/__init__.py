"""The GraphQL request engine; see `endpoint` for the order of one request."""

from api.graphql.context import (
    AuditUnavailable,
    NoChanges,
    OperationContext,
    PositionInvalid,
    PositionTimeout,
    Unauthenticated,
    Unreachable,
)
from api.graphql.endpoint import GraphQLEndpoint
from api.graphql.limits import Limits

__all__ = [
    "AuditUnavailable",
    "GraphQLEndpoint",
    "Limits",
    "NoChanges",
    "OperationContext",
    "PositionInvalid",
    "PositionTimeout",
    "Unauthenticated",
    "Unreachable",
]
