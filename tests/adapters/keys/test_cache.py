"""The cache of opened keys is bounded in every part."""

import os

import pytest

from adapters.keys import DataKey
from adapters.keys.cache import CachedKey, KeyCache, Place


def test_a_key_that_gives_way_takes_its_place_with_it() -> None:
    cache = KeyCache(10)
    for n in range(100):
        place = Place("clinic", f"chart {n}", "clinical")
        key = DataKey(f"key {n}", os.urandom(32))
        cache.keep(CachedKey(key, "clinic", "tenant key", place))
        cache.make_current(place, key.id)
        assert cache.current(place) is key
    assert len(cache._keys) == len(cache._current) == 10


def test_a_key_that_is_not_held_is_not_made_current() -> None:
    cache = KeyCache(10)
    place = Place("clinic", "chart", "clinical")
    cache.make_current(place, "gone")
    assert cache.current(place) is None
    assert cache._current == {}


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_cache_without_room_is_refused(capacity: int) -> None:
    with pytest.raises(ValueError, match="at least one key"):
        KeyCache(capacity)
