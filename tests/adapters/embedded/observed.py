"""Servers started by another program, and what the system says about a process."""

import json
import os
import pwd
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
NOBODY = pwd.getpwnam("nobody")


@dataclass(frozen=True, slots=True)
class StartedServer:
    """A server started by a Python process of its own."""

    program: subprocess.Popen[str]
    pid: int
    url: str

    def finish(self) -> int:
        """End the program's standard input and give its exit code."""
        self.program.communicate(timeout=60)
        return self.program.returncode


@contextmanager
def started_elsewhere(
    kind: str, folder: Path, *, binaries: Path | None = None, uid: int | None = None
) -> Iterator[StartedServer]:
    """Run started_server.py and give what it started; ends the program whatever happens."""
    asked = {
        "kind": kind,
        "folder": str(folder),
        "binaries": str(binaries) if binaries else None,
        "uid": uid,
    }
    program = subprocess.Popen(
        [sys.executable, "-B", Path(__file__).with_name("started_server.py"), json.dumps(asked)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )
    with program:
        assert program.stdout is not None
        line = program.stdout.readline()
        assert line, "the program ended without an answer; its standard error says why"
        told = json.loads(line)
        yield StartedServer(program, told["pid"], told["url"])
        program.kill()


def ends_within(pid: int, seconds: float) -> bool:
    """Wait for the end of a process that is not our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        readable, _, _ = select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)
    return bool(readable)


def listening_tcp_inodes(pid: int) -> set[str]:
    """Give the inodes of the listening TCP sockets that the process has open (proc(5))."""
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
    opened = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    return listening & opened
