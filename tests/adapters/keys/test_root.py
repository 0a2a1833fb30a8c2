"""The root key file: created once, private, never replaced."""

import asyncio
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.keys import (
    BodyTampered,
    KeyCommitmentMismatch,
    RootKey,
    RootKeyExposed,
    RootKeyMalformed,
    RootKeyMissing,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets" / "root.key"


def test_a_new_root_key_file_is_private_and_alone_in_its_folder(path: Path) -> None:
    RootKey.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.stat().st_size == 32
    assert list(path.parent.iterdir()) == [path]


def test_a_root_key_is_private_under_any_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        RootKey.load_or_create(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_loaded_root_key_opens_what_the_created_one_wrapped(path: Path) -> None:
    wrapped = asyncio.run(RootKey.load_or_create(path).wrap("clinic", 1, bytes(32)))
    before = path.read_bytes()
    assert asyncio.run(RootKey.load_or_create(path).unwrap("clinic", 1, wrapped)) == bytes(32)
    assert asyncio.run(RootKey.load(path).unwrap("clinic", 1, wrapped)) == bytes(32)
    assert path.read_bytes() == before


def test_of_many_that_create_a_root_key_one_wins(path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        roots = list(threads.map(lambda _: RootKey.load_or_create(path), range(32)))
    wrapped = asyncio.run(roots[0].wrap("clinic", 1, bytes(32)))
    assert {asyncio.run(root.unwrap("clinic", 1, wrapped)) for root in roots} == {bytes(32)}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o601, 0o620, 0o602, 0o644, 0o660, 0o777])
def test_a_root_key_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    RootKey.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(RootKeyExposed):
        RootKey.load_or_create(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_root_key_file_of_another_owner_is_refused(path: Path) -> None:
    RootKey.load_or_create(path)
    os.chown(path, 65_534, -1)
    with pytest.raises(RootKeyExposed):
        RootKey.load_or_create(path)


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_root_key_file_of_a_wrong_size_is_refused(path: Path, size: int) -> None:
    RootKey.load_or_create(path)
    path.write_bytes(bytes(size))
    with pytest.raises(RootKeyMalformed):
        RootKey.load_or_create(path)
    assert path.stat().st_size == size


def test_a_folder_in_place_of_the_root_key_file_is_refused(path: Path) -> None:
    path.mkdir(parents=True, mode=0o700)
    with pytest.raises(RootKeyMalformed):
        RootKey.load(path)


def test_a_missing_root_key_is_not_created_by_loading(path: Path) -> None:
    with pytest.raises(RootKeyMissing) as refusal:
        RootKey.load(path)
    assert str(refusal.value) == "The root key file does not exist. [root.key]"
    assert not path.exists()


@pytest.mark.parametrize(("tenant", "version"), [("other", 1), ("clinic", 2)])
def test_a_tenant_key_opens_for_its_tenant_and_version_only(
    path: Path, tenant: str, version: int
) -> None:
    root = RootKey.load_or_create(path)
    wrapped = asyncio.run(root.wrap("clinic", 1, bytes(32)))
    with pytest.raises(BodyTampered):
        asyncio.run(root.unwrap(tenant, version, wrapped))


def test_a_tenant_key_of_another_root_does_not_open() -> None:
    wrapped = asyncio.run(RootKey(os.urandom(32)).wrap("clinic", 1, bytes(32)))
    with pytest.raises(KeyCommitmentMismatch):
        asyncio.run(RootKey(os.urandom(32)).unwrap("clinic", 1, wrapped))
