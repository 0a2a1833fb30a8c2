"""The key tree: who gets which key, and who never gets one again."""

import asyncio
import sqlite3
from pathlib import Path
from unittest.mock import ANY

import pytest

from adapters.keys import (
    DataKey,
    KeptKey,
    KeyDestroyed,
    KeyDestructionIncomplete,
    KeyMissing,
    KeyTree,
    RootKey,
    SqliteKeyStore,
    WrappedKeyTampered,
)

pytestmark = pytest.mark.anyio


def edit(tmp_path: Path, statement: str, **values: str) -> None:
    connection = sqlite3.connect(tmp_path / "keys" / "keys.db")
    with connection:
        connection.execute(statement, values)
    connection.close()


async def test_a_compartment_has_one_key(tree: KeyTree, store: SqliteKeyStore) -> None:
    keys = await asyncio.gather(*(tree.compartment("a", "chart", "clinical") for _ in range(50)))
    assert len({key.id for key in keys}) == 1
    assert store.commits == 2  # the tenant's key and the compartment's


async def test_owners_classes_and_tenants_have_keys_of_their_own(tree: KeyTree) -> None:
    places = [("a", "c", "x"), ("a", "c", "y"), ("a", "d", "x"), ("b", "c", "x")]
    keys = [await tree.compartment(*place) for place in places]
    assert len({key.id for key in keys}) == len({key.commitment for key in keys}) == 4


async def test_another_process_opens_the_same_keys(tree: KeyTree, elsewhere: KeyTree) -> None:
    compartment = await tree.compartment("a", "chart", "clinical")
    item = await tree.item("a", "chart", "clinical")
    sealed = item.seal(b"report", b"header")
    assert (await elsewhere.compartment("a", "chart", "clinical")).id == compartment.id
    assert (await elsewhere.by_id("a", item.id)).open(sealed, b"header") == b"report"


async def test_a_compartment_key_is_readable_elsewhere_when_it_is_handed_out(
    tree: KeyTree, tmp_path: Path
) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    second = sqlite3.connect(tmp_path / "keys" / "keys.db")
    found = second.execute("SELECT length(wrapped), commitment FROM key WHERE id = ?", (key.id,))
    assert found.fetchall() == [(93, key.commitment)]
    second.close()


async def test_every_item_has_a_new_key_and_they_share_commits(
    tree: KeyTree, store: SqliteKeyStore
) -> None:
    keys = await asyncio.gather(*(tree.item("a", "chart", "clinical") for _ in range(200)))
    assert len({key.id for key in keys}) == 200
    assert store.commits <= 20


async def test_opened_keys_are_found_without_waiting(tree: KeyTree) -> None:
    assert tree.cached_compartment("a", "chart", "clinical") is None
    key = await tree.compartment("a", "chart", "clinical")
    assert tree.cached_compartment("a", "chart", "clinical") is key
    assert tree.cached("a", key.id) is key
    assert await tree.by_id("a", key.id) is key


async def test_a_key_of_another_tenant_is_missing(tree: KeyTree, elsewhere: KeyTree) -> None:
    key = await tree.item("a", "chart", "clinical")
    for reader in (tree, elsewhere):
        assert reader.cached("b", key.id) is None
        with pytest.raises(KeyMissing):
            await reader.by_id("b", key.id)
        assert isinstance((await reader.by_ids("b", [key.id]))[key.id], KeyMissing)
        assert await reader.kept("b", [key.id]) == {key.id: None}
        with pytest.raises(KeyMissing):
            await reader.destroy("b", key.id, "event", 1)
    tree.revoke("b", [key.id])
    assert tree.cached("a", key.id) is key


async def test_a_tenant_key_is_not_handed_out(
    tree: KeyTree, store: SqliteKeyStore, elsewhere: KeyTree, tmp_path: Path
) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    (tenant_key,) = await store.epochs("a", "tenant", "", "")
    for reader in (tree, elsewhere):
        with pytest.raises(KeyMissing):
            await reader.by_id("a", tenant_key)
    edit(tmp_path, "UPDATE key SET parent = :key WHERE kind = 'tenant'", key=key.id)
    with pytest.raises(KeyMissing):
        await tree.by_id("a", tenant_key)


