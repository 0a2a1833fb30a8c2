"""A root that never leaves its service: what it wrapped carries the service's name.

Wrapped: "K" (1 byte) | first 16 bytes of SHA-256 of the root's URL | the service's ciphertext. The
first byte tells it from what a root file wrapped, the name from what another service did, so that
tenant keys find their root by themselves while an installation moves from one to the other.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from adapters.keys.refused import KeyCommitmentMismatch
from adapters.keys.seal import bound as told_apart

MARK: Final = b"K"
_NAME_BYTES: Final = 16


class Cipher(Protocol):
    """One symmetric key of a service. `bound` is authenticated and not secret.

    A service's own log shows it, so it says nothing about a person.
    """

    async def encrypt(self, secret: bytes, bound: Mapping[str, str]) -> bytes:
        """By the newest version of the key. Raises RootUnavailable."""
        ...

    async def decrypt(self, wrapped: bytes, bound: Mapping[str, str]) -> bytes:
        """By the version that wrapped it. Raises BodyTampered and RootUnavailable."""
        ...


class KmsRoot:
    """A Root whose key is in a service, which keeps its versions: a change makes no file."""

    def __init__(self, url: str, cipher: Cipher) -> None:
        """`url` names the key in settings; with another name nothing opens that is wrapped."""
        self._prefix = MARK + hashlib.sha256(url.encode()).digest()[:_NAME_BYTES]
        self._cipher = cipher

    async def wrap(self, tenant: str, version: int, secret: bytes) -> bytes:
        """By the newest version of the service's key. See Root."""
        return self._prefix + await self._cipher.encrypt(secret, _bound(tenant, version))

    async def unwrap(self, tenant: str, version: int, wrapped: bytes) -> bytes:
        """The tenant key. See Root."""
        if not wrapped.startswith(self._prefix):
            raise KeyCommitmentMismatch("root")
        return await self._cipher.decrypt(wrapped[len(self._prefix) :], _bound(tenant, version))

    def begin(self) -> None:
        """Nothing to make: a new version is made in the service."""

    def conclude(self, _now: datetime) -> Path | None:
        """Nothing to keep. See ChangingRoot."""
        return None


def associated(bound: Mapping[str, str]) -> bytes:
    """What a key is bound to, for services that authenticate bytes and not names with values."""
    return told_apart("root", *(word for pair in sorted(bound.items()) for word in pair))


def _bound(tenant: str, version: int) -> dict[str, str]:
    return {"anamnesis-tenant": tenant, "anamnesis-version": str(version)}
