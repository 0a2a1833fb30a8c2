"""The private folder of a server: its mode, its lock, and where its socket lies."""

import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.embedded.errors import FolderNotPrivate, ServerAlreadyRunning, SocketPathTooLong

# sun_path holds 108 bytes on Linux and 104 on macOS, with the closing zero byte.
LONGEST_SOCKET_BYTES = 103
# Commas separate hosts in a DSN and folders in unix_socket_directories; quotes do worse.
PLAIN_PATH = re.compile(r"[\w/.@+-]+", re.ASCII)
# How long a second start gives a live owner that is just shutting down, and orphans to end.
LIVE_OWNER_SECONDS = 2.0
ORPHAN_SECONDS = 15.0
POLL_SECONDS = 0.02


def private_folder(folder: Path) -> Path:
    """Create `folder` with mode 0700, or check that it has that mode; give its absolute path."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        raise FolderNotPrivate(folder, mode)
    return folder


@contextmanager
def hold_lock(path: Path) -> Iterator[int]:
    """Hold the lock file `path`, giving its descriptor for the server to inherit.

    The lock belongs to the open file, so it lasts until the last process of the server is gone,
    orphaned backends too, and it never outlives them. Raises ServerAlreadyRunning.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor, path)
        os.ftruncate(descriptor, 0)
        yield descriptor
    finally:
        os.close(descriptor)


def record_owner(descriptor: int, pid: int) -> None:
    """Write the server's process id into the lock file, for the error of a second start."""
    os.pwrite(descriptor, f"{pid}\n".encode(), 0)


def _acquire(descriptor: int, path: Path) -> None:
    began = time.monotonic()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - began
        else:
            return
        recorded = os.pread(descriptor, 32, 0).strip()
        pid = int(recorded) if recorded.isdigit() else None
        if waited > (LIVE_OWNER_SECONDS if _is_alive(pid) else ORPHAN_SECONDS):
            raise ServerAlreadyRunning(path.parent, pid)
        time.sleep(POLL_SECONDS)


def _is_alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True, slots=True)
class SocketFolder:
    """Where a server's socket lies: the server's own folder, or a short temporary one."""

    path: Path
    temporary: bool

    def remove(self) -> None:
        """Remove the folder when it was made for the socket alone."""
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)


def socket_folder(folder: Path, socket_name: str) -> SocketFolder:
    """Give `folder` when its socket name is short and plain, else a fresh temporary folder.

    A name relative to the working directory would help the server but no client, and a symbolic
    link would need the same temporary folder, so a long path moves the socket itself: mkdtemp
    gives mode 0700. After kill -9 of everything an empty folder may stay behind.
    """
    if _fits(folder / socket_name):
        return SocketFolder(folder, temporary=False)
    short = Path(tempfile.mkdtemp(prefix="anamnesis-"))
    if not _fits(short / socket_name):
        short.rmdir()
        raise SocketPathTooLong(short)
    return SocketFolder(short, temporary=True)


def _fits(socket: Path) -> bool:
    plain = PLAIN_PATH.fullmatch(str(socket)) is not None
    return plain and len(os.fsencode(socket)) <= LONGEST_SOCKET_BYTES
