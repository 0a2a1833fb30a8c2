"""Sealed objects over obstore: a folder now, a bucket by another backend.

An object is sealed whole with a data key and bound to tenant and object id, so that a swapped file
does not open. Its reference holds a random id and the hash of the *sealed* bytes: the hash of a
plaintext would let anyone who sees the reference confirm a guess of a short document.

Path: tenant / first two digits of the id / next two / id. Written once; only `rehome` replaces.
"""

import asyncio
import hashlib
import hmac
import os
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, ParamSpec, Self, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore
from obstore.store import ObjectStore as Backend

from adapters.keys import DataKey
from adapters.keys.seal import bound

P = ParamSpec("P")
T = TypeVar("T")

INLINE_BYTES: Final = 256 * 1024
"""Up to this size an object is sealed and hashed on the event loop (about 0.2 ms)."""
FLUSH_THREADS: Final = 32
"""Flushes to disk that may run at once; the file system merges them."""
KNOWN_FOLDERS: Final = 100_000
"""Folders remembered as durable, about 20 MB."""
_KEY_ID_BYTES: Final = 36
_TENANT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class ObjectRefused(Exception):
    """The object store refused. Read the subclass; the argument is the opaque object id."""


class ObjectMissing(ObjectRefused):
    """No such object in this tenant: deleted by an erasure, or lost. Let `verify` tell which."""


class ObjectTampered(ObjectRefused):
    """The sealed bytes are not those of the reference. Restore them from a backup."""


class ObjectExists(ObjectRefused):
    """An object of this id exists already and is not replaced. Repeat the put for a new id."""


class ObjectNameInvalid(ObjectRefused):
    """The tenant or the object id cannot be part of a path. It did not come from this store."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names one object: random UUID, lowercase hex SHA-256 of the sealed bytes."""

    id: str
    sha256: str


