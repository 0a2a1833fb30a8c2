"""Events, contexts and commands as JSON bytes, by their type hints (msgspec).

Header and context are stored as their RFC 8785 bytes: only strings and integers occur in them,
members are sorted, absent ones are left out. Bodies are plain JSON; decimals and
dates inside them are text value classes, so that what was given comes back character for
character.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, TypeVar, get_type_hints

import msgspec

from domain.kernel.context import Context
from domain.kernel.event import Erased, Event, Header, Recorded, Unknown, event_type
from domain.kernel.refusal import Refusal, refusal_types

T = TypeVar("T")


class _HeaderWire(msgspec.Struct, frozen=True, omit_defaults=True):
    command: str
    event: str
    key: str
    stream: str
    tenant: str
    type: str
    version: int
    chart: str | None = None


UNOPENED = b""
"""Stands for a body that nobody needed to open; it decodes to Unknown."""


class UnreadableEvent(Exception):
    """A stored body does not decode as its registered type: the release or the row is damaged."""


_DAMAGED = (msgspec.MsgspecError, UnicodeDecodeError)
_encoder = msgspec.json.Encoder(order="sorted")
_documents = msgspec.json.Encoder()
_headers = msgspec.json.Decoder(Header)
_contexts = msgspec.json.Decoder(Context)


def encode_header(header: Header) -> bytes:
    """RFC 8785 bytes."""
    return _encoder.encode(
        _HeaderWire(
            command=header.command,
            event=header.event,
            key=header.key,
            stream=header.stream,
            tenant=header.tenant,
            type=header.type,
            version=header.version,
            chart=header.chart,
        )
    )


def decode_header(stored: bytes) -> Header:
    """Raises UnreadableEvent for bytes that are no header."""
    try:
        return _headers.decode(stored)
    except _DAMAGED as error:
        raise UnreadableEvent("header") from error


@cache
def _context_members() -> tuple[str, ...]:
    return tuple(sorted(Context.__dataclass_fields__))


def encode_context(context: Context) -> bytes:
    """RFC 8785 bytes."""
    members = ((name, getattr(context, name)) for name in _context_members())
    return _encoder.encode({name: value for name, value in members if value is not None})


@lru_cache(maxsize=256)
def decode_context(stored: bytes) -> Context:
    """Raises UnreadableEvent for bytes that are no context.

    The events of one command have the same bytes, and they are decoded once.
    """
    try:
        return _contexts.decode(stored)
    except _DAMAGED as error:
        raise UnreadableEvent("context") from error


def encode_body(event: Event) -> bytes:
    """JSON of the event's fields, in declaration order."""
    return msgspec.json.encode(event)


def decode_body(type_name: str, type_version: int, body: bytes | None) -> Event | Erased | Unknown:
    """The fact of a stored body.

    None decodes to Erased; UNOPENED and a newer type or version decode to Unknown.
    """
    if body is None:
        return Erased(type_name)
    kind = event_type(type_name)
    if body is UNOPENED or kind is None or type_version > kind.type_version:
        return Unknown(type_name, type_version)
    try:
        if type_version == kind.type_version:
            return _decoder_of(kind)(body)
        stored = kind.upcast(msgspec.json.decode(body, type=dict[str, object]), type_version)
        return msgspec.convert(stored, kind)
    # An upcaster meets whatever was stored, and any failure of it means the same.
    except Exception as error:
        raise UnreadableEvent(type_name) from error


def encode_value(value: object) -> bytes:
    """JSON of any dataclass or struct, members sorted: the input of fingerprints."""
    return _encoder.encode(value)


def encode_document(value: object) -> bytes:
    """JSON of a row document, members as declared: sorting them took more than half of the time."""
    return _documents.encode(value)


def decode_value(kind: type[T], stored: bytes) -> T:
    """The inverse for row documents, by type hints."""
    return _decoder_of(kind)(stored)


_decoders: dict[type[Any], Callable[[bytes], Any]] = {}


def _decoder_of(kind: type[T]) -> Callable[[bytes], T]:
    if kind not in _decoders:
        _decoders[kind] = msgspec.json.Decoder(kind).decode
    return _decoders[kind]


class _RefusalWire(msgspec.Struct):
    code: str
    fields: dict[str, Any]


def encode_refusal(refusal: Refusal) -> bytes:
    """JSON of the permanent code and the typed fields."""
    return msgspec.json.encode(_RefusalWire(refusal.code, dict(refusal.fields)))


def decode_refusal(stored: bytes) -> Refusal:
    """The refusal with its typed fields; a code of a newer release stays a plain Refusal."""
    wire = msgspec.json.decode(stored, type=_RefusalWire)
    kind = refusal_types().get(wire.code)
    if kind is None:
        return Refusal()
    hints = get_type_hints(kind)
    given = {name: msgspec.convert(wire.fields[name], hints[name]) for name in kind.field_names()}
    return kind(**given)


def recorded(
    *,
    position: int,
    version: int,
    committed_at: datetime,
    header: Header,
    context: bytes,
    body: bytes | None,
) -> Recorded:
    """A row of the log as the domain knows it; `body` is the opened body or None when erased."""
    return Recorded(
        position,
        version,
        committed_at,
        header,
        decode_context(context),
        decode_body(header.type, header.version, body),
    )
