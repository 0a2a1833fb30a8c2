"""Which account a PostgreSQL server runs as, given that it refuses root.

An ordinary user runs it as itself. Root runs it in a user namespace that maps root to another
number: files stay root's outside, and a folder below root's 0700 home stays reachable. Where
namespaces are not permitted, an existing unprivileged user who can reach the folder does, and the
folder is handed to it. No account is ever created.
"""

import os
import pwd
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from adapters.embedded.errors import NoUsableAccount
from adapters.embedded.process import Account, run

UNPRIVILEGED_NAMES = ("postgres", "nobody")
# Reaches the folder, may write there, and can execute the binary: in that order.
PROBE = 'cd "$1" && test -w . && exec "$2" --version'


def choose_account(folder: Path, binary: Path) -> tuple[Account, int]:
    """Give an account that can run `binary` in `folder`, and the major version of the binary.

    Only a probe that really ran counts. With an account to become, `folder` and all below it
    belong to that user afterwards. Raises NoUsableAccount.
    """
    tried = []
    owner = folder.stat()
    for account in _candidates(folder):
        give(folder, account)
        answer = _probe(folder, binary, account)
        version = re.search(r"PostgreSQL\) (\d+)", answer)
        if version is not None:
            return account, int(version[1])
        tried.append(f"{account}: {answer.strip() or 'cannot write to the folder'}")
        if account.uid is not None:
            give(folder, Account(uid=owner.st_uid, gid=owner.st_gid))
    raise NoUsableAccount(folder, tried)


def _probe(folder: Path, binary: Path, account: Account) -> str:
    """Give what the binary says of its version, or why the account cannot run it."""
    try:
        return run(["sh", "-c", PROBE, "sh", folder, binary], account).stdout
    except PermissionError as error:  # the account may not even execute sh or setpriv
        return str(error)


def give(path: Path, account: Account) -> None:
    """Hand `path` and all below it to the account, when that is a user to become."""
    if account.uid is None or account.gid is None:
        return
    os.chown(path, account.uid, account.gid, follow_symlinks=False)
    for parent, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(parent, name), account.uid, account.gid, follow_symlinks=False)


def _candidates(folder: Path) -> Iterator[Account]:
    us = os.geteuid()
    if us != 0:
        # initdb looks its user up; a container's arbitrary number has no entry, so map it too.
        yield from [Account()] if _entry(us) else _namespaces()
        return
    owner, parent = folder.stat().st_uid, folder.parent.stat().st_uid
    yield from _users([owner])
    yield from _namespaces()
    yield from _users([parent, *UNPRIVILEGED_NAMES])


def _namespaces() -> Iterator[Account]:
    """Map us to an ordinary user who has an account entry, because initdb looks its user up."""
    unshare = shutil.which("unshare")
    mapped = _entry("nobody") or next((who for who in pwd.getpwall() if who.pw_uid), None)
    if unshare is not None and mapped is not None:
        user, group = f"--map-user={mapped.pw_uid}", f"--map-group={mapped.pw_gid}"
        yield Account(prefix=(unshare, "--user", user, group))


def _users(wanted: list[int | str]) -> Iterator[Account]:
    for who in wanted:
        entry = _entry(who)
        if entry is not None and entry.pw_uid != 0:
            yield Account(uid=entry.pw_uid, gid=entry.pw_gid)


def _entry(who: int | str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(who) if isinstance(who, int) else pwd.getpwnam(who)
    except KeyError:
        return None
