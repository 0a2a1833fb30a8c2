"""The key store in a PostgreSQL of its own."""

from adapters.keys.postgres.copies import copy_in, copy_out
from adapters.keys.postgres.store import PostgresKeyStore

__all__ = ["PostgresKeyStore", "copy_in", "copy_out"]
