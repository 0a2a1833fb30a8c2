"""Sealed objects: what goes in comes out, and nothing else."""

import asyncio
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

import adapters.objects.store
from adapters.keys import BodyTampered, DataKey, KeyCommitmentMismatch
from adapters.objects import (
    ObjectExists,
    ObjectMissing,
    ObjectNameInvalid,
    ObjectRef,
    ObjectStore,
    ObjectTampered,
)
from adapters.objects.store import INLINE_BYTES

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def store(folder: Path) -> Iterator[ObjectStore]:
    opened = ObjectStore.local(folder)
    yield opened
    opened.close()


@pytest.fixture
def key() -> DataKey:
    return DataKey("key-1", os.urandom(32))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def file_of(folder: Path, tenant: str, ref: ObjectRef) -> Path:
    return folder / tenant / ref.id[:2] / ref.id[2:4] / ref.id


@pytest.mark.parametrize("size", [0, 1, 2_000, INLINE_BYTES + 1, 6 * 1024 * 1024])
async def test_an_object_comes_back_as_it_was_put(
    store: ObjectStore, key: DataKey, size: int
) -> None:
    data = os.urandom(size)
    ref = await store.put("clinic", data, key)
    assert await store.get("clinic", ref, key) == data


async def test_an_object_lies_sealed_in_a_private_folder(
    store: ObjectStore, folder: Path, key: DataKey
) -> None:
    ref = await store.put("clinic", b"canary " * 10, key)
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert files_in(folder) == [file_of(folder, "clinic", ref)]
    assert b"canary" not in file_of(folder, "clinic", ref).read_bytes()


async def test_another_backend_keeps_objects_as_a_folder_does(key: DataKey) -> None:
    store = ObjectStore(MemoryStore())
    ref = await store.put("clinic", b"report", key)
    assert await store.get("clinic", ref, key) == b"report"
    await store.delete("clinic", ref.id)
    with pytest.raises(ObjectMissing):
        await store.get("clinic", ref, key)
    store.close()


async def test_a_put_flushes_the_file_and_every_new_folder(
    folder: Path, key: DataKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = adapters.objects.store._sync
    ids = iter([uuid.UUID(int=n, version=4) for n in range(2)])
    monkeypatch.setattr("adapters.objects.store.uuid.uuid4", lambda: next(ids))
    flushed: list[Path] = []
    store = ObjectStore.local(folder)

    def watched(path: Path) -> None:
        flushed.append(path)
        sync(path)

    monkeypatch.setattr("adapters.objects.store._sync", watched)
    first = file_of(folder, "clinic", await store.put("clinic", b"first", key))
    assert flushed == [first, *first.parents[:3], folder]
    flushed.clear()
    second = file_of(folder, "clinic", await store.put("clinic", b"second", key))
    assert flushed == [second, second.parent]
    store.close()


async def test_equal_documents_have_unequal_references(store: ObjectStore, key: DataKey) -> None:
    first, second = [await store.put("clinic", b"negative", key) for _ in range(2)]
    assert first.id != second.id
    assert first.sha256 != second.sha256


async def test_many_objects_at_once_all_come_back(store: ObjectStore, key: DataKey) -> None:
    bodies = [os.urandom(200) for _ in range(200)]
    refs = await asyncio.gather(*(store.put("clinic", body, key) for body in bodies))
    assert await asyncio.gather(*(store.get("clinic", ref, key) for ref in refs)) == bodies


async def test_an_object_is_never_replaced(
    store: ObjectStore, key: DataKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = uuid.uuid4()
    monkeypatch.setattr("adapters.objects.store.uuid.uuid4", lambda: same)
    ref = await store.put("clinic", b"first", key)
    with pytest.raises(ObjectExists):
        await store.put("clinic", b"second", key)
    assert await store.get("clinic", ref, key) == b"first"


async def test_a_changed_file_is_refused(store: ObjectStore, folder: Path, key: DataKey) -> None:
    ref = await store.put("clinic", b"report", key)
    file = file_of(folder, "clinic", ref)
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ObjectTampered):
        await store.get("clinic", ref, key)


async def test_a_file_swapped_together_with_its_hash_is_refused(
    store: ObjectStore, folder: Path, key: DataKey
) -> None:
    first, second = [await store.put("clinic", body, key) for body in (b"one", b"two")]
    file_of(folder, "clinic", first).write_bytes(file_of(folder, "clinic", second).read_bytes())
    with pytest.raises(BodyTampered):
        await store.get("clinic", ObjectRef(first.id, second.sha256), key)


async def test_an_object_copied_to_another_tenant_is_refused(
    store: ObjectStore, folder: Path, key: DataKey
) -> None:
    ref = await store.put("clinic", b"report", key)
    copy = file_of(folder, "other", ref)
    copy.parent.mkdir(parents=True)
    copy.write_bytes(file_of(folder, "clinic", ref).read_bytes())
    with pytest.raises(BodyTampered):
        await store.get("other", ref, key)


async def test_another_key_does_not_open_an_object(store: ObjectStore, key: DataKey) -> None:
    ref = await store.put("clinic", b"report", key)
    with pytest.raises(KeyCommitmentMismatch):
        await store.get("clinic", ref, DataKey("key-2", os.urandom(32)))


async def test_a_deleted_object_is_missing_and_can_be_deleted_again(
    store: ObjectStore, folder: Path, key: DataKey
) -> None:
    ref = await store.put("clinic", b"report", key)
    await store.delete("clinic", ref.id)
    await store.delete("clinic", ref.id)
    assert files_in(folder) == []
    with pytest.raises(ObjectMissing):
        await store.get("clinic", ref, key)


async def test_an_object_is_missing_in_another_tenant(store: ObjectStore, key: DataKey) -> None:
    ref = await store.put("clinic", b"report", key)
    with pytest.raises(ObjectMissing):
        await store.get("other", ref, key)


@pytest.mark.parametrize("tenant", ["", "..", "a/b", "a\\b", "a b", ".", "é", "x" * 65, "a\n"])
async def test_a_tenant_that_cannot_be_a_folder_is_refused(
    store: ObjectStore, folder: Path, key: DataKey, tenant: str
) -> None:
    with pytest.raises(ObjectNameInvalid):
        await store.put(tenant, b"report", key)
    assert files_in(folder) == []


@pytest.mark.parametrize("object_id", ["", "../../../secret", "A" * 36, "0" * 32])
async def test_a_reference_that_is_no_object_id_is_refused(
    store: ObjectStore, key: DataKey, object_id: str
) -> None:
    ref = ObjectRef(object_id, "0" * 64)
    with pytest.raises(ObjectNameInvalid):
        await store.get("clinic", ref, key)
    with pytest.raises(ObjectNameInvalid):
        await store.delete("clinic", ref.id)