async def test_many_ids_are_answered_with_keys_and_reasons(
    tree: KeyTree, elsewhere: KeyTree
) -> None:
    kept, gone = [await tree.item("a", "chart", "clinical") for _ in range(2)]
    await tree.destroy("a", gone.id, "event", 1)
    for reader in (tree, elsewhere):
        found = await reader.by_ids("a", [kept.id, gone.id, "unknown", kept.id])
        assert {key_id: type(answer) for key_id, answer in found.items()} == {
            kept.id: DataKey,
            gone.id: KeyDestroyed,
            "unknown": KeyMissing,
        }
        assert await reader.kept("a", [kept.id, gone.id, "unknown"]) == {
            kept.id: KeptKey(kept.commitment),
            gone.id: KeptKey(gone.commitment, destroyed=True, tombstone=ANY),
            "unknown": None,
        }


async def test_ids_of_open_keys_are_answered_without_the_store(
    tree: KeyTree, tmp_path: Path
) -> None:
    key = await tree.item("a", "chart", "clinical")
    edit(tmp_path, "DELETE FROM key")
    assert await tree.by_ids("a", [key.id]) == {key.id: key}


async def test_two_trees_that_create_at_once_get_one_key(tree: KeyTree, elsewhere: KeyTree) -> None:
    here, there = await asyncio.gather(
        tree.compartment("a", "chart", "clinical"), elsewhere.compartment("a", "chart", "clinical")
    )
    assert there.open(here.seal(b"fact", b""), b"") == b"fact"
    assert here.id == there.id


@pytest.mark.parametrize("kind", ["item", "compartment", "tenant"])
async def test_an_item_that_was_lost_or_hangs_on_nothing_is_missing(
    tree: KeyTree, elsewhere: KeyTree, tmp_path: Path, kind: str
) -> None:
    item = await tree.item("a", "chart", "clinical")
    edit(tmp_path, "DELETE FROM key WHERE kind = :kind", kind=kind)
    with pytest.raises(KeyMissing) as refusal:
        await elsewhere.by_id("a", item.id)
    assert refusal.value.key_id == item.id


async def test_an_incomplete_destruction_already_refuses_the_key(
    tree: KeyTree, store: SqliteKeyStore, tmp_path: Path
) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    await store._run(store._connection.execute, "PRAGMA busy_timeout = 20")
    reader = sqlite3.connect(tmp_path / "keys" / "keys.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM key").fetchone()
    with pytest.raises(KeyDestructionIncomplete):
        await tree.destroy("a", key.id, "event", 1)
    reader.close()
    with pytest.raises(KeyDestroyed):
        await tree.by_id("a", key.id)


async def test_a_destroyed_compartment_takes_its_items_and_refuses_new_ones(
    tree: KeyTree, elsewhere: KeyTree
) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    item = await tree.item("a", "chart", "clinical")
    other = await tree.compartment("a", "chart", "audit")
    await tree.destroy("a", key.id, "event", 1)
    assert tree.cached_compartment("a", "chart", "clinical") is None
    for reader in (tree, elsewhere):
        for key_id in (key.id, item.id):
            assert reader.cached("a", key_id) is None
            with pytest.raises(KeyDestroyed):
                await reader.by_id("a", key_id)
        with pytest.raises(KeyDestroyed):
            await reader.compartment("a", "chart", "clinical")
        with pytest.raises(KeyDestroyed):
            await reader.item("a", "chart", "clinical")
        assert (await reader.compartment("a", "chart", "audit")).id == other.id


async def test_a_new_epoch_serves_after_a_destroyed_one_and_beside_a_living_one(
    tree: KeyTree, elsewhere: KeyTree
) -> None:
    first = await tree.compartment("a", "chart", "clinical")
    second = await tree.open_epoch("a", "chart", "clinical")
    assert await tree.by_id("a", first.id) is first
    assert tree.cached_compartment("a", "chart", "clinical") is second
    await tree.destroy("a", second.id, "event", 1)
    third = await tree.open_epoch("a", "chart", "clinical")
    assert len({first.id, second.id, third.id}) == 3
    assert (await elsewhere.compartment("a", "chart", "clinical")).id == third.id


async def test_a_cache_elsewhere_cannot_add_items_to_a_destroyed_compartment(
    tree: KeyTree, elsewhere: KeyTree
) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    await elsewhere.compartment("a", "chart", "clinical")
    await tree.destroy("a", key.id, "event", 1)
    assert elsewhere.cached("a", key.id) is not None
    with pytest.raises(KeyDestroyed):
        await elsewhere.item("a", "chart", "clinical")
    assert elsewhere.cached("a", key.id) is None


