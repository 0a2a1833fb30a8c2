"""Reading FHIR JSON files: bundles or single resources, each with its exact received bytes.

Nothing here echoes content: an error names the file, the entry and a reason code.
"""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Raw

from adapters.fhir.resources import Wire, decode

BUNDLE_TYPES = frozenset(("transaction", "batch", "collection", "document"))
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Bytes that are no UTF-8 and nesting without end do not raise msgspec's own errors.
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_SUFFIXES = (".json", ".json.gz")
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,39}")
_UUID_URL = "urn:uuid:"
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

    Reasons: `bad-gzip`, `bad-json`, `not-fhir`, `malformed`, `bundle-type`.
    """

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")
        self.file, self.reason = file, reason


class Malformed(Exception):
    """A resource of another shape than FHIR gives its type; `at` is a JSON path where known."""

    def __init__(self, at: str | None) -> None:
        super().__init__(at)
        self.at = at


@dataclass(frozen=True, eq=False)
class Entry:
    """A resource of a bundle: `index` counts from 0, `content` is exactly what was received."""

    index: int
    full_url: str | None
    resource_type: str
    id: str
    raw: Raw

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
    """A file as read: its entries in order, and the entries that were none."""

    file: str
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()


class _Bundle(msgspec.Struct, rename="camel"):
    resource_type: str | None = None
    type: str | None = None
    id: str | None = None
    entry: tuple[Raw, ...] = ()


class _Entry(msgspec.Struct, rename="camel"):
    full_url: str | None = None
    resource: Raw = Raw(b"")


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str | None = None
    id: str | None = None


_bundles = msgspec.json.Decoder(_Bundle)
_entries = msgspec.json.Decoder(_Entry)
_heads = msgspec.json.Decoder(_Head)


def bundles_at(paths: Iterable[Path]) -> Iterator[Path]:
    """The `.json` and `.json.gz` files at these places, folders searched through, sorted, once.

    Raises FileNotFoundError for a place that does not exist.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            files = (inner for inner in path.rglob("*") if inner.is_file())
            found.update(inner for inner in files if inner.name.endswith(_SUFFIXES))
        elif path.exists():
            found.add(path)
        else:
            raise FileNotFoundError(path)
    yield from sorted(found)


def read_bundle(path: Path) -> Received:
    """The entries of a bundle file, or the one resource of a resource file.

    Entries without a usable resource come back as problems: `no-resource`, `no-type`, `no-id`,
    `malformed`. Raises Unreadable for the whole file.
    """
    content = _content(path)
    bundle = _bundle(path.name, content)
    if bundle.resource_type != "Bundle":
        single = _entry(path.name, 0, None, Raw(content.strip()))
        return _received(path.name, [single])
    if bundle.type not in BUNDLE_TYPES:
        raise Unreadable(path.name, "bundle-type")
    return _received(path.name, [_read(path.name, *item) for item in enumerate(bundle.entry)])


def _received(file: str, read: list[Entry | Problem]) -> Received:
    return Received(
        file,
        tuple(one for one in read if isinstance(one, Entry)),
        tuple(one for one in read if isinstance(one, Problem)),
    )


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            raise Unreadable(path.name, "bad-gzip") from None
    return content.removeprefix(BYTE_ORDER_MARK)


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
        entry = _entries.decode(raw)
    except UNDECODABLE:
        return Problem(file=file, entry=index, reason="malformed")
    if not bytes(entry.resource):
        return Problem(file=file, entry=index, reason="no-resource")
    return _entry(file, index, entry.full_url, entry.resource)


def _entry(file: str, index: int, full_url: str | None, raw: Raw) -> Entry | Problem:
    """An id may be missing where a transaction lets the server choose one: then the URL's."""
    try:
        head = _heads.decode(raw)
    except UNDECODABLE as error:
        return Problem(file=file, entry=index, reason="malformed", at=_path(error))
    if not head.resource_type or not _TYPE.fullmatch(head.resource_type):
        return Problem(file=file, entry=index, reason="no-type")
    resource_id = head.id
    if not resource_id and full_url and full_url.startswith(_UUID_URL):
        resource_id = full_url.removeprefix(_UUID_URL)
    if not resource_id:
        return Problem(file=file, entry=index, type=head.resource_type, reason="no-id")
    return Entry(index, full_url, head.resource_type, resource_id, raw)


def _path(error: Exception) -> str | None:
    """Where in the resource, from msgspec's message; its paths hold member names of ours only."""
    found = _PATH_IN_MESSAGE.search(str(error))
    return found.group(1) if found else None
