"""Reading FHIR JSON: bundles, bundles in bundles, single resources, each with its exact bytes.

Nothing here echoes content: an error names the file, the entry and a reason code.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import TypeVar

import msgspec
from msgspec import Raw

from adapters.fhir.resources import Wire, decode

BUNDLE_TYPES = frozenset(("transaction", "batch", "collection", "document", "searchset"))
# Bytes that are no UTF-8 and nesting without end do not raise msgspec's own errors.
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,39}")
_UUID_URL = "urn:uuid:"
_RESTFUL = re.compile(r"(?:.*/)?([A-Z][A-Za-z]{1,39})/([A-Za-z0-9.\-]{1,64})(?:/_history/.+)?")
_PATH_IN_MESSAGE = re.compile(r" - at `([$\w.\[\]]+)`$")

W = TypeVar("W", bound=Wire)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that was set aside, in words that are no health data.

    `entry` counts from 0 and is None for a whole file; `at` is a JSON path of member names.
    """

    file: str
    reason: str
    entry: int | None = None
    type: str | None = None
    at: str | None = None


class Unreadable(Exception):
    """A file that is no FHIR bundle or resource.

    Reasons: `bad-gzip`, `bad-archive`, `too-large`, `bad-json`, `not-fhir`, `malformed`,
    `bundle-type`.
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file, self.reason = file, reason


class Malformed(Exception):
    """A resource of another shape than FHIR gives its type; `at` is a JSON path where known."""

    def __init__(self, at: str | None) -> None:
        super().__init__(at)
        self.at = at


class Demand(msgspec.Struct, frozen=True, rename="camel"):
    """Bundle.entry.request: what a transaction or batch asks for (FHIR R4 section 3.1.0.11)."""

    method: str | None = None
    url: str | None = None
    if_none_exist: str | None = None


@dataclass(frozen=True, eq=False)
class Entry:
    """A resource of a bundle: `index` counts from 0, `content` is exactly what was received.

    `version` and `updated` are `meta.versionId` and `meta.lastUpdated` as given. A resource without
    an id is known by its full URL, else by the hash of its bytes.
    """

    index: int
    full_url: str | None
    resource_type: str
    id: str
    raw: Raw
    version: str | None = None
    updated: str | None = None
    demand: Demand | None = None

    @cached_property
    def content(self) -> bytes:
        """The received bytes of the resource."""
        return bytes(self.raw)

    def decode(self, kind: type[W]) -> W:
        """The resource in its type. Raises Malformed."""
        try:
            return decode(self.raw, kind)
        except UNDECODABLE as error:
            raise Malformed(_path(error)) from None


@dataclass(frozen=True, slots=True)
class Received:
    """A bundle as read: its entries in order, and the entries that were none.

    `nested` marks a bundle that was an entry of another; `apart` counts resources of a package that
    are no records; `alone` says that references reach beyond what was read with them; `spoilt` are
    the bytes of those problems that have some, by entry index.
    """

    file: str
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()
    nested: bool = False
    alone: bool = False
    apart: Mapping[str, int] = field(default_factory=dict)
    spoilt: Mapping[int, bytes] = field(default_factory=dict, repr=False)


class _Bundle(msgspec.Struct, rename="camel"):
    resource_type: str | None = None
    type: str | None = None
    id: str | None = None
    entry: tuple[Raw, ...] = ()


class _Entry(msgspec.Struct, rename="camel"):
    full_url: str | None = None
    resource: Raw = Raw(b"")
    request: Demand | None = None


class _Meta(msgspec.Struct, rename="camel"):
    version_id: str | None = None
    last_updated: str | None = None


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str | None = None
    id: str | None = None
    meta: _Meta | None = None


_bundles = msgspec.json.Decoder(_Bundle)
_entries = msgspec.json.Decoder(_Entry)
_heads = msgspec.json.Decoder(_Head)


def parsed(file: str, content: bytes) -> Received:
    """The entries of a bundle, or the one resource.

    Entries without a usable resource come back as problems: `no-resource`, `no-type`, `deletion`,
    `malformed`. Raises Unreadable for the whole.
    """
    bundle = _bundle(file, content)
    if bundle.resource_type != "Bundle":
        return received(file, [entry(file, 0, Raw(content.strip()))], [Raw(content)])
    if bundle.type not in BUNDLE_TYPES:
        raise Unreadable(file, "bundle-type")
    read = [_read(file, *item) for item in enumerate(bundle.entry)]
    return received(file, read, bundle.entry)


def nested(outer: Received) -> Iterator[Received]:
    """The bundles among the entries, opened; bundles in them are opened too.

    One that cannot be opened is a problem of the bundle it came with.
    """
    for one in outer.entries:
        if one.resource_type != "Bundle":
            continue
        name = f"{outer.file}#{one.index}"
        try:
            inner = parsed(name, one.content)
        except Unreadable as error:
            wrong = Problem(file=name, reason=error.reason)
            inner = Received(name, (), (wrong,))
        opened = replace(inner, nested=True)
        yield opened
        yield from nested(opened)


def received(
    file: str, read: Sequence[Entry | Problem], raws: Sequence[Raw], *, alone: bool = False
) -> Received:
    """What was read from these bytes, entries and problems apart."""
    pairs = zip(read, raws, strict=True)
    return Received(
        file,
        tuple(one for one in read if isinstance(one, Entry)),
        tuple(one for one in read if isinstance(one, Problem)),
        alone=alone,
        spoilt={one.entry or 0: bytes(raw) for one, raw in pairs if isinstance(one, Problem)},
    )


def entry(
    file: str, index: int, raw: Raw, full_url: str | None = None, demand: Demand | None = None
) -> Entry | Problem:
    """One resource. Problems: `no-type`, `malformed`."""
    try:
        head = _heads.decode(raw)
    except UNDECODABLE as error:
        return Problem(file=file, entry=index, reason="malformed", at=_path(error))
    kind = head.resource_type
    if not kind or not _TYPE.fullmatch(kind):
        return Problem(file=file, entry=index, reason="no-type")
    meta = head.meta or _Meta()
    ident = head.id or _id(kind, full_url, demand) or sha256(raw).hexdigest()
    return Entry(index, full_url, kind, ident, raw, meta.version_id, meta.last_updated, demand)


def _id(kind: str, full_url: str | None, demand: Demand | None) -> str | None:
    """Where a server may choose the id: that of an update, else that of the full URL."""
    updated = _RESTFUL.fullmatch((demand and demand.method == "PUT" and demand.url) or "")
    if updated and updated[1] == kind:
        return updated[2]
    if full_url is None:
        return None
    if full_url.startswith(_UUID_URL):
        return full_url.removeprefix(_UUID_URL)
    named = _RESTFUL.fullmatch(full_url)
    return named[2] if named and named[1] == kind else full_url


def _bundle(file: str, content: bytes) -> _Bundle:
    """Only the outermost members are looked at; a single resource may shape them otherwise."""
    try:
        head = _heads.decode(content)
    except msgspec.ValidationError:
        raise Unreadable(file, "not-fhir") from None
    except UNDECODABLE:
        raise Unreadable(file, "bad-json") from None
    if head.resource_type is None:
        raise Unreadable(file, "not-fhir")
    if head.resource_type != "Bundle":
        return _Bundle(resource_type=head.resource_type)
    try:
        return _bundles.decode(content)
    except msgspec.ValidationError:
        raise Unreadable(file, "malformed") from None


def _read(file: str, index: int, raw: Raw) -> Entry | Problem:
    try:
        given = _entries.decode(raw)
    except UNDECODABLE:
        return Problem(file=file, entry=index, reason="malformed")
    if given.request and given.request.method == "DELETE":
        return Problem(file=file, entry=index, reason="deletion")
    if not bytes(given.resource):
        return Problem(file=file, entry=index, reason="no-resource")
    return entry(file, index, given.resource, given.full_url, given.request)


def _path(error: Exception) -> str | None:
    """Where in the resource, from msgspec's message; its paths hold member names of ours only."""
    found = _PATH_IN_MESSAGE.search(str(error))
    return found.group(1) if found else None
