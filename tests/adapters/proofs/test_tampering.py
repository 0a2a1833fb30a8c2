"""Whatever a superuser changes behind the log's back is found, at its first position."""

import pytest

from adapters.proofs.findings import Wrong
from tests.adapters.proofs.conftest import Logs

pytestmark = pytest.mark.anyio

Found = list[tuple[int, str]]
REHASHED = """UPDATE event SET leaf = sha256('\\x00'::bytea || int8send(position)
  || int8send(version) || int8send((extract(epoch FROM committed_at) * 1000000)::bigint)
  || sha256(header) || sha256(salt || context) || sha256(body)) WHERE tenant = 'riverside'"""


SWAPPED_CONTEXTS = """UPDATE event e SET context = o.context FROM event o
  WHERE e.tenant = 'riverside' AND o.tenant = e.tenant
  AND (e.position, o.position) IN ((30, 90), (90, 30))"""
SWAPPED_SALTED = """UPDATE event e SET context = o.context, salt = o.salt FROM event o
  WHERE e.tenant = 'riverside' AND o.tenant = e.tenant
  AND (e.position, o.position) IN ((30, 90), (90, 30))"""
SWAPPED_BODIES = """UPDATE event e SET body = o.body FROM event o
  WHERE e.tenant = 'riverside' AND o.tenant = e.tenant
  AND (e.position, o.position) IN ((30, 90), (90, 30))"""
SWAPPED_SEALED = """UPDATE event e SET header = o.header, body = o.body, type = o.type,
  stream = o.stream, version = o.version FROM event o
  WHERE e.tenant = 'riverside' AND o.tenant = e.tenant
  AND (e.position, o.position) IN ((30, 90), (90, 30))"""
REORDERED = """ALTER TABLE event DROP CONSTRAINT event_pkey;
  UPDATE event SET position = 120 - position
  WHERE tenant = 'riverside' AND position IN (30, 90);
  ALTER TABLE event ADD PRIMARY KEY (tenant, position)"""
FORGED_AFTER = """INSERT INTO event SELECT tenant, position + 1, stream, version + 1, type,
  committed_at, header, context, salt, body, leaf FROM event
  WHERE tenant = 'riverside' AND position = 172"""
FORGED_BEFORE = """INSERT INTO event SELECT tenant, 0, stream, version, type,
  committed_at, header, context, salt, body, leaf FROM event
  WHERE tenant = 'riverside' AND position = 172"""
TWICE = """ALTER TABLE event DROP CONSTRAINT event_pkey;
  INSERT INTO event SELECT * FROM event WHERE tenant = 'riverside' AND position = 57"""
OTHER_TENANT = """UPDATE event
  SET header = convert_to(replace(convert_from(header, 'UTF8'), 'riverside', 'lakeside'), 'UTF8')
  WHERE tenant = 'riverside' AND position = 57"""
DIVIDED_ANEW = """UPDATE event SET salt = salt || substr(context, 1, 1),
  context = substr(context, 2) WHERE tenant = 'riverside' AND position = 57"""

