"""HTTP out: status codes, headers and the JSON of an answer.

Source: GraphQL over HTTP, stage 2 draft of 2025, section Response. With
application/graphql-response+json a refused operation is 400; with application/json it is 200,
because the request was well-formed. Data with field errors is 200 in both; the edition of
September 2026 recommends 294 (Partial Success) there, which clients do not know yet.

Caching (RFC 9110, sections 8.8.3 and 13.1.2; RFC 9111): nothing is stored anywhere, except that
the client itself may keep the answer to a GET and must ask again before it uses it. A query
without errors carries a weak ETag, over its data only: extensions differ from answer to answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import structlog
from graphql import ExecutionResult
from starlette.types import Message, Send

from adapters.keys import KeyStoreUnavailable, RootUnavailable
from adapters.postgres.away import AWAY
from api.graphql.context import (
    AuditUnavailable,
    NoChanges,
    PositionInvalid,
    PositionTimeout,
    Unauthenticated,
    Unreachable,
)
from api.graphql.faults import (
    MASKED,
    Fault,
    OperationRefused,
    cause_of,
    field_fault,
    log_bug,
)
from api.graphql.registry import Operation
from api.graphql.request import GRAPHQL_RESPONSE, RequestRefused
from domain.kernel.refusal import Refusal

_encode = msgspec.json.Encoder().encode
_MOST_LOGGED = 20
_AWAY = (*AWAY, KeyStoreUnavailable, RootUnavailable)
_WHOLE = (AuditUnavailable, NoChanges, PositionTimeout, *_AWAY)
_log = structlog.get_logger("anamnesis.graphql")


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer; nothing of it has been sent."""

    status: int
    media_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def start(self) -> Message:
        """The message that begins it."""
        headers = {
            "content-type": f"{self.media_type}; charset=utf-8",
            # That of a 304 would be the length of the answer it stands for (RFC 9110, 8.6).
            **({} if self.status == 304 else {"content-length": str(len(self.body))}),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            **self.headers,
        }
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        return {"type": "http.response.start", "status": self.status, "headers": raw}

    async def send(self, send: Send) -> None:
        """All of it."""
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})


def encode_result(result: ExecutionResult, operation: Operation, correlation: str) -> bytes:
    """Encode data and masked errors as a JSON object without its closing brace.

    Left open because the extensions are known only when the audit has been committed, and this
    runs meanwhile. Bugs among the errors are logged; an AuditUnavailable among them is raised.
    """
    encoded = b'{"data":' + _encode(result.data)
    if not result.errors:
        return encoded
    entries = []
    for place, error in enumerate(result.errors):
        fault, bug = field_fault(error)
        if bug is not None and place < _MOST_LOGGED:
            log_bug(bug, correlation, operation.name, operation.document_hash)
        entries.append(fault.entry(correlation))
    return encoded + b',"errors":' + _encode(entries)


def whole_failure(result: ExecutionResult) -> Exception | None:
    """What ends the whole answer when it happens below a resolver, not one field."""
    causes = (cause_of(error) for error in result.errors or ())
    return next((cause for cause in causes if isinstance(cause, _WHOLE)), None)


def told(error: Exception) -> Exception:
    """The error as it is answered: Unreachable for what drivers and the key store say.

    A timeout of the whole operation is one of its own.
    """
    if isinstance(error, _AWAY) and type(error) is not TimeoutError:
        _log.warning("database.away", error=type(error).__name__)
        return Unreachable()
    return error


@dataclass(frozen=True, slots=True)
class Success:
    """An executed and settled operation: the body of `encode_result`, extensions, and its tag."""

    open_body: bytes
    extensions: Mapping[str, object]
    tag: str | None

    def answer(self, media_type: str, *, safe: bool, known: frozenset[str]) -> Answer:
        """The answer; 304 without a body for a GET (`safe`) whose client knows the data."""
        headers = {} if self.tag is None else {"etag": f'W/"{self.tag}"'}
        if safe and self.tag is not None:
            headers |= {"cache-control": "private, no-cache", "vary": "authorization, accept"}
            if known & {self.tag, "*"}:
                return Answer(304, media_type, b"", headers)
        tail = b',"extensions":' + _encode(self.extensions) + b"}" if self.extensions else b"}"
        return Answer(200, media_type, self.open_body + tail, headers)


def failure(
    error: Exception,
    media_type: str,
    correlation: str,
    operation: Operation | None = None,
    extensions: Mapping[str, object] | None = None,
) -> Answer:
    """The answer without data for anything that ended the request."""
    error = told(error)
    status, faults, headers = _describe(error, media_type)
    if status == 500:
        log_bug(
            error,
            correlation,
            operation.name if operation else None,
            operation.document_hash if operation else None,
        )
    body: dict[str, object] = {"errors": [fault.entry(correlation) for fault in faults]}
    if extensions:
        body["extensions"] = extensions
    return Answer(status, media_type, _encode(body), headers)


def _describe(
    error: Exception, media_type: str
) -> tuple[int, tuple[Fault, ...], Mapping[str, str]]:
    match error:
        case RequestRefused():
            return error.status, (Fault(error.code, error.message),), error.headers
        case OperationRefused():
            return 400 if media_type == GRAPHQL_RESPONSE else 200, error.faults, {}
        case Unauthenticated():
            fault = Fault("UNAUTHENTICATED", "Sign in and try again.")
            return 401, (fault,), {"www-authenticate": "Bearer"}
        case Refusal():
            return 403, (Fault(error.code, error.message, error.retryable),), {}
        case AuditUnavailable():
            fault = Fault("AUDIT_UNAVAILABLE", "Nothing can be shown right now.", retryable=True)
            return 503, (fault,), {"retry-after": str(error.retry_after_s)}
        case NoChanges():
            fault = Fault("READ_ONLY", "Nothing can be changed right now.", retryable=True)
            return 503, (fault,), {"retry-after": str(error.retry_after_s)}
        case Unreachable():
            fault = Fault("UNAVAILABLE", "We cannot look that up right now.", retryable=True)
            return 503, (fault,), {"retry-after": str(error.retry_after_s)}
        case PositionTimeout():
            fault = Fault("POSITION_TIMEOUT", "Recent changes are not visible yet.", retryable=True)
            return 503, (fault,), {"retry-after": str(error.retry_after_s)}
        case PositionInvalid():
            return 400, (Fault("POSITION_INVALID", "The position is not one of ours."),), {}
        case TimeoutError():
            fault = Fault("TIMEOUT", "The operation took too long.", retryable=True)
            return 503, (fault,), {"retry-after": "2"}
    return 500, (Fault("INTERNAL", MASKED),), {}
