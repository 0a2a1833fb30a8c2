"""Opened keys of a running process: bounded, and emptied at once of what is destroyed.

Only keys are kept, never the plaintext of a body. Used from one event loop, without locks.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NamedTuple

from adapters.keys.seal import DataKey

MOST_SEALED: Final = 2**26
"""Bodies that one process seals with a key before a new epoch; sixty processes stay below 2**32,
the bound of NIST SP 800-38D for random nonces."""


class Place(NamedTuple):
    """Where a compartment lies: tenant x owner (a chart, a person) x key class."""

    tenant: str
    owner: str
    key_class: str


@dataclass(frozen=True, slots=True)
class CachedKey:
    """An opened key with what decides whether it may still be handed out."""

    key: DataKey
    tenant: str
    parent: str | None
    place: Place | None = None


class KeyCache:
    """The most recently used keys, at most `capacity`, and the ids that were revoked."""

    def __init__(self, capacity: int) -> None:
        """Raises ValueError when `capacity` is not positive."""
        if capacity < 1:
            raise ValueError("a key cache holds at least one key")
        self._capacity = capacity
        self._keys: OrderedDict[str, CachedKey] = OrderedDict()
        self._current: dict[Place, str] = {}
        self._revoked: set[tuple[str, str | None]] = set()

    def get(self, tenant: str, key_id: str) -> DataKey | None:
        """The key, if it is held and belongs to this tenant."""
        held = self._keys.get(key_id)
        if held is None or held.tenant != tenant:
            return None
        self._keys.move_to_end(key_id)
        return held.key

    def current(self, place: Place) -> DataKey | None:
        """The key of the newest epoch known here, unless it has sealed enough."""
        key_id = self._current.get(place)
        key = None if key_id is None else self.get(place.tenant, key_id)
        return key if key is not None and key.sealed < MOST_SEALED else None

    def keep(self, held: CachedKey) -> None:
        """Hold a key that was just opened; the least recently used key gives way."""
        self._keys[held.key.id] = held
        self._keys.move_to_end(held.key.id)
        if len(self._keys) > self._capacity:
            _, dropped = self._keys.popitem(last=False)
            self._forget_place(dropped)

    def make_current(self, place: Place, key_id: str) -> None:
        """Remember a held key as that of the newest epoch of its place."""
        if key_id in self._keys:
            self._current[place] = key_id

    def is_revoked(self, tenant: str, key_id: str, parent: str | None) -> bool:
        """Whether the key or the key above it was revoked in this process."""
        return (tenant, key_id) in self._revoked or (tenant, parent) in self._revoked

    def revoke(self, tenant: str, key_ids: Collection[str]) -> None:
        """Drop these keys and the keys directly below them, and never hold them again."""
        self._revoked.update((tenant, key_id) for key_id in key_ids)
        gone = [
            held
            for held in self._keys.values()
            if self.is_revoked(held.tenant, held.key.id, held.parent)
        ]
        for held in gone:
            del self._keys[held.key.id]
            self._forget_place(held)

    def _forget_place(self, held: CachedKey) -> None:
        if held.place is not None and self._current.get(held.place) == held.key.id:
            del self._current[held.place]
