"""The key store beside the log: swapped, lost and destroyed keys."""

import sqlite3
from contextlib import closing
from uuid import UUID

import pytest

from tests.adapters.proofs.conftest import Logs

pytestmark = pytest.mark.anyio

FIRST_USES = """SELECT convert_from(header, 'UTF8')::json->>'key' AS key, min(position) AS position
  FROM event WHERE tenant = 'riverside' GROUP BY 1 ORDER BY 2"""


async def keys_by_first_use(logs: Logs) -> list[tuple[str, int]]:
    return [(row["key"], row["position"]) for row in await logs.owner.fetch(FIRST_USES)]


def tamper(logs: Logs, *statements: tuple[str, tuple[str, ...]]) -> None:
    """Work on the key store's file as its owner could."""
    with closing(sqlite3.connect(logs.house.settings.keys / "keys.sqlite3")) as store, store:
        for statement, values in statements:
            assert store.execute(statement, values).rowcount == 1


async def test_keys_that_were_swapped_are_found_where_each_was_first_used(logs: Logs) -> None:
    (_, _), (one, first), (other, second), *_ = await keys_by_first_use(logs)
    rename = "UPDATE key SET id = ? WHERE id = ?"
    tamper(logs, (rename, ("aside", one)), (rename, (one, other)), (rename, (other, "aside")))
    assert await logs.found() == [(first, "key"), (second, "key")]


async def test_a_key_that_vanished_without_an_erasure_is_missing(logs: Logs) -> None:
    (_, _), (key, position), *_ = await keys_by_first_use(logs)
    tamper(logs, ("DELETE FROM key WHERE id = ?", (key,)))
    outcome = await logs.verified(span=16)
    assert [(wrong.position, wrong.code) for wrong in outcome.wrongs] == [(position, "missing-key")]
    assert outcome.missing_keys == (key,)
    assert await logs.found() == [(position, "missing-key")]


async def test_a_key_that_vanished_is_missing_whatever_the_database_says(logs: Logs) -> None:
    (_, _), (key, position), *_ = await keys_by_first_use(logs)
    tamper(logs, ("DELETE FROM key WHERE id = ?", (key,)))
    await logs.owner.execute(
        "INSERT INTO destroyed_key VALUES ('riverside', $1, $2)", UUID(key), position
    )
    assert (position, "missing-key") in await logs.found()


async def test_a_body_sealed_by_another_key_is_found(logs: Logs) -> None:
    (_, _), (_, first), (_, second), *_ = await keys_by_first_use(logs)
    await logs.owner.execute(
        """UPDATE event e SET body = o.body FROM event o WHERE e.tenant = 'riverside'
        AND o.tenant = e.tenant AND e.position = $1 AND o.position = $2""",
        first,
        second,
    )
    assert await logs.found() == [(first, "leaf"), (first, "key")]


async def test_a_key_id_that_is_no_uuid_is_never_repeated(logs: Logs) -> None:
    (_, _), (key, position), *_ = await keys_by_first_use(logs)
    await logs.owner.execute(
        """UPDATE event SET header = convert_to(
          replace(convert_from(header, 'UTF8'), $2, 'Jo Doe'), 'UTF8')
        WHERE tenant = 'riverside' AND position = $1""",
        position,
        key,
    )
    outcome = await logs.verified()
    assert [(w.position, w.code) for w in outcome.wrongs] == [
        (position, "leaf"),
        (position, "header"),
    ]
    assert "Doe" not in repr(outcome)
