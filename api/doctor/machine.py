"""Checks of the machine, the installation, the keys and the object store; no database needed."""

import os
import resource
import shutil
import stat
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from api.doctor.diagnosis import Check, Seen, expect
from api.keystore import STORE, open_store, root_of
from api.settings import ROOT_FILE, Settings

LEAST_FREE = 1 << 30
LEAST_FILES = 1024


async def _python(_settings: Settings) -> Seen:
    found = ".".join(map(str, sys.version_info[:3]))
    return expect(sys.version_info >= (3, 11), f"Python {found}", f"Python {found} is too old")


async def _libraries(_settings: Settings) -> Seen:
    names = {line.split(";")[0] for line in requires("anamnesis") or () if "extra ==" not in line}
    bare = sorted({_name(line) for line in names})
    missing = [name for name in bare if not _installed(name)]
    return expect(
        not missing, f"{len(bare)} libraries installed", f"not installed: {', '.join(missing)}"
    )


def _name(requirement: str) -> str:
    return requirement.split(">=")[0].split("[")[0].strip()


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


async def _open_files(_settings: Settings) -> Seen:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return expect(soft >= LEAST_FILES, f"{soft} open files", f"{soft} open files only", "warning")


async def _keys_folder(settings: Settings) -> Seen:
    return _private(settings.keys)


async def _objects_folder(settings: Settings) -> Seen:
    folder = settings.objects
    if not folder.exists():
        return Seen("does not exist yet; it is made by the first import")
    return expect(os.access(folder, os.W_OK), "writable", "not writable by this user")


def _private(folder: Path) -> Seen:
    if not folder.is_dir():
        return Seen("the folder does not exist", "failure")
    mode = stat.S_IMODE(folder.stat().st_mode)
    return expect(mode & 0o077 == 0, f"mode {mode:04o}", f"mode {mode:04o} lets others in")


async def _root_key(settings: Settings) -> Seen:
    """Wraps a key of nobody and opens it. Raises the root's errors, which say what is wrong."""
    # Not as the demo: a doctor makes no root.
    root, secret = root_of(replace(settings, profile="production")), os.urandom(32)
    opened = await root.unwrap("doctor", 1, await root.wrap("doctor", 1, secret))
    where = (
        "a file, readable by its owner only"
        if settings.root.newest == ROOT_FILE
        else settings.root.newest
    )
    return expect(opened == secret, f"answers: {where}", f"does not open what it wraps: {where}")


async def _key_store(settings: Settings) -> Seen:
    if settings.keys_dsn is not None:
        return Seen("in a PostgreSQL of its own")
    path = settings.keys / STORE
    return expect(path.is_file(), "present", "there is no key store")


async def _key_store_private(settings: Settings) -> Seen:
    if settings.keys_dsn is not None:
        return Seen("in a PostgreSQL of its own")
    mode = stat.S_IMODE((settings.keys / STORE).stat().st_mode)
    return expect(mode & 0o077 == 0, f"mode {mode:04o}", f"mode {mode:04o} lets others read it")


async def _key_store_opens(settings: Settings) -> Seen:
    """Raises the store's errors, whose class names what is wrong."""
    store = open_store(settings)
    try:
        await store.load("doctor", ())
    finally:
        await store.close()
    return Seen("answers")


async def _space(settings: Settings) -> Seen:
    free = min(
        shutil.disk_usage(folder if folder.exists() else folder.parent).free
        for folder in (settings.keys, settings.objects)
    )
    words = f"{free >> 20} MiB free"
    return expect(free >= LEAST_FREE, words, words, "warning")


async def _apart(settings: Settings) -> Seen:
    inside = settings.keys.resolve().is_relative_to(settings.objects.resolve())
    return expect(not inside, "keys and objects are apart", "the keys lie inside the object store")


async def _profile(settings: Settings) -> Seen:
    known = settings.profile in ("production", "development", "demo")
    return expect(known, settings.profile, f"{settings.profile} is no profile")


async def _passwords(settings: Settings) -> Seen:
    local = "host=%2F" in settings.dsn or "host=/" in settings.dsn
    tls = any(f"sslmode={mode}" in settings.dsn for mode in ("require", "verify-ca", "verify-full"))
    return expect(
        local or tls, "a local socket or TLS", "a network connection without TLS", "warning"
    )


MACHINE: tuple[Check[Settings], ...] = (
    Check("python", "Install Python 3.11 or newer and run `make setup` again.", _python),
    Check("libraries", "Run `make setup`, which installs what is locked.", _libraries),
    Check("open-files", "Raise the limit: `ulimit -n 65536`, LimitNOFILE in systemd.", _open_files),
    Check("profile", "Set ANAMNESIS_PROFILE to production or development.", _profile),
    Check("transport", "Add sslmode=verify-full to ANAMNESIS_DSN and the role DSNs.", _passwords),
    Check("keys-folder", "chmod 700 the folder that ANAMNESIS_KEYS names.", _keys_folder),
    Check("root-key", "Restore root.key from its escrow; `chmod 600` it.", _root_key),
    Check("key-store", "Mount the volume of ANAMNESIS_KEYS, or restore its backup.", _key_store),
    Check("key-store-private", "chmod 600 keys.sqlite3.", _key_store_private),
    Check("key-store-opens", "Restore the key store of this root key.", _key_store_opens),
    Check("objects-folder", "Give this user write access to ANAMNESIS_OBJECTS.", _objects_folder),
    Check("apart", "Keep ANAMNESIS_KEYS outside ANAMNESIS_OBJECTS and its backups.", _apart),
    Check("disk-space", "Free space below ANAMNESIS_KEYS and ANAMNESIS_OBJECTS.", _space),
)