EDITS: dict[str, tuple[str, Found]] = {
    "header": (
        "UPDATE event SET header = header || ' ' WHERE tenant = 'riverside' AND position = 57",
        [(57, "leaf"), (57, "header")],
    ),
    "header that is none": (
        "UPDATE event SET header = '\\xff7b' WHERE tenant = 'riverside' AND position = 57",
        [(57, "leaf"), (57, "header")],
    ),
    "header that is empty": (
        "UPDATE event SET header = '' WHERE tenant = 'riverside' AND position = 57",
        [(57, "leaf"), (57, "header")],
    ),
    "header of another tenant": (OTHER_TENANT, [(57, "leaf"), (57, "tenant")]),
    "stream": (
        """UPDATE event SET stream = gen_random_uuid()
          WHERE tenant = 'riverside' AND position = 57""",
        [(57, "stream")],
    ),
    "version": (
        """UPDATE event SET version = version + 1
          WHERE tenant = 'riverside' AND position = 57""",
        [(57, "leaf"), (57, "version")],
    ),
    "context": (
        "UPDATE event SET context = context || ' ' WHERE tenant = 'riverside' AND position = 57",
        [(57, "leaf")],
    ),
    "salt": (
        "UPDATE event SET salt = sha256(salt) WHERE tenant = 'riverside' AND position = 57",
        [(57, "leaf"), (57, "salt")],
    ),
    "body": (
        "UPDATE event SET body = body || '\\x00' WHERE tenant = 'riverside' AND position = 57",
        [(57, "leaf")],
    ),
    "body cut short": (
        "UPDATE event SET body = substr(body, 1, 60) WHERE tenant = 'riverside' AND position = 57",
        [(57, "leaf"), (57, "body")],
    ),
    "body of another version": (
        "UPDATE event SET body = set_byte(body, 0, 2) WHERE tenant = 'riverside' AND position = 57",
        [(57, "leaf"), (57, "body")],
    ),
    "leaf": (
        "UPDATE event SET leaf = sha256(leaf) WHERE tenant = 'riverside' AND position = 57",
        [(57, "leaf")],
    ),
    "first leaf": (
        "UPDATE event SET leaf = '' WHERE tenant = 'riverside' AND position = 1",
        [(1, "leaf")],
    ),
    "type": (
        "UPDATE event SET type = 'records.forged' WHERE tenant = 'riverside' AND position = 57",
        [(57, "type")],
    ),
    "time set back": (
        """UPDATE event SET committed_at = committed_at - interval '1 day'
          WHERE tenant = 'riverside' AND position = 57""",
        [(57, "time"), (57, "leaf")],
    ),
    "time set ahead": (
        """UPDATE event SET committed_at = committed_at + interval '1 day'
          WHERE tenant = 'riverside' AND position = 57""",
        [(57, "leaf"), (58, "time")],
    ),
    "time without end": (
        "UPDATE event SET committed_at = 'infinity' WHERE tenant = 'riverside' AND position = 57",
        [(57, "time"), (57, "leaf"), (58, "time")],
    ),
    "time without beginning": (
        "UPDATE event SET committed_at = '-infinity' WHERE tenant = 'riverside' AND position = 57",
        [(57, "time"), (57, "leaf")],
    ),
    "time ahead at the end of a span": (
        """UPDATE event SET committed_at = committed_at + interval '1 day'
          WHERE tenant = 'riverside' AND position = 64""",
        [(64, "leaf"), (65, "time")],
    ),
    "contexts swapped": (SWAPPED_CONTEXTS, [(30, "leaf"), (90, "leaf")]),
    "contexts and salts swapped": (SWAPPED_SALTED, [(30, "leaf"), (90, "leaf")]),
    "bodies swapped": (SWAPPED_BODIES, [(30, "leaf"), (90, "leaf")]),
    "headers and bodies swapped": (SWAPPED_SEALED, [(30, "leaf"), (90, "leaf")]),
    "rows reordered": (REORDERED, [(30, "leaf"), (90, "leaf")]),
    "row deleted": (
        "DELETE FROM event WHERE tenant = 'riverside' AND position = 57",
        [(57, "missing-event")],
    ),
    "first row deleted": (
        "DELETE FROM event WHERE tenant = 'riverside' AND position = 1",
        [(1, "missing-event")],
    ),
    "rows across spans deleted": (
        "DELETE FROM event WHERE tenant = 'riverside' AND position BETWEEN 60 AND 70",
        [(60, "missing-event"), (65, "missing-event")],
    ),
    "last row deleted": (
        "DELETE FROM event WHERE tenant = 'riverside' AND position = 172",
        [(172, "missing-event")],
    ),
    "all rows deleted": ("DELETE FROM event WHERE tenant = 'riverside'", [(1, "missing-event")]),
    "row forged after the head": (
        FORGED_AFTER,
        [(173, "beyond-head")],
    ),
    "row forged before the first": (
        FORGED_BEFORE,
        [(0, "beyond-head")],
    ),
    "row put twice": (
        TWICE,
        [(57, "duplicate-position")],
    ),
    "row moved to another tenant": (
        "UPDATE event SET tenant = 'seaside' WHERE tenant = 'riverside' AND position = 57",
        [(57, "missing-event")],
    ),
    "salt and context divided anew": (
        DIVIDED_ANEW,
        [(57, "salt")],
    ),
    "head rolled back": (
        "UPDATE log_head SET position = 100 WHERE tenant = 'riverside'",
        [(101, "beyond-head"), (1, "root")],
    ),
    "head moved on": (
        "UPDATE log_head SET position = 173 WHERE tenant = 'riverside'",
        [(173, "missing-event")],
    ),
    "head deleted": (
        "DELETE FROM log_head WHERE tenant = 'riverside'",
        [(1, "beyond-head"), (1, "head")],
    ),
    "head's frontier": (
        """UPDATE log_head SET frontier[2] = sha256(frontier[2]) WHERE tenant = 'riverside'""",
        [(129, "root")],
    ),
    "head's frontier cut": (
        "UPDATE log_head SET frontier = frontier[1:1] WHERE tenant = 'riverside'",
        [(129, "root")],
    ),
    "head's frontier longer": (
        "UPDATE log_head SET frontier = frontier || frontier[1] WHERE tenant = 'riverside'",
        [(172, "head")],
    ),
    "head's time": (
        "UPDATE log_head SET committed_at = 'infinity' WHERE tenant = 'riverside'",
        [(172, "head")],
    ),
    "head's last withdrawal": (
        "UPDATE log_head SET access_position = position + 1 WHERE tenant = 'riverside'",
        [(172, "head")],
    ),
    "stream head forged": (
        "INSERT INTO stream_head VALUES ('riverside', gen_random_uuid(), 3)",
        [(172, "stream-head")],
    ),
    "command beyond the log": (
        "UPDATE command SET last = 173 WHERE tenant = 'riverside' AND first = 57",
        [(57, "command")],
    ),
    "command before the log": (
        "UPDATE command SET first = 0 WHERE tenant = 'riverside' AND first = 1",
        [(0, "command")],
    ),
    "command without its end": (
        "UPDATE command SET last = NULL WHERE tenant = 'riverside' AND first = 57",
        [(57, "command")],
    ),
}


