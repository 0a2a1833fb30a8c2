"""Backups: the database whole, its write-ahead log as it grows, received bytes, keys apart."""

from adapters.backup.copies import copy_keys, copy_objects, prune_keys
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
    "copy_keys",
    "copy_objects",
    "followed",
    "laid_out",
    "programs",
    "prune_keys",
]
