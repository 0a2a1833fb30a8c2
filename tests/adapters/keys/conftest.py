"""A key tree in a folder of its own, and a second one on the same files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.keys import KeyTree, RootKey, SqliteKeyStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteKeyStore]:
    """The key store that `tree` uses."""
    opened = SqliteKeyStore(tmp_path / "keys" / "keys.db")
    yield opened
    await opened.close()


@pytest.fixture
def root(tmp_path: Path) -> RootKey:
    """The root that `tree` uses."""
    return RootKey.load_or_create(tmp_path / "root.key")


@pytest.fixture
def tree(root: RootKey, store: SqliteKeyStore) -> KeyTree:
    """A key tree as one process runs it."""
    return KeyTree(root, store)


@pytest.fixture
async def elsewhere(tmp_path: Path, root: RootKey, store: SqliteKeyStore) -> AsyncIterator[KeyTree]:
    """A tree over a second connection to the same file, with a cache of its own."""
    del store
    other = SqliteKeyStore(tmp_path / "keys" / "keys.db")
    yield KeyTree(root, other)
    await other.close()
