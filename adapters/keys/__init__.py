"""The key tree: wrapped keys outside the event log, sealing, and destruction for erasure."""

from adapters.keys.compartments import BASE_CLASS
from adapters.keys.port import KeptKey, KeyRecord, KeyStore, Tombstone
from adapters.keys.postgres import PostgresKeyStore
from adapters.keys.refused import (
    BodyTampered,
    KeyCommitmentMismatch,
    KeyDestroyed,
    KeyDestructionIncomplete,
    KeyMissing,
    KeyRefused,
    KeysAway,
    KeyStoreInTheLog,
    KeyStoreOccupied,
    KeyStoreUnavailable,
    KeyUnsigned,
    RootKeyExposed,
    RootKeyMalformed,
    RootKeyMissing,
    RootUnavailable,
    WrappedKeyTampered,
)
from adapters.keys.root import RootKey
from adapters.keys.roots import ChangingRoot, Root, RootFiles, Roots
from adapters.keys.rotation import Rotation
from adapters.keys.seal import SEAL_OVERHEAD, DataKey
from adapters.keys.store import SqliteKeyStore
from adapters.keys.tree import KeyTree

__all__ = [
    "BASE_CLASS",
    "SEAL_OVERHEAD",
    "BodyTampered",
    "ChangingRoot",
    "DataKey",
    "KeptKey",
    "KeyCommitmentMismatch",
    "KeyDestroyed",
    "KeyDestructionIncomplete",
    "KeyMissing",
    "KeyRecord",
    "KeyRefused",
    "KeyStore",
    "KeyStoreInTheLog",
    "KeyStoreOccupied",
    "KeyStoreUnavailable",
    "KeyTree",
    "KeyUnsigned",
    "KeysAway",
    "PostgresKeyStore",
    "Root",
    "RootFiles",
    "RootKey",
    "RootKeyExposed",
    "RootKeyMalformed",
    "RootKeyMissing",
    "RootUnavailable",
    "Roots",
    "Rotation",
    "SqliteKeyStore",
    "Tombstone",
    "WrappedKeyTampered",
]
