"""The check of what was destroyed: each such key has an erasure event that orders it. Pure.

The key store's signed tombstone names the event and its position. A position beyond the log means
that the log is a copy from before the erasure: the key is gone there, too, and nothing is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from adapters.keys.port import KeptKey, Tombstone
from adapters.proofs.findings import Wrong


@dataclass(frozen=True, slots=True)
class Ordering:
    """An erasure event of the log, and the keys that it destroys; unreadable ones name none."""

    event_id: str
    keys: frozenset[str]


class ErasureCheck:
    """Collects the destroyed keys of bodies, then holds them to the log."""

    def __init__(self) -> None:
        """Nothing was destroyed yet."""
        self.orders: dict[Tombstone, int] = {}
        """Each order with the position where a key that it destroyed was first used."""
        self.keys: set[str] = set()
        self._unordered: dict[str, int] = {}

    def take(self, key: str, kept: KeptKey, position: int) -> None:
        """A key that sealed the body at this position."""
        if not kept.destroyed or key in self.keys:
            return
        self.keys.add(key)
        if kept.tombstone is None:
            self._unordered[key] = position
        else:
            self.orders.setdefault(kept.tombstone, position)

    def later(self, last: int) -> tuple[str, ...]:
        """The keys whose erasure is beyond the last position, as their orders name them."""
        return tuple(sorted({order.key_id for order in self.orders if order.position > last}))

    def close(
        self,
        events: Mapping[int, Ordering],
        destroyed: Mapping[str, int],
        kept: Mapping[str, KeptKey | None],
        last: int,
    ) -> Iterator[Wrong]:
        """What is wrong.

        `events` are all erasure events by position, `destroyed` is what the log refuses to seal
        with, by the position that it says, `kept` what the key store has of all keys of both.
        """
        for key, position in self._unordered.items():
            yield Wrong(position, "destroyed-key", f"nobody ordered to destroy {key}")
        for order, position in self.orders.items():
            event = events.get(order.position)
            if order.position <= last and (
                event is None or event.event_id != order.event_id or order.key_id not in event.keys
            ):
                detail = f"no erasure at {order.position} orders to destroy {order.key_id}"
                yield Wrong(position, "destroyed-key", detail)
        for position, event in events.items():
            for key in sorted(event.keys):
                if key not in destroyed:
                    yield Wrong(position, "destroyed-key", f"the log would take what {key} seals")
                elif (found := kept.get(key)) is not None and not found.destroyed:
                    yield Wrong(position, "revived-key", key)
        for key, position in destroyed.items():
            event = events.get(position)
            if event is None or key not in event.keys:
                yield Wrong(position, "destroyed-key", f"no erasure, and {key} is refused")
