"""The database's files by PostgreSQL's own programs: base backup, its check, the log that follows.

pg_basebackup copies a running server, and the copy is checked against its manifest of SHA-256 sums;
pg_receivewal keeps each byte of the write-ahead log within moments of its commit: a restore loses
what was committed in those moments and no more.
"""

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

SLOT: Final = "anamnesis_backup"
PROGRAMS = ("pg_basebackup", "pg_verifybackup", "pg_receivewal")
_STARTED = re.compile(r"START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)")
_RELEASE = re.compile(r"\(PostgreSQL\) (\d+)")
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_KILOBYTES = re.compile(r"(\d+)/(\d+) kB")
RECOVERY = """
# Written by `anamnesis restore lay`: read the write-ahead log that was followed, to its end.
restore_command = 'cp "{wal}/%f" "%p" 2>/dev/null || cp "{wal}/%f.partial" "%p"'
recovery_target_timeline = 'latest'
"""
Moved = Callable[[int, int], None]


class ProgramsMissing(Exception):
    """PostgreSQL's programs are not there. Install its client package, or name the folder."""


class LogGap(Exception):
    """The followed log does not go on from this backup: segments are missing. Leave out --wal, or
    choose a backup that was made after following began."""


class BackupFailed(Exception):
    """A program of PostgreSQL failed; nothing was kept of it. See what it says above."""


def programs(folder: Path | None, fallback: Path | None) -> Path:
    """The folder of PostgreSQL's programs: the given one, those at hand, or that of the PATH.

    They may be newer than the server, not older.

    Raises ProgramsMissing.
    """
    found = shutil.which("pg_basebackup")
    for place in (folder, fallback, Path(found).parent if found else None):
        if place is not None and all((place / name).exists() for name in PROGRAMS):
            return place
    raise ProgramsMissing(str(folder or "PATH"))


async def base_backup(binaries: Path, dsn: str, into: Path, moved: Moved) -> None:
    """Copy the running server of a DSN into a new folder and check the copy.

    `moved` is told (kilobytes copied, kilobytes). Raises BackupFailed; then the folder is gone.
    """
    draft = into.with_name(f".{into.name}.unfinished")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        await _run(
            [
                *(binaries / "pg_basebackup", "--dbname", _open(dsn), "--pgdata", draft),
                *("--wal-method=stream", "--checkpoint=fast", "--progress", "--no-password"),
                "--manifest-checksums=SHA256",
            ],
            moved,
            _secret(dsn),
        )
        await _run([*await _verifying(binaries, draft), draft], moved)
        await asyncio.to_thread(draft.rename, into)
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
        raise


@asynccontextmanager
async def followed(
    binaries: Path, dsn: str, into: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The write-ahead log goes into the folder, flushed as it comes, while the context is open."""
    await asyncio.to_thread(into.mkdir, mode=0o700, parents=True, exist_ok=True)
    # A slot: what was not followed yet is kept by the server, also while nobody follows.
    slot: list[str | Path] = [
        *(binaries / "pg_receivewal", "--dbname", _open(dsn), f"--slot={SLOT}", "--no-password")
    ]
    await _run([*slot, "--create-slot", "--if-not-exists"], _unmoved, _secret(dsn))
    child = await asyncio.create_subprocess_exec(
        *map(str, slot),
        *("--directory", str(into), "--synchronous", "--status-interval=1"),
        env={**os.environ, **_secret(dsn)},
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await child.wait()


def laid_out(backup: Path, data: Path, wal: Path | None) -> None:
    """Lay a backed-up database out as the data directory of a server that is not running.

    With `wal` the server reads the followed log to its end when it starts. Raises FileExistsError
    where the directory is there already.
    """
    if wal is not None:
        _check_whole(backup / "database" / "backup_label", wal)
    draft = data.with_name(f".{data.name}.unfinished")
    if data.exists():
        raise FileExistsError(data)
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(backup / "database", draft)
    draft.chmod(0o700)
    if wal is not None:
        with (draft / "postgresql.auto.conf").open("a") as settings:
            settings.write(RECOVERY.format(wal=wal.resolve()))
        (draft / "recovery.signal").touch(mode=0o600)
    draft.rename(data)


async def _verifying(binaries: Path, copy: Path) -> list[str | Path]:
    """The check of a copy; its write-ahead log is read only by programs of the same release."""
    program: list[str | Path] = [binaries / "pg_verifybackup", "--quiet"]
    child = await asyncio.create_subprocess_exec(
        str(program[0]), "--version", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()
    release = _RELEASE.search(said.decode())
    written_by = await asyncio.to_thread((copy / "PG_VERSION").read_text)
    same = release is not None and release[1] == written_by.strip()
    return program if same else [*program, "--no-parse-wal"]


def _check_whole(label: Path, wal: Path) -> None:
    """Raises LogGap unless the segments follow one another from where the backup began."""
    started = _STARTED.search(label.read_text())
    names = {file.name.removesuffix(".partial") for file in wal.iterdir()}
    segments = sorted(name for name in names if _SEGMENT.fullmatch(name))
    if started is None or started[1] not in segments:
        raise LogGap(label.parent.parent.name)
    later = segments[segments.index(started[1]) :]
    timeline, number = later[0][:8], _numbered(later[0])
    for step, name in enumerate(later):
        if name[:8] == timeline and _numbered(name) != number + step:
            raise LogGap(name)


def _numbered(segment: str) -> int:
    """Which segment of its timeline it is, for segments of 16 MiB."""
    return int(segment[8:16], 16) * 256 + int(segment[16:], 16)


def _open(dsn: str) -> str:
    """The DSN without its password, which others could list."""
    parts = urlsplit(dsn)
    where = parts.netloc.rpartition("@")[2]
    who = f"{quote(unquote(parts.username), safe='')}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=f"{who}{where}"))


def _secret(dsn: str) -> Mapping[str, str]:
    """The password as libpq takes it from the environment."""
    password = urlsplit(dsn).password
    return {} if password is None else {"PGPASSWORD": unquote(password)}


def _unmoved(_done: int, _total: int) -> None:
    """There is nothing to tell."""


async def _run(
    command: list[str | Path], moved: Moved, secret: Mapping[str, str] | None = None
) -> None:
    """Run a program; its words go to ours only where it fails, its figures to `moved`."""
    child = await asyncio.create_subprocess_exec(
        *map(str, command),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, **(secret or {})},
    )
    said = ""
    try:
        if child.stderr is None:
            raise BackupFailed
        while part := await child.stderr.read(4_096):
            said = (said + part.decode("utf-8", "replace"))[-4_096:]
            figures = _KILOBYTES.findall(said)
            if figures:
                moved(int(figures[-1][0]), int(figures[-1][1]))
        if await child.wait():
            raise BackupFailed(Path(command[0]).name)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
