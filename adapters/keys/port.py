"""The key store as the tree sees it: records of wrapped keys, and the port that keeps them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Kind = Literal["tenant", "compartment", "item"]


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One wrapped key. `epoch` is the version of a tenant key and 0 for an item."""

    id: str
    tenant: str
    kind: Kind
    owner: str
    key_class: str
    epoch: int
    parent: str | None
    wrapped: bytes
    commitment: bytes
    destroyed: bool = False
    """Its wrapped bytes are overwritten with zeros; the commitment stays."""
    created_at: int = field(default=0, compare=False)
    """Seconds since 1970, as the store noted it."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The order to destroy a key and all below it, with the erasure event that demands it.

    As kept with one of these keys, `signature` is the tenant's over the order and that key, so that
    nobody else can have ordered it, nor turn it against another key.
    """

    key_id: str
    tenant: str
    event_id: str
    position: int
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What the store has of a key; `tombstone` is the signed order that destroyed it, if any."""

    commitment: bytes
    destroyed: bool = False
    tombstone: Tombstone | None = None


class KeyStore(Protocol):
    """The port. Every method raises KeyStoreUnavailable when the store cannot answer."""

    async def put(self, record: KeyRecord) -> KeyRecord:
        """Keep the record durably and return what is kept.

        Of two compartment (or tenant) keys for one place and epoch the first is kept, and both
        callers get it. Raises KeyDestroyed when the parent is destroyed.
        """
        ...

    async def epochs(self, tenant: str, kind: Kind, owner: str, key_class: str) -> tuple[str, ...]:
        """Ids of the keys of one place, oldest epoch first, destroyed ones included."""
        ...

    async def load(self, tenant: str, key_ids: Collection[str]) -> dict[str, KeyRecord]:
        """The records of the tenant with these ids, and of all keys above them, by id."""
        ...

    async def page(self, tenant: str, kind: Kind, after: str, most: int) -> tuple[KeyRecord, ...]:
        """Keys of a kind by id, beyond the id `after`, those that are destroyed left out."""
        ...

    async def rewrap(self, records: Sequence[KeyRecord]) -> int:
        """Keep these keys under another parent or root; how many. What is destroyed stays so."""
        ...

    async def places(self, tenant: str, owner: str) -> tuple[KeyRecord, ...]:
        """The compartments of an owner, of every class and epoch, destroyed ones included."""
        ...

    async def tombstones(self, tenant: str, key_ids: Collection[str]) -> dict[str, Tombstone]:
        """The order that destroyed each of these keys, which may name one above it."""
        ...

    async def below(self, tenant: str, key_id: str) -> frozenset[str]:
        """A key and all below it; nothing where there is none."""
        ...

    async def destroy(
        self, tombstone: Tombstone, signatures: Mapping[str, bytes]
    ) -> frozenset[str]:
        """Destroy a key and all below it, durably; the ids concerned. Idempotent; of several orders
        the last one is kept, as when a log was restored from before the first.

        `signatures` has one for each of them. Raises KeyMissing, KeyUnsigned where one is new, and
        KeyDestructionIncomplete when it has to be repeated.
        """
        ...

    async def close(self) -> None:
        """Finish what was put and let go of the store."""
        ...
