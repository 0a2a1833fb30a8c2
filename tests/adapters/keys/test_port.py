"""What the port of the key store promises, by the store in a file and by that in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.embedded import EmbeddedPostgres
from adapters.keys import (
    KeyDestroyed,
    KeyMissing,
    KeyRecord,
    KeyStoreUnavailable,
    KeyTree,
    KeyUnsigned,
    PostgresKeyStore,
    RootKey,
    Rotation,
    SqliteKeyStore,
    Tombstone,
)
from tests.adapters.keys.records import COMPARTMENT, SIGNATURES

pytestmark = pytest.mark.anyio
Store = SqliteKeyStore | PostgresKeyStore


@pytest.fixture(params=["file", "postgres"])
async def either(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: EmbeddedPostgres
) -> AsyncIterator[Store]:
    """A store of each kind, empty."""
    if request.param == "file":
        opened: Store = SqliteKeyStore(tmp_path / "keys.db")
        yield opened
        await opened.close()
        return
    name = f"keys_{uuid4().hex}"
    made = PostgresKeyStore(postgres.create_database(name))
    await made.prepare()
    await made.prepare()
    yield made
    await made.close()
    postgres.drop_database(name)


async def test_puts_that_arrive_together_share_commits(either: Store) -> None:
    items = [replace(COMPARTMENT, id=f"{n}", kind="item", epoch=0) for n in range(200)]
    kept = await asyncio.gather(*map(either.put, items))
    assert list(kept) == items
    assert 1 <= either.commits <= 20


async def test_a_caller_who_gives_up_harms_no_one_else(either: Store) -> None:
    items = [replace(COMPARTMENT, id=f"{n}", kind="item", epoch=0) for n in range(10)]
    puts = [asyncio.create_task(either.put(item)) for item in items]
    await asyncio.sleep(0)
    puts[3].cancel()
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert isinstance(outcomes.pop(3), asyncio.CancelledError)
    assert outcomes == items[:3] + items[4:]


async def test_the_first_key_of_a_place_and_epoch_is_kept(either: Store) -> None:
    second = replace(COMPARTMENT, id="a second", wrapped=b"x" * 93)
    kept = await asyncio.gather(either.put(COMPARTMENT), either.put(second))
    assert list(kept) == [COMPARTMENT] * 2
    assert await either.epochs("clinic", "compartment", "chart", "clinical") == ("compartment",)


async def test_epochs_are_listed_oldest_first(either: Store) -> None:
    await either.put(COMPARTMENT)
    await either.put(replace(COMPARTMENT, id="a", epoch=2))
    await either.put(replace(COMPARTMENT, id="z", owner="other chart"))
    assert await either.epochs("clinic", "compartment", "chart", "clinical") == ("compartment", "a")


async def test_a_record_comes_with_those_above_it(either: Store) -> None:
    item = replace(COMPARTMENT, id="item", kind="item", epoch=0, parent="compartment")
    await either.put(COMPARTMENT)
    await either.put(item)
    assert await either.load("clinic", ["item", "unknown"]) == {
        "item": item,
        "compartment": COMPARTMENT,
    }
    assert await either.load("another clinic", ["item"]) == {}


async def test_a_refused_batch_is_reported_to_each_caller(either: Store) -> None:
    item = replace(COMPARTMENT, id="item", kind="item", epoch=0)
    await either.put(item)
    outcomes = await asyncio.gather(
        either.put(item), either.put(COMPARTMENT), return_exceptions=True
    )
    said = "The key store could not be read or written; nothing was handed out."
    assert {str(outcome) for outcome in outcomes} in (
        {f"{said} [IntegrityError]"},
        {f"{said} [UniqueViolationError]"},
    )
    assert all(isinstance(outcome, KeyStoreUnavailable) for outcome in outcomes)
    assert await either.put(COMPARTMENT) == COMPARTMENT


async def test_nothing_is_kept_below_a_destroyed_key(either: Store) -> None:
    await either.put(COMPARTMENT)
    await either.destroy(Tombstone("compartment", "clinic", "event", 7), SIGNATURES)
    below = replace(COMPARTMENT, id="item", kind="item", epoch=0, parent="compartment")
    other = replace(below, id="other", parent=None)
    refused, kept = await asyncio.gather(
        either.put(below), either.put(other), return_exceptions=True
    )
    assert isinstance(refused, KeyDestroyed)
    assert refused.key_id == "compartment"
    assert kept == other


async def test_a_key_of_another_tenant_is_not_destroyed(either: Store) -> None:
    await either.put(COMPARTMENT)
    with pytest.raises(KeyMissing):
        await either.destroy(Tombstone("compartment", "another clinic", "event", 7), SIGNATURES)
    assert await either.load("clinic", ["compartment"]) == {"compartment": COMPARTMENT}


async def test_destroying_takes_all_below_and_leaves_the_last_order(either: Store) -> None:
    item = replace(COMPARTMENT, id="item", kind="item", epoch=0, parent="compartment")
    await either.put(COMPARTMENT)
    await either.put(item)
    order = Tombstone("compartment", "clinic", "event", 7)
    with pytest.raises(KeyUnsigned):
        await either.destroy(order, {"compartment": b"s"})
    assert not (await either.load("clinic", ["item"]))["item"].destroyed
    assert await either.destroy(order, SIGNATURES) == {"compartment", "item"}
    later = replace(order, position=8)
    assert await either.destroy(later, SIGNATURES) == {"compartment", "item"}
    assert await either.tombstones("clinic", ["item", "compartment"]) == {
        one: replace(later, signature=b"s") for one in ("item", "compartment")
    }
    records = await either.load("clinic", ["item"])
    assert {one.id: (one.destroyed, set(one.wrapped)) for one in records.values()} == {
        "item": (True, {0}), "compartment": (True, {0})
    }  # fmt: skip


async def test_what_is_put_while_its_parent_is_destroyed_is_destroyed_or_refused(
    either: Store,
) -> None:
    await either.put(COMPARTMENT)
    items = [
        replace(COMPARTMENT, id=f"{n}", kind="item", epoch=0, parent="compartment")
        for n in range(40)
    ]
    order = Tombstone("compartment", "clinic", "event", 7)

    async def destroy() -> None:
        while True:
            below = await either.below("clinic", "compartment")
            try:
                await either.destroy(order, dict.fromkeys(below, b"s"))
            except KeyUnsigned:
                continue
            return

    async def put(item: KeyRecord, turns: int) -> bool:
        for _ in range(turns):
            await asyncio.sleep(0.001)
        try:
            await either.put(item)
        except KeyDestroyed:
            return False
        return True

    kept, _ = await asyncio.gather(
        asyncio.gather(*(put(item, n) for n, item in enumerate(items))), destroy()
    )
    records = await either.load("clinic", [item.id for item in items])
    assert {item.id for item, there in zip(items, kept, strict=True) if there} == (
        records.keys() - {"compartment"}
    )
    assert all(record.destroyed and set(record.wrapped) == {0} for record in records.values())


async def test_keys_are_paged_and_wrapped_anew_but_for_destroyed_ones(either: Store) -> None:
    records = [replace(COMPARTMENT, id=f"{n:02}", owner=f"chart {n}") for n in range(7)]
    await asyncio.gather(*map(either.put, records))
    gone = Tombstone("03", "clinic", "event", 7)
    await either.destroy(gone, {"03": b"s"})
    first = await either.page("clinic", "compartment", "", 4)
    rest = await either.page("clinic", "compartment", first[-1].id, 4)
    assert [one.id for one in (*first, *rest)] == ["00", "01", "02", "04", "05", "06"]
    anew = [replace(one, wrapped=b"n" * 93, parent="new") for one in records[:4]]
    assert await either.rewrap(anew) == 3
    assert await either.rewrap([]) == 0
    (kept,) = await either.places("clinic", "chart 1")
    assert (kept.wrapped, kept.parent) == (b"n" * 93, "new")
    assert set((await either.places("clinic", "chart 3"))[0].wrapped) == {0}


async def test_a_tree_seals_rotates_and_forgets(either: Store, tmp_path: Path) -> None:
    root = RootKey.load_or_create(tmp_path / "root.key")
    tree = KeyTree(root, either)
    keys = await asyncio.gather(
        *(tree.item("clinic", f"chart {n % 5}", "clinical") for n in range(200))
    )
    sealed = {key.id: key.seal(b"fact", b"") for key in keys}
    assert await Rotation(root, either).tenant("clinic", lambda _count: None) == 5
    again = KeyTree(root, either)
    compartment = (await either.places("clinic", "chart 3"))[0]
    await again.destroy("clinic", compartment.id, "event", 9)
    opened = await again.by_ids("clinic", sealed.keys())
    living = {one: key for one, key in opened.items() if not isinstance(key, Exception)}
    assert len(living) == 160
    assert all(key.open(sealed[one], b"") == b"fact" for one, key in living.items())
    assert {type(key) for one, key in opened.items() if one not in living} == {KeyDestroyed}
