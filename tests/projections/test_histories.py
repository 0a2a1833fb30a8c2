"""A thousand random histories per projection, on real tables: live, twice, erased, rebuilt.

Set ANAMNESIS_HISTORIES to a number for other histories than those that are always tried.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import asyncpg
import pytest

from adapters import codec
from adapters.keys.refused import KeyDestroyed
from adapters.keys.tree import KeyTree
from adapters.postgres.projector import Projector
from adapters.postgres.rebuild import Rebuild
from adapters.postgres.rows import row_binding
from api.house import House
from domain.kernel.log import Append, Expected
from domain.kernel.readmodel import Projection, Table
from projections.catalogue import PROJECTIONS
from tests.adapters.postgres.acts import HERE, projector, rows
from tests.contracts.samples import domain_events
from tests.projections.histories import Happening, History, history
from tests.projections.recorded import CONTEXT

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
HISTORIES = 1_000
TOGETHER = 125
"""Histories that happen at the same time."""
COMMAND = 96
SEED = os.environ.get("ANAMNESIS_HISTORIES", "1")
LETTERS = "SELECT consumer, position, chart::text, error FROM dead_letter ORDER BY 1, 2"
ITEMS = """SELECT header FROM event WHERE tenant = $1 AND type = ANY($2::text[])
  ORDER BY position LIMIT 40"""
SET_BACK = "UPDATE checkpoint SET position = least(position, $1)"
Found = dict[str, dict[tuple[str, ...], object]]
"""Rows of each table by their keys: clear values, and the document where there is one."""


async def test_any_history_gives_the_same_rows_live_and_again_and_rebuilt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [history(f"{SEED} {number}") for number in range(HISTORIES)]
    random = Random(SEED)
    async with projector(house) as live:
        for start in range(0, HISTORIES, TOGETHER):
            together = told[start : start + TOGETHER]
            await happen(house, together, random)
            monkeypatch.setattr("adapters.postgres.projector.BATCH", random.randint(150, 900))
            await live.advance(HERE)
            await again(house, live, random.randint(1, 100))
        await assert_rebuilt_alike(house, told)
        await erase(house, random.sample([one for one in told if not one.poisoned], 20))
        await again(house, live, 1 << 40)
        await assert_rebuilt_alike(house, told)
    letters = await rows(house.settings.dsn, LETTERS)
    assert {letter[3] for letter in letters} == {"UnstorableValue"}
    assert 0 < len({letter[2] for letter in letters}) < HISTORIES / 10


async def test_every_event_that_a_projection_opens_happens_in_some_histories() -> None:
    happened = [h for n in range(HISTORIES) for h in history(f"{SEED} {n}").happenings]
    for known in PROJECTIONS:
        for kind in known.opens:
            mine = [h for h in happened if h.event.type_name == kind.type_name]
            assert len(mine) > HISTORIES / 20, kind.type_name
            assert any(h.shredded for h in mine), kind.type_name
            assert any(not isinstance(h.event, kind) for h in mine), kind.type_name
    opened = {kind for known in PROJECTIONS for kind in known.opens}
    assert opened <= set(domain_events())


async def happen(
    house: House, together: Sequence[History], random: Random, *, shredded: bool = True
) -> None:
    """Append the histories, interleaved at random; keys are destroyed before anybody reads."""
    order = [one for one in together for _ in one.happenings]
    random.shuffle(order)
    left = {one.seed: iter(one.happenings) for one in together}
    happenings = [next(left[one.seed]) for one in order]
    shredder = f"shredder {together[0].seed}"
    for start in range(0, len(happenings), COMMAND):
        await house.log.append(wish(happenings[start : start + COMMAND], shredder))
    classes = {h.event.key_class for h in happenings}
    for key_class in classes if shredded else ():
        await shred(house, (await house.keys.compartment(HERE, shredder, key_class)).id)


def wish(happenings: Sequence[Happening], shredder: str) -> Append:
    """One command that writes them all, whatever the versions of their streams."""
    return Append(
        tenant=HERE,
        command=os.urandom(16),
        fingerprint=b"",
        context=CONTEXT,
        drafts=tuple(happening.draft(shredder) for happening in happenings),
        expected=tuple(Expected(stream=s, version=None) for s in {h.stream for h in happenings}),
    )


async def shred(house: House, key: str) -> None:
    """Destroy a key and all below it."""
    await house.keys.destroy(HERE, key, "erasure", 1)


async def erase(house: House, victims: Sequence[History]) -> None:
    """Destroy the compartments of some charts, and the own keys of some events of the others.

    A chart that is set aside stays so until a rebuild: its poison is not erased.
    """
    aside = {chart for _, _, chart, _ in await rows(house.settings.dsn, LETTERS)}
    for victim in victims:
        await shred(house, (await house.keys.compartment(HERE, victim.chart, "clinical")).id)
    kinds = [kind.type_name for kind in domain_events() if kind.item_key]
    for (header,) in await rows(house.settings.dsn, ITEMS, HERE, kinds):
        about = codec.decode_header(header)
        if about.chart not in aside:
            await shred(house, about.key)


async def again(house: House, live: Projector, back: int) -> None:
    """Set the checkpoints back by so many events, and project what comes after them again."""
    [(head,)] = await rows(house.settings.dsn, "SELECT max(position) FROM log_head")
    await rows(house.settings.dsn, SET_BACK, max(0, head - back))
    await live.advance(HERE)


async def assert_rebuilt_alike(house: House, told: Sequence[History]) -> None:
    """Each projection rebuilt gives the rows and dead letters that live projecting gave."""
    letters = await rows(house.settings.dsn, LETTERS)
    for known in PROJECTIONS:
        before = await found(house, known)
        await rebuilt(house, known)
        after = await found(house, known)
        assert any(before.values())
        differing = sorted(differences(before, after))
        if differing:
            pytest.fail(told_of(known, differing, before, after, told))
    assert await rows(house.settings.dsn, LETTERS) == letters


async def rebuilt(house: House, known: Projection) -> None:
    """Rebuild in this process."""
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        await Rebuild(pool, house.keys, known, lambda _done, _total: None).run([HERE])


async def found(house: House, known: Projection) -> Found:
    """Every row of a projection, its document opened; rows of a destroyed key do not count."""
    read: Found = {}
    for table in known.tables:
        held = await rows_of(house, table)
        keys = house.keys
        shut = await destroyed(keys, {str(row["key"]) for row in held} if table.body else set())
        read[table.name] = dict(
            [
                await opened(keys, table, row)
                for row in held
                if not table.body or str(row["key"]) not in shut
            ]
        )
    return read


async def rows_of(house: House, table: Table) -> list[asyncpg.Record]:
    """The rows of a table as they are stored."""
    connection = await asyncpg.connect(house.settings.dsn)
    try:
        return await connection.fetch(f"SELECT * FROM model.{table.name} WHERE tenant = $1", HERE)
    finally:
        await connection.close()


async def destroyed(keys: KeyTree, ids: set[str]) -> set[str]:
    """Those of the keys that are destroyed."""
    answers = await keys.by_ids(HERE, ids)
    return {ident for ident, answer in answers.items() if isinstance(answer, KeyDestroyed)}


async def opened(
    keys: KeyTree, table: Table, row: Mapping[str, Any]
) -> tuple[tuple[str, ...], object]:
    """A row's key, and its clear values with the opened document."""
    key = tuple(str(row[column.name]) for column in table.key)
    clear = tuple(row[column.name] for column in table.columns)
    if table.body is None:
        return key, clear
    sealing = await keys.by_id(HERE, str(row["key"]))
    body = sealing.open(row["body"], row_binding(table, HERE, row))
    return key, (clear, codec.decode_value(table.body, body))


def differences(before: Found, after: Found) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Table and key of each row that differs, or that only one of the two has."""
    for table in before:
        for key in before[table].keys() | after[table].keys():
            if before[table].get(key) != after[table].get(key):
                yield table, key


def told_of(
    known: Projection,
    differing: Sequence[tuple[str, tuple[str, ...]]],
    before: Found,
    after: Found,
    told: Sequence[History],
) -> str:
    """The first row that differs, and the history that it belongs to."""
    table, key = differing[0]
    parts = {str(part) for part in flat((key, before[table].get(key), after[table].get(key)))}
    mine = next((one for one in told if parts & set(one.ids)), "no history knows it")
    return (
        f"{known.name}: {len(differing)} rows differ; {table} {key}\nlive:    "
        f"{before[table].get(key)}\nrebuilt: {after[table].get(key)}\n{mine}"
    )


def flat(value: object) -> Iterator[object]:
    """The parts of nested tuples."""
    if isinstance(value, tuple):
        for part in value:
            yield from flat(part)
    else:
        yield value
