"""Signed heads of logs: made from what is kept outside the database, and taken outside it."""

from adapters.heads.duty import HeadDuty
from adapters.heads.kept import HeadFile, KeptHead, KeptHeadDamaged
from adapters.heads.mailed import MailOutlet
from adapters.heads.outlets import (
    FileOutlet,
    HeadsUnreadable,
    Outlet,
    StoreOutlet,
    head_line,
    heads_in,
)
from adapters.heads.signer import HeadSigner
from adapters.postgres.exporting import LogForked

__all__ = [
    "FileOutlet",
    "HeadDuty",
    "HeadFile",
    "HeadSigner",
    "HeadsUnreadable",
    "KeptHead",
    "KeptHeadDamaged",
    "LogForked",
    "MailOutlet",
    "Outlet",
    "StoreOutlet",
    "head_line",
    "heads_in",
]
