"""PostgreSQL and Valkey from PyPI wheels, started below a folder of ours: demo and tests only.

Both listen on a unix socket inside a folder of mode 0700 and on no TCP port. That folder is the
whole access control, so the socket trusts whoever reaches it. Servers stop with their context
manager; on Linux the kernel also stops them when the process that started them dies.
"""

from adapters.embedded.errors import (
    EmbeddedServerError,
    FolderNotPrivate,
    NoUsableAccount,
    OtherMajorVersion,
    ServerAlreadyRunning,
    ServerDidNotStart,
    ServerNotInstalled,
    SocketPathTooLong,
)
from adapters.embedded.postgres import EmbeddedPostgres, start_postgres
from adapters.embedded.valkey import EmbeddedValkey, start_valkey

__all__ = [
    "EmbeddedPostgres",
    "EmbeddedServerError",
    "EmbeddedValkey",
    "FolderNotPrivate",
    "NoUsableAccount",
    "OtherMajorVersion",
    "ServerAlreadyRunning",
    "ServerDidNotStart",
    "ServerNotInstalled",
    "SocketPathTooLong",
    "start_postgres",
    "start_valkey",
]
