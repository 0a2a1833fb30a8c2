"""Keys as the settings say: the root that wraps them, and the store that holds them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.backup import copied, copy_keys, named
from adapters.keys import (
    ChangingRoot,
    KeyStore,
    KeyTree,
    PostgresKeyStore,
    RootFiles,
    RootKey,
    Roots,
    SqliteKeyStore,
)
from adapters.keys.kms import RootUnclear, root_of_url
from adapters.keys.postgres import copy_in, copy_out
from api.settings import PREFIX, ROOT_FILE, SettingMissing, Settings, SettingUnclear

ROOT, STORE = "root.key", "keys.sqlite3"


def root_of(settings: Settings) -> ChangingRoot:
    """What wraps tenants' keys. Raises SettingUnclear, and as RootFiles.

    Only the demo makes its own file. Anywhere else a missing one is a volume that is not mounted,
    and a new root in its place would seal what nobody finds again: `create_root` makes it once,
    when the database is new.
    """
    if settings.root.newest == ROOT_FILE and settings.profile == "demo":
        RootKey.load_or_create(settings.keys / ROOT)
    names = settings.root
    newest = _root(settings, "ROOT", names.newest, names.credential)
    before = [
        _root(settings, "ROOT_BEFORE", name, names.before_credential) for name in names.before
    ]
    return Roots(newest, before) if before else newest


def create_root(settings: Settings) -> None:
    """Make the root file of a new house; nothing where there is one, or a service has the root."""
    settings.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings.root.newest == ROOT_FILE:
        RootKey.load_or_create(settings.keys / ROOT)


def open_store(settings: Settings) -> KeyStore:
    """The key store; the caller closes it."""
    if settings.keys_dsn is not None:
        return PostgresKeyStore(settings.keys_dsn)
    return SqliteKeyStore(settings.keys / STORE)


def open_keys(settings: Settings) -> KeyTree:
    """The key tree of a process beside the one that serves; its store ends with the process."""
    return KeyTree(root_of(settings), open_store(settings))


async def copy_store(settings: Settings, folder: Path, stamp: str) -> Path:
    """Copy the running key store into a folder, as a file of mode 0600 from either kind; the copy.

    Raises KeyStoreUnavailable.
    """
    if settings.keys_dsn is None:
        return await asyncio.to_thread(copy_keys, settings.keys / STORE, folder, stamp)
    async with _elsewhere(settings.keys_dsn) as store:
        with copied(folder, stamp) as draft:
            await copy_out(store, draft)
    return named(folder, stamp)


async def prepare_store(settings: Settings) -> None:
    """Make what a key store in PostgreSQL needs. Raises KeyStoreInTheLog, KeyStoreUnavailable."""
    if settings.keys_dsn is not None:
        async with _elsewhere(settings.keys_dsn) as store:
            await store.apart_from(settings.dsn)
            await store.prepare()


async def move_in(settings: Settings, file: Path) -> int:
    """Put the keys of a key store's file into PostgreSQL; how many it did not have.

    Raises KeyStoreUnavailable, and SettingMissing where no PostgreSQL is named.
    """
    if settings.keys_dsn is None:
        raise SettingMissing(f"{PREFIX}KEYS_DSN")
    async with _elsewhere(settings.keys_dsn) as store:
        return await copy_in(file, store)


@asynccontextmanager
async def _elsewhere(dsn: str) -> AsyncIterator[PostgresKeyStore]:
    store = PostgresKeyStore(dsn)
    try:
        yield store
    finally:
        await store.close()


def _root(settings: Settings, variable: str, name: str, credential: Path | None) -> ChangingRoot:
    if name == ROOT_FILE:
        return RootFiles(settings.keys / ROOT)
    try:
        return root_of_url(name, credential)
    except RootUnclear as error:
        raise SettingUnclear(PREFIX + variable, str(error)) from None