async def test_a_revoked_compartment_leaves_a_running_cache_with_its_items(
    tree: KeyTree, elsewhere: KeyTree
) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    item = await tree.item("a", "chart", "clinical")
    await elsewhere.destroy("a", key.id, "event", 1)
    tree.revoke("a", [key.id])
    assert tree.cached("a", key.id) is None
    assert tree.cached("a", item.id) is None
    assert tree.cached_compartment("a", "chart", "clinical") is None


async def test_a_revoked_key_stays_refused_whatever_the_store_holds(tree: KeyTree) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    item = await tree.item("a", "chart", "clinical")
    tree.revoke("a", [key.id])
    found = await tree.by_ids("a", [key.id, item.id])
    assert [type(answer) for answer in found.values()] == [KeyDestroyed, KeyDestroyed]


async def test_a_key_destroyed_while_it_is_being_made_is_not_handed_out(tree: KeyTree) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    making = asyncio.create_task(tree.item("a", "chart", "clinical"))
    await asyncio.sleep(0)
    tree.revoke("a", [key.id])
    with pytest.raises(KeyDestroyed):
        await making


async def test_a_destroyed_tenant_key_leaves_nothing(tree: KeyTree, store: SqliteKeyStore) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    await tree.compartment("b", "chart", "clinical")
    (tenant_key,) = await store.epochs("a", "tenant", "", "")
    await tree.destroy("a", tenant_key, "event", 1)
    assert tree.cached("a", key.id) is None
    with pytest.raises(KeyDestroyed):
        await tree.compartment("a", "another chart", "clinical")
    with pytest.raises(KeyDestroyed):
        await tree.tenant_secret("a", "cursor")
    assert tree.cached_compartment("b", "chart", "clinical") is not None


