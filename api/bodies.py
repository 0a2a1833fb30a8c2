"""Room for request bodies that are arriving or wait: bounded in all and for each caller."""

from api.lane import Refused


class BodyRoom:
    """So many bytes in all, and of them so many of one caller."""

    def __init__(self, total: int, per_caller: int) -> None:
        self._total = total
        self._per_caller = per_caller
        self._held: dict[str, int] = {}

    def hold(self, key: str, size: int) -> None:
        """Count bytes that have arrived. Raises Refused where there is no room for them."""
        own = self._held.get(key, 0) + size
        if own > self._per_caller or sum(self._held.values()) + size > self._total:
            raise Refused("queue-full")
        self._held[key] = own

    def release(self, key: str, size: int) -> None:
        """The bytes are in service, or gone."""
        left = self._held.pop(key, 0) - size
        if left > 0:
            self._held[key] = left
