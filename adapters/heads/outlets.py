"""Places outside the database that signed heads are taken to."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import obstore
import obstore.store
from obstore.exceptions import AlreadyExistsError

from adapters.proofs.notes import MOST_BYTES, Checkpoint, Note, NoteUnreadable


class HeadsUnreadable(ValueError):
    """A line that is no signed head. Each line is a JSON object of tenant and note."""


class Outlet(Protocol):
    """A place that takes signed heads; what it took must not be changed through it."""

    @property
    def name(self) -> str:
        """For logs."""

    async def put(self, tenant: str, note: Note) -> None:
        """Take a head. Durable on return; raises OSError where the place cannot be reached."""


class _Line(msgspec.Struct):
    tenant: str
    note: str


def head_line(tenant: str, note: Note) -> str:
    """A line of a file of heads."""
    return msgspec.json.encode(_Line(tenant, str(note))).decode() + "\n"


@dataclass(frozen=True, slots=True)
class FileOutlet:
    """A file that heads are added to, a JSON object a line: best on a disk of somebody else."""

    path: Path
    name: str = "file"

    async def put(self, tenant: str, note: Note) -> None:
        """See Outlet."""
        await asyncio.to_thread(self._add, head_line(tenant, note).encode())

    def _add(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o640)
        try:
            # One process at a time, and nothing but whole lines: what a full disk or a kill left
            # of a line is cut off.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = _whole_lines(descriptor)
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError("not all of it was written")
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)


class StoreOutlet:
    """An object store that each head is put into under its size, and nothing is replaced there.

    With a bucket that locks its objects (S3 Object Lock) nobody can take a head back.
    """

    name = "store"

    def __init__(self, url: str) -> None:
        """s3://bucket/path, gs://, az:// or file:///folder; credentials as their tools want them.

        Raises ValueError for a URL that names no store.
        """
        try:
            self._store = obstore.store.from_url(url)
        except (obstore.exceptions.BaseError, ValueError) as error:
            raise ValueError(type(error).__name__) from None

    async def put(self, tenant: str, note: Note) -> None:
        """See Outlet."""
        head, signed = Checkpoint.of(note.text), len(note.signatures)
        # Another head of the same size, and one that witnesses have cosigned, are other objects.
        name = f"{head.size:020d}-{head.root[:8].hex()}-{signed}"
        path, line = f"{tenant}/{name}.jsonl", head_line(tenant, note).encode()
        try:
            await obstore.put_async(self._store, path, line, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return
        except obstore.exceptions.BaseError as error:
            raise OSError(type(error).__name__) from None


def _whole_lines(descriptor: int) -> int:
    """The size of the file, after an unfinished last line was cut off."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, MOST_BYTES * 2, max(0, size - MOST_BYTES * 2))
    unfinished = len(tail) - (tail.rfind(b"\n") + 1)
    if unfinished:
        size -= unfinished
        os.ftruncate(descriptor, size)
    return size


def heads_in(text: str) -> Iterator[tuple[str, Note]]:
    """Tenant and head of each line that a FileOutlet wrote. Raises HeadsUnreadable with the line.

    A last line without an end was cut off when its process was killed, and is left out.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines[:-1], 1):
        if not line.strip():
            continue
        try:
            read = msgspec.json.decode(line, type=_Line)
            yield read.tenant, Note.of(read.note)
        except (msgspec.DecodeError, NoteUnreadable):
            raise HeadsUnreadable(f"line {number}") from None
