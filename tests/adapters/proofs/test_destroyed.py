"""A destroyed key is well only where an erasure event of this log orders it, or of its future."""

import sqlite3
from contextlib import closing
from uuid import UUID, uuid4

import pytest

from domain.audit import EraseChart
from domain.kernel.perform import Request
from tests.adapters.proofs.conftest import Logs, operator
from tests.adapters.proofs.test_key_store import keys_by_first_use, tamper

pytestmark = pytest.mark.anyio
CHART = (
    "SELECT stream::text FROM event WHERE tenant = 'riverside' AND type = 'registry.chart-opened'"
)


async def tombstone(logs: Logs, key: str) -> tuple[str, int]:
    """Order the key's destruction; the event's id and position."""
    chart = await logs.owner.fetchval(f"{CHART} ORDER BY position LIMIT 1")
    wish = EraseChart(chart=chart, scope="everything", basis="test", reason="test", keys=(key,))
    request = Request(command=wish, actor=operator("riverside"), key=uuid4().hex)
    receipt = await logs.house.do(request)
    header = await logs.owner.fetchval(
        "SELECT convert_from(header, 'UTF8')::json->>'event' FROM event"
        " WHERE tenant = 'riverside' AND position = $1",
        receipt.last,
    )
    return header, receipt.last


async def erased(logs: Logs) -> tuple[str, int, int]:
    """A key that was erased as it should be: its id, its first use, its tombstone's position."""
    (_, _), (key, first), *_ = await keys_by_first_use(logs)
    event, position = await tombstone(logs, key)
    await logs.house.keys.destroy("riverside", key, event, position)
    assert await logs.found() == []
    return key, first, position


async def test_an_erasure_verifies_and_is_counted(logs: Logs) -> None:
    await erased(logs)
    outcome = await logs.verified()
    assert (outcome.ok, outcome.erased_keys, outcome.erased_later) == (True, 1, ())


async def test_a_key_that_was_destroyed_without_an_erasure_is_found(logs: Logs) -> None:
    (key, position), *_ = await keys_by_first_use(logs)
    await logs.house.keys.destroy("riverside", key, "the-erasure", position)
    assert await logs.found() == [(position, "destroyed-key")]


async def test_another_erasure_of_the_log_is_no_excuse(logs: Logs) -> None:
    await erased(logs)
    (_, _), (_, _), (key, first), *_ = await keys_by_first_use(logs)
    event, position = await tombstone(logs, str(uuid4()))
    await logs.house.keys.destroy("riverside", key, event, position)
    # The event is an erasure, and it ordered another key.
    assert (first, "destroyed-key") in await logs.found()


async def test_an_order_that_the_tenant_did_not_sign_is_no_order(logs: Logs) -> None:
    key, first, _ = await erased(logs)
    tamper(logs, ("UPDATE destroyed SET position = position + 100 WHERE id = ?", (key,)))
    assert (first, "destroyed-key") in await logs.found()


async def test_a_copy_from_before_the_erasure_says_that_it_came_later(logs: Logs) -> None:
    (_, _), (key, _), *_ = await keys_by_first_use(logs)
    before = (await logs.verified()).events
    await logs.house.keys.destroy("riverside", key, str(uuid4()), before + 7)
    outcome = await logs.verified()
    assert (outcome.ok, outcome.erased_later) == (True, (key,))


async def test_a_log_that_would_seal_with_a_destroyed_key_again_is_found(logs: Logs) -> None:
    _, _, position = await erased(logs)
    await logs.owner.execute("DELETE FROM destroyed_key")
    assert await logs.found() == [(position, "destroyed-key")]


async def test_a_key_that_somebody_only_forbids_is_found(logs: Logs) -> None:
    (_, _), (key, position), *_ = await keys_by_first_use(logs)
    await logs.owner.execute(
        "INSERT INTO destroyed_key VALUES ('riverside', $1, $2)", UUID(key), position
    )
    assert await logs.found() == [(position, "destroyed-key")]


async def test_an_order_that_was_turned_against_another_key_is_no_order(logs: Logs) -> None:
    erased_key, _, _ = await erased(logs)
    (_, _), (_, _), (victim, first), *_ = await keys_by_first_use(logs)
    copied = "SELECT ?, ordered, tenant, event_id, position, signature FROM destroyed WHERE id = ?"
    columns = "(id, ordered, tenant, event_id, position, signature)"
    tamper(
        logs,
        (f"INSERT INTO destroyed {columns} {copied}", (victim, erased_key)),
        ("UPDATE key SET wrapped = zeroblob(93), parent = ?2 WHERE id = ?1", (victim, erased_key)),
    )
    assert (first, "destroyed-key") in await logs.found()


async def denied_erasure(logs: Logs) -> int:
    """The position of an erasure of which the key store, put back to before it, knows nothing."""
    file = logs.house.settings.keys / "keys.sqlite3"
    (_, _), (key, _), *_ = await keys_by_first_use(logs)
    with closing(sqlite3.connect(file)) as store:
        wrapped = store.execute("SELECT wrapped FROM key WHERE id = ?", (key,)).fetchone()[0]
    _, _, position = await erased(logs)
    tamper(
        logs,
        ("DELETE FROM destroyed WHERE id = ?", (key,)),
        ("UPDATE key SET wrapped = ? WHERE id = ?", (wrapped, key)),
    )
    return position


async def test_an_erasure_that_the_database_and_an_old_key_store_deny_is_found(
    logs: Logs,
) -> None:
    position = await denied_erasure(logs)
    await logs.owner.execute("DELETE FROM destroyed_key")
    assert await logs.found() == [(position, "destroyed-key")]


async def test_a_key_store_from_before_the_erasure_is_found(logs: Logs) -> None:
    position = await denied_erasure(logs)
    assert await logs.found() == [(position, "revived-key")]
