"""Backups: the database whole, its write-ahead log as it grows, received bytes, keys apart."""

from adapters.backup.copies import copied, copy_keys, copy_objects, named, prune_keys
from adapters.backup.database import (
    BackupFailed,
    LogGap,
    ProgramsMissing,
    base_backup,
    followed,
    laid_out,
    programs,
)
from adapters.backup.manifest import BackupDamaged, Manifest

__all__ = [
    "BackupDamaged",
    "BackupFailed",
    "LogGap",
    "Manifest",
    "ProgramsMissing",
    "base_backup",
    "copied",
    "copy_keys",
    "copy_objects",
    "followed",
    "laid_out",
    "named",
    "programs",
    "prune_keys",
]
