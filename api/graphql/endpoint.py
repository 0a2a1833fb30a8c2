"""POST /graphql (and GET for trusted documents) as a bare ASGI application.

Source: GraphQL over HTTP, stage 2 draft of 2025. Order of one request: HTTP rules, caller,
operation, cost, position, execution, audit, answer. No byte of an answer leaves before the audit is
committed.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog
from graphql import ExecutionResult, GraphQLSchema, OperationType
from starlette.types import Receive, Scope, Send

from api.graphql.answer import Answer, Success, encode_result, failure, whole_failure
from api.graphql.context import OperationContext, Unauthenticated
from api.graphql.cost import Cost
from api.graphql.direct import resolve_directly
from api.graphql.execution import run
from api.graphql.faults import OperationRefused, log_bug, variable_faults
from api.graphql.limits import Limits
from api.graphql.registry import Operation, OperationRegistry
from api.graphql.request import (
    GRAPHQL_RESPONSE,
    ClientGone,
    GraphQLRequest,
    Headers,
    RequestRefused,
    negotiate,
    read_headers,
    read_request,
)

_log = structlog.get_logger("anamnesis.graphql")

OpenContext = Callable[[Scope, Headers], Awaitable[OperationContext]]


_LONGEST_PRICED = 32 * 1024


class _Asked(msgspec.Struct):
    """The members of a request that its price depends on."""

    query: str | None = None
    documentId: str | None = None  # the name on the wire
    operationName: str | None = None
    variables: dict[str, object] | None = None


class GraphQLEndpoint:
    """An ASGI application over a graphql-core schema, whose plain resolvers it calls directly.

    `open_context` may raise Unauthenticated (401), a Refusal (403) or AuditUnavailable (503).
    `operations` are the trusted documents, id to text; ValueError when one does not pass. With
    `trusted_only` no other document is executed. `development` allows introspection, suggestions
    of names and GET with the text of a query.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        open_context: OpenContext,
        limits: Limits | None = None,
        development: bool = False,
        operations: Mapping[str, str] | None = None,
        trusted_only: bool = False,
    ) -> None:
        resolve_directly(schema)
        self._schema = schema
        self._open_context = open_context
        self._limits = limits or Limits()
        self._development = development
        self.registry = OperationRegistry(
            schema,
            self._limits,
            operations=operations or {},
            development=development,
            trusted_only=trusted_only,
        )

    def known_price(self, body: bytes) -> int | None:
        """What the request in a body costs at most; None where its operation is not known yet."""
        if len(body) > _LONGEST_PRICED:
            return None
        try:
            asked = msgspec.json.decode(body, type=_Asked)
            operation = self.registry.known(asked.query, asked.documentId, asked.operationName)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return None
        return None if operation is None else operation.price.of(asked.variables or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError("the GraphQL endpoint serves HTTP only")
        try:
            answer = await self._answer(scope, receive)
        except ClientGone:
            return
        await answer.send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        media_type, correlation = GRAPHQL_RESPONSE, uuid.uuid4().hex
        try:
            headers = read_headers(scope)
            media_type = negotiate(headers.get("accept"))
            request = await read_request(
                scope, headers, receive, self._limits, any_get=self._development
            )
            async with asyncio.timeout(self._limits.seconds):
                context = await self._open_context(scope, headers)
        except ClientGone:
            raise
        except Exception as error:
            if isinstance(error, Unauthenticated):
                _log.info("graphql.unauthenticated", reason=error.reason_code)
            return failure(error, media_type, correlation)
        try:
            return await self._serve(request, context, media_type)
        finally:
            await _close(context)

    async def _serve(
        self, request: GraphQLRequest, context: OperationContext, media_type: str
    ) -> Answer:
        operation = None
        extensions: Mapping[str, object] = {}
        try:
            operation = self._find(request)
            context.begin(operation.name or operation.document_hash)
            cost = Cost.of(operation.price, request.variables, self._limits.cost)
            extensions = cost.extensions
            cost.check()
            async with asyncio.timeout(self._limits.seconds):
                if request.position is not None:
                    await context.wait_for(request.position)
                result = await self._execute(operation, request, context)
                success = await _settled(result, operation, context, extensions)
            return success.answer(media_type, safe=request.safe, known=request.known_tags)
        except Exception as error:
            return failure(error, media_type, context.correlation, operation, extensions)

    def _find(self, request: GraphQLRequest) -> Operation:
        if request.document_id is not None:
            operation = self.registry.trusted(request.document_id, request.operation_name)
        else:
            operation = self.registry.find(request.document or "", request.operation_name)
        if request.safe and operation.kind is not OperationType.QUERY:
            raise RequestRefused(
                405, "METHOD_NOT_ALLOWED", "Send a mutation by POST.", {"allow": "POST"}
            )
        return operation

    async def _execute(
        self, operation: Operation, request: GraphQLRequest, context: OperationContext
    ) -> ExecutionResult:
        result = await run(
            self._schema,
            operation.document,
            operation.definition,
            operation.plans,
            context,
            request.variables,
        )
        if result.data is None and _is_request_error(result):
            faults = variable_faults(
                self._schema, operation.definition.variable_definitions or (), request.variables
            )
            raise OperationRefused(*faults)
        return result


def _is_request_error(result: ExecutionResult) -> bool:
    """Field errors have a path; errors of coercing variables have none."""
    return all(error.path is None for error in result.errors or ())


async def _settled(
    result: ExecutionResult,
    operation: Operation,
    context: OperationContext,
    extensions: Mapping[str, object],
) -> Success:
    failed = whole_failure(result)
    if failed is not None:
        raise failed
    # The audit commit waits for the disk; the answer is encoded meanwhile.
    settled, body = await asyncio.gather(
        context.settle(), _encoded(result, operation, context.correlation)
    )
    if isinstance(body, Exception):
        raise body
    # An answer with errors has a correlation id: no two are the same.
    tagged = operation.kind is OperationType.QUERY and not result.errors
    return Success(body, {**settled, **extensions}, context.tag(body) if tagged else None)


async def _encoded(
    result: ExecutionResult, operation: Operation, correlation: str
) -> bytes | Exception:
    """Returned, not raised: a failure here must not leave the audit commit unawaited."""
    try:
        return encode_result(result, operation, correlation)
    except Exception as error:
        return error


async def _close(context: OperationContext) -> None:
    try:
        await context.close()
    except Exception as error:
        log_bug(error, context.correlation)
