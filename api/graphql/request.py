"""HTTP in: what counts as a well-formed GraphQL-over-HTTP request here.

Source: GraphQL over HTTP, stage 2 draft of 2025 (Request, Accept, GET, POST) and its
appendix "Persisted Documents"; unknown top-level members are ignored, batches are refused.
Stricter than the draft: one charset, no repeated JSON member, no lone surrogate, no NaN, GET for
trusted documents only (outside development).
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope

from api.graphql.limits import Limits
from api.nesting import nested_too_deep

Headers: TypeAlias = dict[str, str]

GRAPHQL_RESPONSE = "application/graphql-response+json"
JSON = "application/json"
_UTF8 = frozenset({"utf-8", "utf8"})
# A second copy of one of these is an attempt to be read in two ways.
_SINGLE = frozenset({"authorization", "content-type", "content-length", "content-encoding", "host"})
_DOCUMENT_ID = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"|(\*)')
_QUALITY = re.compile(r"[01](?:\.[0-9]{0,3})?")


class ClientGone(Exception):
    """The client left before its request was complete."""


class RequestRefused(Exception):
    """Not a well-formed request: an HTTP status, a permanent code and a sentence."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """Exactly one of `document` and `document_id` is given."""

    document: str | None
    document_id: str | None
    operation_name: str | None
    variables: dict[str, object]
    position: str | None
    safe: bool
    """Sent by GET: may only execute a query."""
    known_tags: frozenset[str] = frozenset()
    """The opaque tags of If-None-Match, without quotes and weakness; `*` as it is."""


def read_headers(scope: Scope) -> Headers:
    """Return the headers by lower-case name, repeated ones joined with a comma."""
    headers: Headers = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        if name in headers:
            if name in _SINGLE:
                raise RequestRefused(400, "HEADER_REPEATED", f"The header {name} came twice.")
            value = f"{headers[name]}{';' if name == 'cookie' else ','} {value}"
        headers[name] = value
    return headers


def negotiate(accept: str | None) -> str:
    """Choose the media type of the answer (RFC 9110, section 12.5.1). Raises RequestRefused 406.

    With equal quality the one that is named wins over the one that a wildcard matches; of two
    named ones application/graphql-response+json, of two matched ones, as without the header,
    application/json, which clients from before the newer type understand.
    """
    ranges = [_media_range(part) for part in (accept or "").split(",") if part.strip()]
    best: tuple[float, int, bool, str] | None = None
    for offered in (GRAPHQL_RESPONSE, JSON):
        matches = [
            (rank, quality)
            for name, quality in ranges or [("*/*", 1.0)]
            for rank, pattern in enumerate(("*/*", "application/*", offered))
            if name == pattern
        ]
        rank, quality = max(matches, default=(0, 0.0))
        named = rank == 2
        candidate = (quality, rank, named == (offered == GRAPHQL_RESPONSE), offered)
        if quality > 0 and (best is None or candidate > best):
            best = candidate
    if best is None:
        raise RequestRefused(
            406, "NOT_ACCEPTABLE", f"The answer is {GRAPHQL_RESPONSE} or {JSON}, in utf-8."
        )
    return best[3]


def _media_range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            quality = float(value) if _QUALITY.fullmatch(value.strip()) else 0.0
        elif key.strip() == "charset" and value.strip().strip('"') not in _UTF8:
            return "", 0.0
    return name, min(quality, 1.0)


async def read_request(
    scope: Scope, headers: Headers, receive: Receive, limits: Limits, *, any_get: bool = False
) -> GraphQLRequest:
    """Read one request. Raises RequestRefused, or ClientGone when the client has left.

    With `any_get` a GET may carry the text of a query.
    """
    method = scope["method"]
    if method == "POST":
        _check_content_type(headers)
        members = _decode_object(await _read_body_in_time(headers, receive, limits))
    elif method == "GET":
        members = _read_query_string(scope.get("query_string", b""), limits)
        if not any_get and ("query" in members or "documentId" not in members):
            raise RequestRefused(
                405,
                "METHOD_NOT_ALLOWED",
                "GET takes a documentId only: use POST.",
                {"allow": "POST"},
            )
    else:
        raise RequestRefused(
            405, "METHOD_NOT_ALLOWED", "Use POST, or GET with a documentId.", {"allow": "GET, POST"}
        )
    return _request(members, safe=method == "GET", known_tags=_tags(headers))


def _check_content_type(headers: Headers) -> None:
    name, *parameters = (piece.strip() for piece in headers.get("content-type", "").split(";"))
    charsets = [value.partition("=") for value in parameters if value]
    utf8 = all(
        key.lower() == "charset" and value.strip('"').lower() in _UTF8 for key, _, value in charsets
    )
    if name.lower() != JSON or not utf8 or len(charsets) > 1:
        raise RequestRefused(
            415, "MEDIA_TYPE_UNSUPPORTED", f"The request body must be {JSON} in utf-8."
        )
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestRefused(
            415, "ENCODING_UNSUPPORTED", "The request body must not be compressed."
        )


async def _read_body_in_time(headers: Headers, receive: Receive, limits: Limits) -> bytes:
    try:
        async with asyncio.timeout(limits.seconds):
            return await _read_body(headers, receive, limits.body_bytes)
    except TimeoutError:
        raise RequestRefused(
            408, "BODY_TOO_SLOW", "The body did not arrive in time.", {"connection": "close"}
        ) from None


async def _read_body(headers: Headers, receive: Receive, limit: int) -> bytes:
    declared = headers.get("content-length")
    if declared is not None and not (declared.isascii() and declared.isdigit()):
        raise RequestRefused(400, "LENGTH_INVALID", "The Content-Length header is not a number.")
    if declared is not None and (len(declared) > 15 or int(declared) > limit):
        raise _too_large(limit)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(limit: int) -> RequestRefused:
    # The rest of the body is not read, so the connection cannot be used again.
    return RequestRefused(
        413, "BODY_TOO_LARGE", f"The body is over {limit} bytes.", {"connection": "close"}
    )


def _read_query_string(raw: bytes, limits: Limits) -> dict[str, object]:
    if len(raw) > limits.query_string_bytes:
        raise RequestRefused(414, "URI_TOO_LONG", "The query string is too long: use POST.")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=16
        )
    except ValueError:
        raise _malformed("The query string is not form-encoded utf-8.") from None
    members: dict[str, object] = dict(pairs)
    if len(members) != len(pairs):
        raise _malformed("A parameter of the query string came twice.")
    if members.get("operationName") == "":
        del members["operationName"]
    for name in ("variables", "extensions"):
        text = members.get(name)
        if isinstance(text, str):
            members[name] = _decode_object(text.encode())
    return members


def _decode_object(body: bytes) -> dict[str, object]:
    """Decode strict JSON to an object.

    msgspec refuses NaN, lone surrogates, a byte order mark and bad utf-8 but keeps the last of
    repeated members (measured, 0.22.0), so a second pass looks for those.
    """
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _malformed("The request is not valid JSON.") from None
    if isinstance(value, list):
        raise RequestRefused(400, "BATCH_REFUSED", "Send one operation per request.")
    if not isinstance(value, dict):
        raise _malformed("The request must be a JSON object.")
    if nested_too_deep(value):
        raise _malformed("The request is nested too deeply.")
    try:
        json.loads(body, object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        raise _malformed("A member of a JSON object came twice.") from None
    return value


def _distinct(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError


def _tags(headers: Headers) -> frozenset[str]:
    found = _TAG.findall(headers.get("if-none-match", ""))
    return frozenset(tag or star for tag, star in found)


def _request(
    members: Mapping[str, object], *, safe: bool, known_tags: frozenset[str]
) -> GraphQLRequest:
    document = _optional_text(members, "query")
    document_id = _optional_text(members, "documentId")
    if (document is None) == (document_id is None):
        raise _malformed("Give either query or documentId, as a string.")
    if document_id is not None and not _DOCUMENT_ID.fullmatch(document_id):
        raise _malformed("A documentId is 'sha256:' and 64 lower-case hexadecimal digits.")
    extensions = _optional_object(members, "extensions")
    return GraphQLRequest(
        document=document,
        document_id=document_id,
        operation_name=_optional_text(members, "operationName"),
        variables=_optional_object(members, "variables"),
        position=_optional_text(extensions, "position"),
        safe=safe,
        known_tags=known_tags,
    )


def _optional_text(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise _malformed(f"The member {name} must be a string.")
    return value


def _optional_object(members: Mapping[str, object], name: str) -> dict[str, object]:
    value = members.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _malformed(f"The member {name} must be an object.")
    return value


def _malformed(message: str) -> RequestRefused:
    return RequestRefused(400, "REQUEST_MALFORMED", message)