CHANGES = {
    "bytes of another item": """
        UPDATE key SET wrapped = (SELECT wrapped FROM key WHERE id = :sibling) WHERE id = :item""",
    "bytes of a compartment": """
        UPDATE key SET wrapped = (SELECT wrapped FROM key WHERE id = :cousin) WHERE id = :item""",
    "zeros": "UPDATE key SET wrapped = zeroblob(93) WHERE id = :item",
    "id": """
        UPDATE key SET id = CASE id WHEN :item THEN '-' ELSE :item END
        WHERE id IN (:item, :sibling)""",
    "owner": "UPDATE key SET owner = 'another chart' WHERE id = :item",
    "class": "UPDATE key SET class = 'audit' WHERE id = :item",
    "epoch": "UPDATE key SET epoch = 1 WHERE id = :item",
    "kind": "UPDATE key SET kind = 'compartment' WHERE id = :item",
    "parent": "UPDATE key SET parent = :cousin WHERE id = :item",
    "circle of parents": "UPDATE key SET parent = :item WHERE id = :item",
    "circle of compartments": """
        UPDATE key SET parent = CASE id
            WHEN :cousin THEN (SELECT parent FROM key WHERE id = :item) ELSE :cousin END
        WHERE kind = 'compartment'""",
    "commitment": """
        UPDATE key SET commitment = (SELECT commitment FROM key WHERE id = :sibling)
        WHERE id = :item""",
    "tenant key's version": "UPDATE key SET epoch = 2 WHERE kind = 'tenant'",
    "tenant key's commitment": "UPDATE key SET commitment = zeroblob(32) WHERE kind = 'tenant'",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_a_wrapped_key_that_does_not_belong_to_its_row_is_refused(
    tree: KeyTree, elsewhere: KeyTree, tmp_path: Path, change: str
) -> None:
    item, sibling = [await tree.item("a", "chart", "clinical") for _ in range(2)]
    cousin = await tree.compartment("a", "another chart", "clinical")
    edit(tmp_path, change, item=item.id, sibling=sibling.id, cousin=cousin.id)
    with pytest.raises(WrappedKeyTampered):
        await elsewhere.by_id("a", item.id)


async def test_a_damaged_key_among_many_is_answered_for_itself_alone(
    tree: KeyTree, elsewhere: KeyTree, tmp_path: Path
) -> None:
    sound, damaged = [await tree.item("a", "chart", "clinical") for _ in range(2)]
    below = await tree.item("a", "another chart", "clinical")
    above = await tree.compartment("a", "another chart", "clinical")
    for key_id in (damaged.id, above.id):
        edit(tmp_path, CHANGES["zeros"], item=key_id)
    found = await elsewhere.by_ids("a", [sound.id, damaged.id, below.id])
    assert {key_id: type(answer) for key_id, answer in found.items()} == {
        sound.id: DataKey,
        damaged.id: WrappedKeyTampered,
        below.id: WrappedKeyTampered,
    }


async def test_a_damaged_tenant_key_is_raised_since_nothing_opens(
    tree: KeyTree, elsewhere: KeyTree, tmp_path: Path
) -> None:
    item = await tree.item("a", "chart", "clinical")
    edit(tmp_path, CHANGES["tenant key's commitment"])
    with pytest.raises(WrappedKeyTampered):
        await elsewhere.by_ids("a", [item.id])


async def test_a_key_moved_to_another_tenant_is_refused(
    tree: KeyTree, elsewhere: KeyTree, tmp_path: Path
) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    await tree.tenant_secret("b", "cursor")
    edit(
        tmp_path,
        "UPDATE key SET tenant = 'b', parent = (SELECT id FROM key WHERE tenant = 'b') "
        "WHERE id = :key",
        key=key.id,
    )
    with pytest.raises(WrappedKeyTampered):
        await elsewhere.by_id("b", key.id)


async def test_another_root_opens_nothing(tree: KeyTree, store: SqliteKeyStore) -> None:
    key = await tree.compartment("a", "chart", "clinical")
    stranger = KeyTree(RootKey(bytes(32)), store)
    with pytest.raises(WrappedKeyTampered):
        await stranger.by_id("a", key.id)
    with pytest.raises(WrappedKeyTampered):
        await stranger.compartment("a", "another", "clinical")


async def test_no_key_lies_in_the_store_in_clear(
    tree: KeyTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The secrets are known here because each is a marked pattern instead of random bytes.
    drawn = [bytes([n]) * 32 for n in (0xA1, 0xB2, 0xC3)]
    remaining = list(drawn)
    monkeypatch.setattr("adapters.keys.tree.os.urandom", lambda size: _draw(remaining, size))
    key = await tree.item("a", "chart", "clinical")
    monkeypatch.undo()
    assert remaining == []
    assert key.commitment == DataKey("x", drawn[2]).commitment
    disk = b"".join(path.read_bytes() for path in (tmp_path / "keys").iterdir())
    assert key.commitment in disk
    assert [secret[:1] for secret in drawn if secret[:8] in disk] == []


def _draw(remaining: list[bytes], size: int) -> bytes:
    return remaining.pop(0) if size == 32 else bytes(size - 1) + bytes([len(remaining)])


async def test_a_tenant_secret_is_the_same_everywhere_and_differs_by_purpose(
    tree: KeyTree, elsewhere: KeyTree
) -> None:
    here, there = await asyncio.gather(
        tree.tenant_secret("a", "cursor"), elsewhere.tenant_secret("a", "cursor")
    )
    assert here == there
    secrets = {
        here,
        await tree.tenant_secret("a", "command"),
        await tree.tenant_secret("b", "cursor"),
    }
    assert {len(secret) for secret in secrets} == {32}
    assert len(secrets) == 3


async def test_the_cache_keeps_the_keys_used_last(root: RootKey, store: SqliteKeyStore) -> None:
    tree = KeyTree(root, store, capacity=2)
    first = await tree.compartment("a", "1", "clinical")
    second = await tree.compartment("a", "2", "clinical")
    assert tree.cached("a", first.id) is first
    third = await tree.compartment("a", "3", "clinical")
    assert [tree.cached("a", key.id) for key in (first, second, third)] == [first, None, third]
    assert tree.cached_compartment("a", "2", "clinical") is None
    assert (await tree.compartment("a", "2", "clinical")).id == second.id


async def test_a_caller_who_gives_up_leaves_the_key_to_the_others(tree: KeyTree) -> None:
    callers = [asyncio.create_task(tree.compartment("a", "chart", "clinical")) for _ in range(3)]
    await asyncio.sleep(0)
    callers[0].cancel()
    refused, *keys = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(refused, asyncio.CancelledError)
    assert keys == [tree.cached_compartment("a", "chart", "clinical")] * 2
