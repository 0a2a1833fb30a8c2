"""Files of FHIR: JSON, NDJSON line by line, packages (.tgz); plain or gzip; in bounded memory.

Of a package (hl7.org/fhir/packages) the examples are records; its conformance resources are only
counted.
"""

import gzip
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BufferedReader
from itertools import islice
from pathlib import Path

from msgspec import Raw

from adapters.fhir.reading import (
    Entry,
    Problem,
    Received,
    Unreadable,
    entry,
    nested,
    parsed,
    received,
)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MOST_BYTES = 512 * 1024 * 1024
"""Of one JSON file once it is inflated."""
LINES = 500
"""How many lines of an NDJSON file are filed together."""
PACKAGES = (".tgz", ".tar.gz")
LINED = (".ndjson", ".ndjson.gz")
SUFFIXES = (".json", ".json.gz", *LINED, *PACKAGES)
EXAMPLES = "package/example/"


def bundles_at(paths: Iterable[Path]) -> Iterator[Path]:
    """The FHIR files at these places, folders searched through, sorted, once.

    Raises FileNotFoundError for a place that does not exist.
    """
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            files = (inner for inner in path.rglob("*") if inner.is_file())
            found.update(inner for inner in files if inner.name.endswith(SUFFIXES))
        elif path.exists():
            found.add(path)
        else:
            raise FileNotFoundError(path)
    yield from sorted(found)


def read(path: Path) -> Iterator[Received]:
    """What a file holds, in pieces that are filed one after the other. Raises Unreadable."""
    for piece in _pieces(path):
        yield piece
        yield from nested(piece)


def read_bundle(path: Path) -> Received:
    """The entries of a bundle file, or the one resource of a resource file. Raises Unreadable."""
    return parsed(path.name, _whole(path))


def _pieces(path: Path) -> Iterator[Received]:
    if path.name.endswith(PACKAGES):
        yield _package(path)
    elif path.name.endswith(LINED):
        yield from _lined(path)
    else:
        yield read_bundle(path)


def _whole(path: Path) -> bytes:
    try:
        with _opened(path) as file:
            content = file.read(MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Unreadable(path.name, "bad-gzip") from None
    if len(content) > MOST_BYTES:
        raise Unreadable(path.name, "too-large")
    return content.removeprefix(BYTE_ORDER_MARK)


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _lined(path: Path) -> Iterator[Received]:
    """Entries count lines from 0; an empty line is none."""
    try:
        with _opened(path) as file:
            lines = enumerate(iter(lambda: file.readline(MOST_BYTES), b""))
            while some := list(islice(lines, LINES)):
                full = [(index, _raw(line)) for index, line in some if line.strip()]
                read = [entry(path.name, index, raw) for index, raw in full]
                yield received(path.name, read, [raw for _, raw in full], alone=True)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Unreadable(path.name, "bad-gzip") from None


def _raw(content: bytes) -> Raw:
    return Raw(content.removeprefix(BYTE_ORDER_MARK).strip())


def _package(path: Path) -> Received:
    """The examples as one piece, since they refer to one another."""
    read: list[Entry | Problem] = []
    raws: list[Raw] = []
    apart: Counter[str] = Counter()
    for name, content in _members(path):
        if name.startswith(EXAMPLES):
            raws.append(_raw(content))
            read.append(entry(path.name, len(read), raws[-1]))
            continue
        known = entry(path.name, 0, _raw(content))
        if isinstance(known, Entry):
            apart[known.resource_type] += 1
    return replace(received(path.name, read, raws), apart=apart)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """The JSON files of an archive, in order of name; indexes and the manifest are none of it."""
    found: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                base = member.name.rpartition("/")[2]
                if not member.isfile() or not base.endswith(".json") or base.startswith("."):
                    continue
                total += member.size
                if total > MOST_BYTES:
                    raise Unreadable(path.name, "too-large")
                opened = archive.extractfile(member)
                if opened is not None:
                    found[member.name] = opened.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error):
        raise Unreadable(path.name, "bad-archive") from None
    yield from sorted(found.items())
