"""Start one embedded server, as another user if asked, and stop it at the end of standard input.

A program of its own, so that a test can kill it, and can give up root without a fork. Its one
argument is JSON: kind, folder, binaries or null, uid or null. It answers with one line of JSON.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import psycopg

from adapters.embedded import start_postgres, start_valkey


def become(uid: int, folder: Path) -> None:
    """Give up root for `uid`, once everything that may lie in root's home is imported."""
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(host=str(folder), connect_timeout=2)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def main() -> None:
    """Do what the argument asks."""
    asked = json.loads(sys.argv[1])
    folder = Path(asked["folder"])
    if asked["uid"] is not None:
        become(asked["uid"], folder)
    if asked["kind"] == "valkey":
        with start_valkey(folder) as valkey:
            answer(valkey.pid, valkey.url())
    else:
        binaries = Path(asked["binaries"]) if asked["binaries"] else None
        with start_postgres(folder, binaries=binaries) as postgres:
            answer(postgres.pid, postgres.dsn())


def answer(pid: int, url: str) -> None:
    """Tell the server's process id and address, then wait for the end of standard input."""
    print(json.dumps({"pid": pid, "url": url}), flush=True)
    sys.stdin.read()


main()