@pytest.mark.parametrize("edit", EDITS)
async def test_an_edit_is_found_at_its_first_position(logs: Logs, edit: str) -> None:
    statement, expected = EDITS[edit]
    await logs.owner.execute(statement)
    found = await logs.found()
    assert found[0] == expected[0]
    assert [wrong for wrong in found if wrong in expected] == expected


async def test_the_first_wrong_row_is_named(logs: Logs) -> None:
    await logs.owner.execute("UPDATE event SET leaf = '' WHERE position IN (57, 99)")
    outcome = await logs.verified()
    assert not outcome.ok
    assert outcome.first_wrong == Wrong(57, "leaf", "the row does not hash to its leaf")
    assert outcome.wrongs[1].position == 99


async def test_at_most_a_hundred_wrongs_are_listed_and_the_first_is_among_them(logs: Logs) -> None:
    await logs.owner.execute("UPDATE event SET leaf = ''")
    wrongs = (await logs.verified(workers=2, span=16)).wrongs
    assert [wrong.position for wrong in wrongs] == list(range(1, 101))


@pytest.mark.parametrize(("position", "start"), [(57, 1), (130, 129), (172, 169)])
async def test_a_leaf_that_was_made_to_fit_is_found_by_the_root(
    logs: Logs, position: int, start: int
) -> None:
    await logs.owner.execute(
        "UPDATE event SET context = context || ' ' WHERE tenant = 'riverside' AND position = $1",
        position,
    )
    await logs.owner.execute(REHASHED)
    assert await logs.found() == [(start, "root")]


async def test_a_range_with_a_wrong_row_can_hold_another_one_that_was_made_to_fit(
    logs: Logs,
) -> None:
    await logs.owner.execute("UPDATE event SET context = context || ' ' WHERE position = 30")
    await logs.owner.execute(REHASHED)
    await logs.owner.execute(
        "UPDATE event SET body = body || '\\x00' WHERE tenant = 'riverside' AND position = 90"
    )
    assert [(w.position, w.code) for w in (await logs.verified()).wrongs] == [
        (90, "leaf"),
        (1, "root"),
    ]


async def test_a_stream_head_that_is_behind_or_gone_is_named_by_the_last_event_of_its_stream(
    logs: Logs,
) -> None:
    stream, last = await logs.owner.fetchrow(
        """SELECT stream, max(position) FROM event WHERE tenant = 'riverside'
        GROUP BY stream HAVING max(position) - min(position) > 64 LIMIT 1"""
    )
    await logs.owner.execute("UPDATE stream_head SET version = 0 WHERE stream = $1", stream)
    assert await logs.found() == [(last, "stream-head")]
    await logs.owner.execute("DELETE FROM stream_head WHERE stream = $1", stream)
    assert await logs.found() == [(last, "stream-head")]
