"""Single flipped bits and characters, at random places of random rows: every one is found."""

import random
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tests.adapters.proofs.conftest import EVENTS, Logs

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]

CASES = 150
ROW = "SELECT * FROM event WHERE tenant = 'riverside' AND position = $1"
WRITE = {
    "header": "UPDATE event SET header = $2 WHERE tenant = 'riverside' AND position = $1",
    "context": "UPDATE event SET context = $2 WHERE tenant = 'riverside' AND position = $1",
    "salt": "UPDATE event SET salt = $2 WHERE tenant = 'riverside' AND position = $1",
    "body": "UPDATE event SET body = $2 WHERE tenant = 'riverside' AND position = $1",
    "leaf": "UPDATE event SET leaf = $2 WHERE tenant = 'riverside' AND position = $1",
    "type": "UPDATE event SET type = $2 WHERE tenant = 'riverside' AND position = $1",
    "stream": "UPDATE event SET stream = $2 WHERE tenant = 'riverside' AND position = $1",
    "version": "UPDATE event SET version = $2 WHERE tenant = 'riverside' AND position = $1",
    "committed_at": """UPDATE event SET committed_at = $2
      WHERE tenant = 'riverside' AND position = $1""",
}
Column = bytes | str | int | UUID | datetime


def flipped(value: Column, chance: random.Random) -> Column:
    """The value with one bit, one letter or a power of two changed."""
    match value:
        case bytes():
            bit = chance.randrange(8 * len(value))
            changed = int.from_bytes(value, "big") ^ 1 << bit
            return changed.to_bytes(len(value), "big")
        case str():
            place = chance.randrange(len(value))
            letter = "x" if value[place] != "x" else "y"
            return value[:place] + letter + value[place + 1 :]
        case int():
            return value ^ 1 << chance.randrange(62)
        case datetime():
            return value + timedelta(microseconds=chance.choice((-1, 1)) << chance.randrange(50))
        case _:
            return UUID(int=value.int ^ 1 << chance.randrange(128))


async def test_every_flip_in_every_column_is_found_at_its_position(logs: Logs) -> None:
    chance = random.Random(6962)
    missed = []
    for case in range(CASES):
        column = list(WRITE)[case % len(WRITE)]
        position = chance.randint(1, EVENTS)
        before = (await logs.owner.fetchrow(ROW, position))[column]
        after = flipped(before, chance)
        await logs.owner.execute(WRITE[column], position, after)
        first = (await logs.verified(span=1 << chance.randint(3, 9))).first_wrong
        if first is None or first.position != position:
            missed.append((position, column, before, after, first))
        await logs.owner.execute(WRITE[column], position, before)
    assert missed == []
    assert (await logs.verified()).ok
    assert (await logs.verified("lakeside")).ok
