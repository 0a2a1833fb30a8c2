"""What is not in the database: received bytes, which never change, and the key store, apart."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from adapters.keys.files import sync_folder

DAY_SECONDS = 86_400
KEY_ID_BYTES = 36
KEYS = "keys-*.sqlite3"
DRAFTS = ".keys-*.unfinished*"
Moved = Callable[[int, int], None]


def copy_objects(objects: Path, into: Path, moved: Moved) -> int:
    """Copy the objects that are not there yet, or under another key; how many.

    Interrupted, the next run copies the rest.
    """
    files = [file for file in objects.rglob("*") if file.is_file()] if objects.exists() else []
    copied = 0
    for count, file in enumerate(files, 1):
        target = into / file.relative_to(objects)
        if not _same_key(file, target):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.unfinished")
            shutil.copyfile(file, draft)
            draft.replace(target)
            copied += 1
        moved(count, len(files))
    return copied


def _same_key(file: Path, copy: Path) -> bool:
    """Whether there is a copy, sealed by the same key: an object begins with its key's id."""
    if not copy.exists():
        return False
    with file.open("rb") as one, copy.open("rb") as other:
        return one.read(KEY_ID_BYTES) == other.read(KEY_ID_BYTES)


def copy_keys(store: Path, folder: Path, stamp: str) -> Path:
    """Copy the running key store of a file; see `copied`. The copy."""
    with copied(folder, stamp) as draft:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        os.close(descriptor)
        with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)
    return named(folder, stamp)


@contextmanager
def copied(folder: Path, stamp: str) -> Iterator[Path]:
    """Where a copy of a key store is to be written, mode 0600; whole, durable and named after."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = named(folder, stamp)
    draft = folder / f".{copy.name}.unfinished"
    draft.unlink(missing_ok=True)
    try:
        yield draft
    except BaseException:
        if draft.exists():
            _shred(draft)
        raise
    descriptor = os.open(draft, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    draft.replace(copy)
    sync_folder(folder)


def named(folder: Path, stamp: str) -> Path:
    """The copy of a key store that was made then."""
    return folder / f"keys-{stamp}.sqlite3"


def prune_keys(folder: Path, days: int) -> list[Path]:
    """Delete copies of the key store that are older than so many days: they undo erasures.

    The newest one stays, whatever its age. Gives those that are gone.
    """
    copies = sorted(folder.glob(KEYS), key=lambda file: file.stat().st_mtime)
    old = time.time() - days * DAY_SECONDS
    gone = [file for file in copies[:-1] if file.stat().st_mtime < old]
    for file in (*gone, *(one for one in folder.glob(DRAFTS) if one.stat().st_mtime < old)):
        _shred(file)
    sync_folder(folder)
    return gone


def _shred(file: Path) -> None:
    """Overwritten in place first, as far as the disk lets us."""
    with file.open("r+b") as content:
        content.write(bytes(file.stat().st_size))
        content.flush()
        os.fsync(content.fileno())
    file.unlink()