class ObjectStore:
    """Puts, gets and deletes sealed objects of tenants."""

    def __init__(self, backend: Backend, folder: Path | None = None) -> None:
        """`folder` is where a local backend writes; its files are then flushed to disk by `put`."""
        self._backend = backend
        self.inventory = Inventory(backend)
        self._disk = None if folder is None else _Disk(folder)

    @classmethod
    def local(cls, folder: Path) -> Self:
        """A store in a folder, created with mode 0700 when absent."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync(folder.parent)
        return cls(LocalStore(folder), folder)

    async def put(self, tenant: str, data: bytes, key: DataKey) -> ObjectRef:
        """Seal and keep `data`; durable on return.

        Raises ObjectNameInvalid for a tenant that is not 1-64 letters, digits, `-` or `_`.
        """
        object_id = str(uuid.uuid4())
        path = _path(tenant, object_id)
        sealed, digest = await _sized(len(data), _seal, tenant, object_id, data, key)
        try:
            # One piece: a create-if-absent of several pieces is not atomic.
            await obstore.put_async(self._backend, path, sealed, mode="create", use_multipart=False)
        except AlreadyExistsError:
            raise ObjectExists(object_id) from None
        if self._disk is not None:
            await self._disk.flush(path)
        return ObjectRef(object_id, digest)

    async def get(self, tenant: str, ref: ObjectRef, key: DataKey) -> bytes:
        """The data that `put` was given.

        Raises ObjectMissing, ObjectTampered, ObjectNameInvalid, and what DataKey.open raises:
        KeyCommitmentMismatch (another key), BodyTampered (another tenant or object).
        """
        path = _path(tenant, ref.id)
        try:
            found = await obstore.get_async(self._backend, path)
            sealed = bytes(await found.bytes_async())
        except FileNotFoundError:
            raise ObjectMissing(ref.id) from None
        return await _sized(len(sealed), _open, tenant, ref, sealed, key)

    async def keep(self, tenant: str, object_id: str, data: bytes, key: DataKey) -> bool:
        """Seal and keep `data` under an id that the caller derives from it; whether it is new.

        The key's id stands before the sealed bytes. An object that exists already is left as it
        is: the same id stands for the same data. Raises ObjectNameInvalid.
        """
        path = _path(tenant, object_id)
        sealed, _ = await _sized(len(data), _seal, tenant, object_id, data, key)
        content = key.id.encode() + sealed
        try:
            await obstore.put_async(
                self._backend, path, content, mode="create", use_multipart=False
            )
        except AlreadyExistsError:
            return False
        if self._disk is not None:
            await self._disk.flush(path)
        return True

    async def rehome(
        self, tenant: str, object_id: str, find: Callable[[str], Awaitable[DataKey]], key: DataKey
    ) -> None:
        """Seal an object of `keep` with another key, in its place: it belongs elsewhere now.

        Raises as `fetch`.
        """
        data = await self.fetch(tenant, object_id, find)
        path = _path(tenant, object_id)
        sealed, _ = await _sized(len(data), _seal, tenant, object_id, data, key)
        await obstore.put_async(self._backend, path, key.id.encode() + sealed, use_multipart=False)
        if self._disk is not None:
            await self._disk.flush(path)

    async def fetch(
        self, tenant: str, object_id: str, find: Callable[[str], Awaitable[DataKey]]
    ) -> bytes:
        """The data of `keep`; `find` gives the key of an id.

        Raises ObjectMissing, what `find` raises, KeyCommitmentMismatch and BodyTampered.
        """
        try:
            found = await obstore.get_async(self._backend, _path(tenant, object_id))
            content = bytes(await found.bytes_async())
        except FileNotFoundError:
            raise ObjectMissing(object_id) from None
        key = await find(content[:_KEY_ID_BYTES].decode())
        return key.open(content[_KEY_ID_BYTES:], bound("object", tenant, object_id))

    async def delete(self, tenant: str, object_id: str) -> bool:
        """Delete the object; whether there was one. Idempotent, so that an erasure can resume."""
        path = _path(tenant, object_id)
        try:
            await obstore.head_async(self._backend, path)
            await obstore.delete_async(self._backend, path)
        except FileNotFoundError:
            return False
        return True

    def close(self) -> None:
        """Let go of the threads that flush; puts under way finish first."""
        if self._disk is not None:
            self._disk.close()


class Inventory:
    """What there is, and which keys sealed it."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def key_of(self, tenant: str, object_id: str) -> str | None:
        """The id of the key that `keep` sealed the object with; None where there is no object."""
        try:
            found = await obstore.get_range_async(
                self._backend, _path(tenant, object_id), start=0, end=_KEY_ID_BYTES
            )
        except FileNotFoundError:
            return None
        return bytes(found).decode("ascii", "replace")

    async def all_of(self, tenant: str) -> AsyncIterator[str]:
        """The ids of all objects of a tenant."""
        if not _TENANT.fullmatch(tenant):
            raise ObjectNameInvalid(tenant)
        async for portion in obstore.list(self._backend, f"{tenant}/"):
            for one in portion:
                yield one["path"].rpartition("/")[2]


class _Disk:
    """Flushes what a local backend wrote: obstore itself leaves that to the system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._threads = ThreadPoolExecutor(FLUSH_THREADS, "object-flush")
        self._durable: set[Path] = {folder}

    async def flush(self, path: str) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._threads, self._flush, self._folder / path)

    def close(self) -> None:
        self._threads.shutdown()

    def _flush(self, file: Path) -> None:
        # The file, its folder, and on the way up every folder whose own entry may be new.
        _sync(file)
        folders = list(file.parents)[: -len(self._folder.parents)]
        for folder in folders:
            _sync(folder)
            if folder in self._durable:
                break
        if len(self._durable) > KNOWN_FOLDERS:
            self._durable = {self._folder}
        self._durable.update(folders)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _sized(size: int, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """Run short work at once and long work in a thread."""
    if size <= INLINE_BYTES:
        return work(*args, **named)
    return await asyncio.to_thread(work, *args, **named)


def _seal(tenant: str, object_id: str, data: bytes, key: DataKey) -> tuple[bytes, str]:
    sealed = key.seal(data, bound("object", tenant, object_id))
    return sealed, hashlib.sha256(sealed).hexdigest()


def _open(tenant: str, ref: ObjectRef, sealed: bytes, key: DataKey) -> bytes:
    if not hmac.compare_digest(hashlib.sha256(sealed).hexdigest(), ref.sha256):
        raise ObjectTampered(ref.id)
    return key.open(sealed, bound("object", tenant, ref.id))


def _path(tenant: str, object_id: str) -> str:
    if not _TENANT.fullmatch(tenant) or not _ID.fullmatch(object_id):
        raise ObjectNameInvalid(object_id)
    return f"{tenant}/{object_id[:2]}/{object_id[2:4]}/{object_id}"
