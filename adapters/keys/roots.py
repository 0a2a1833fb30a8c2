"""Roots: what wraps tenant keys. One file, several files while the root is changed, or a KMS.

A new root lies beside the old one until every tenant key is wrapped by it; then it takes the old
one's name. Processes that run meanwhile, with the old one in memory, find it in the folder when
they need it: nothing is restarted.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from adapters.keys.files import sync_folder
from adapters.keys.refused import KeyCommitmentMismatch
from adapters.keys.root import RootKey


class Root(Protocol):
    """Wraps and unwraps tenant keys, bound to tenant and version."""

    async def wrap(self, tenant: str, version: int, secret: bytes) -> bytes:
        """The wrapped key. Raises RootUnavailable."""

    async def unwrap(self, tenant: str, version: int, wrapped: bytes) -> bytes:
        """The tenant key. Raises KeyCommitmentMismatch (another root), BodyTampered and
        RootUnavailable."""


class ChangingRoot(Root, Protocol):
    """A root that can be changed for another while it is in use."""

    def begin(self) -> None:
        """From now on a new one wraps. Interrupted, it is begun once more."""

    def conclude(self, now: datetime) -> Path | None:
        """Nothing is wrapped by the old one any more; the file in which it is kept, if any."""


async def opened_by(roots: Sequence[Root], tenant: str, version: int, wrapped: bytes) -> bytes:
    """The tenant key by whichever of the roots wrapped it. Raises as the last one does."""
    for root in roots[:-1]:
        try:
            return await root.unwrap(tenant, version, wrapped)
        except KeyCommitmentMismatch:
            continue
    return await roots[-1].unwrap(tenant, version, wrapped)


class Roots:
    """The root that wraps, and others that wrapped before: an installation moves between them."""

    def __init__(self, newest: ChangingRoot, before: Sequence[Root] = ()) -> None:
        """`before` open what they wrapped, and wrap nothing."""
        self._newest = newest
        self._all = (newest, *before)

    async def wrap(self, tenant: str, version: int, secret: bytes) -> bytes:
        """By the newest. See Root."""
        return await self._newest.wrap(tenant, version, secret)

    async def unwrap(self, tenant: str, version: int, wrapped: bytes) -> bytes:
        """By whichever wrapped it. See Root."""
        return await opened_by(self._all, tenant, version, wrapped)

    def begin(self) -> None:
        """See ChangingRoot."""
        self._newest.begin()

    def conclude(self, now: datetime) -> Path | None:
        """See ChangingRoot."""
        return self._newest.conclude(now)


class RootFiles:
    """The root key in a file, beside it the next one while it is changed, and retired ones."""

    def __init__(self, path: Path) -> None:
        """Raises RootKeyMissing, RootKeyExposed and RootKeyMalformed."""
        self._path = path
        self._next = path.with_name(f"{path.name}.next")
        self._known = [RootKey.load(path)]

    async def wrap(self, tenant: str, version: int, secret: bytes) -> bytes:
        """By the newest root, as it is on the disk at this moment. See Root."""
        await asyncio.to_thread(self._look)
        return await self._known[0].wrap(tenant, version, secret)

    async def unwrap(self, tenant: str, version: int, wrapped: bytes) -> bytes:
        """By whichever root wrapped it. See Root."""
        try:
            return await self._unwrap(tenant, version, wrapped)
        except KeyCommitmentMismatch:
            await asyncio.to_thread(self._look)
            return await self._unwrap(tenant, version, wrapped)

    def begin(self) -> None:
        """Make the next root, durably; nothing happens where an interrupted change left one."""
        RootKey.load_or_create(self._next)
        self._look()

    def conclude(self, now: datetime) -> Path | None:
        """The next root takes the name; where the old one lies then, None where nothing changes.

        Only when nothing is wrapped by the old one any more. Whoever keeps its file keeps what old
        copies of the key store open: it is the operator's to destroy, with those copies.
        """
        if not self._next.exists():
            return None
        retired = self._path.with_name(f"{self._path.name}.retired-{now:%Y-%m-%dT%H-%M-%SZ}")
        # Whoever looks between the two finds the old one under its old name, and the next one.
        retired.hardlink_to(self._path)
        self._next.replace(self._path)
        sync_folder(self._path.parent)
        self._look()
        return retired

    async def _unwrap(self, tenant: str, version: int, wrapped: bytes) -> bytes:
        return await opened_by(self._known, tenant, version, wrapped)

    def _look(self) -> None:
        """The next root, the one of the name, the retired ones, the newest first."""
        retired = sorted(self._path.parent.glob(f"{self._path.name}.retired-*"), reverse=True)
        paths = [path for path in (self._next, self._path) if path.exists()]
        self._known = [RootKey.load(path) for path in (*paths, *retired)]
