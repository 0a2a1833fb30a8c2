"""One server process: started as some account, kept by a thread, stopped by signals."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Thread

LOG_TAIL_LINES = 20


@dataclass(frozen=True, slots=True)
class Account:
    """Who a server runs as: a command that maps us, or a user to become, or neither (us)."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def __str__(self) -> str:
        """Name the account for an error message."""
        if self.prefix:
            return " ".join(self.prefix)
        return "this user" if self.uid is None else f"uid {self.uid}"


class ServerProcess:
    """A running server and its keeper: the thread that starts it, waits for it and reaps it.

    The kernel sends the parent-death signal when the *thread* that started a process ends, so
    that thread must last as long as the server; a caller's own thread might not.
    """

    def __init__(self, spawn: Callable[[], subprocess.Popen[bytes]]) -> None:
        started: Future[subprocess.Popen[bytes]] = Future()
        self._keeper = Thread(target=_keep, args=(spawn, started), daemon=True, name="server")
        self._keeper.start()
        self._process = started.result()

    @property
    def pid(self) -> int:
        """The process id of the server itself: neither unshare nor setpriv forks."""
        return self._process.pid

    def ended(self) -> bool:
        """Say whether the server has ended and was reaped."""
        return not self._keeper.is_alive()

    def stop(self, signals: Iterable[tuple[signal.Signals, float]]) -> None:
        """Send each signal in turn until the server has ended, waiting so many seconds after it."""
        for number, seconds in signals:
            if self.ended():
                return
            self._process.send_signal(number)
            self._keeper.join(seconds)


def _keep(
    spawn: Callable[[], subprocess.Popen[bytes]], started: Future[subprocess.Popen[bytes]]
) -> None:
    try:
        process = spawn()
    except BaseException as error:  # handed to the waiting thread, whatever it is
        started.set_exception(error)
        return
    started.set_result(process)
    process.wait()


def run(
    command: Sequence[str | Path], account: Account, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a short program as `account` and give its outcome, standard error in its output."""
    return subprocess.run(  # noqa: S603 - every program is named by us, none by input
        [*account.prefix, *dies_with_parent(signal.SIGTERM), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        cwd=cwd,
        env=_environment(),
        user=account.uid,
        group=account.gid,
        extra_groups=None if account.uid is None else [],
    )


def start(
    command: Sequence[str | Path],
    account: Account,
    *,
    cwd: Path,
    log: Path,
    lock: int,
    death_signal: signal.Signals,
) -> ServerProcess:
    """Start a server that inherits the descriptor `lock` and appends its output to `log`.

    It gets a session of its own, so that Ctrl-C in the terminal reaches the caller alone and the
    caller can finish its work before it stops the server.
    """
    whole = [*account.prefix, *dies_with_parent(death_signal), *command]
    with log.open("ab") as output:
        return ServerProcess(
            lambda: subprocess.Popen(  # noqa: S603 - every program is named by us, none by input
                whole,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=_environment(),
                pass_fds=[lock],
                start_new_session=True,
                user=account.uid,
                group=account.gid,
                extra_groups=None if account.uid is None else [],
            )
        )


def dies_with_parent(number: signal.Signals) -> tuple[str, ...]:
    """Give the command prefix that has the kernel send `number` when our process dies.

    It stands after unshare, whose change of credentials would clear the request. Empty where
    util-linux has no `setpriv --pdeathsig`: there a server outlives a killed parent.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None or not _knows_death_signals(setpriv):
        return ()
    return (setpriv, "--pdeathsig", number.name.removeprefix("SIG"))


@cache
def _knows_death_signals(setpriv: str) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    asked = subprocess.run(  # noqa: S603 - the path comes from PATH
        [setpriv, "--pdeathsig", "TERM", setpriv, "--version"], capture_output=True, check=False
    )
    return asked.returncode == 0


def log_tail(log: Path) -> str:
    """Give the last 20 lines of a log file, or nothing when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16_384))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])


def _environment() -> dict[str, str]:
    """Keep what finding a program needs: no PG* setting and no secret reaches a server."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
