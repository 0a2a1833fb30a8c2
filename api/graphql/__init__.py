"""The GraphQL request engine; see `endpoint` for the order of one request."""

from api.graphql.context import (
    AuditUnavailable,
    OperationContext,
    PositionInvalid,
    PositionTimeout,
    Unauthenticated,
)
from api.graphql.endpoint import GraphQLEndpoint
from api.graphql.limits import Limits

__all__ = [
    "AuditUnavailable",
    "GraphQLEndpoint",
    "Limits",
    "OperationContext",
    "PositionInvalid",
    "PositionTimeout",
    "Unauthenticated",
]
