"""Poison in each projection: it names itself, sets one chart aside there, and a rebuild heals."""

from collections.abc import Sequence
from random import Random

import asyncpg
import pytest

from adapters.postgres.rebuild import Rebuild
from api.house import House
from domain.kernel.event import event_types
from domain.kernel.readmodel import Projection
from projections.catalogue import PROJECTIONS
from tests.adapters.postgres.acts import HERE, damage, projector, rows
from tests.projections.histories import WITHOUT_CHART, History, history
from tests.projections.test_histories import Found, flat, found, happen

pytestmark = pytest.mark.anyio
HISTORIES = 10
FLIPPED = "UPDATE event SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE position = $1"
FIRST = """SELECT position, type FROM event WHERE tenant = $1 AND type = ANY($2::text[])
  AND convert_from(header, 'utf8')::jsonb ->> 'chart' IS NOT DISTINCT FROM $3
  ORDER BY position LIMIT 1"""
LETTERS = "SELECT consumer, position, chart::text, type, error FROM dead_letter ORDER BY 1"
WITH_CHART = [
    known
    for known in PROJECTIONS
    if not known.everything and any(not t.startswith(WITHOUT_CHART) for t in known.types)
]
WITHOUT = [known for known in PROJECTIONS if known not in WITH_CHART and not known.everything]


def by_name(known: Projection) -> str:
    """The name of a test's case."""
    return known.name


async def told(house: House) -> list[History]:
    """Some histories, appended; nothing of them is erased or bound to fail."""
    some = [history(f"poison {number}") for number in range(HISTORIES)]
    sound = [one for one in some if not one.poisoned]
    await happen(house, sound, Random(1), shredded=False)
    return sound


async def poisoned(house: House, types: Sequence[str], chart: str | None) -> tuple[int, str]:
    """Flip a bit of the first such event's body: its position and type."""
    [(position, kind)] = await rows(house.settings.dsn, FIRST, HERE, types, chart)
    await damage(house.settings.dsn, FLIPPED, position)
    return position, kind


async def rebuilt(house: House, known: Projection) -> int:
    """Rebuild; how many events were set aside."""
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        rebuild = Rebuild(pool, house.keys, known, lambda _done, _total: None)
        return (await rebuild.run([HERE])).poisoned


def of(chart: str, read: Found) -> list[object]:
    """The rows that belong to a chart, by their keys."""
    return [
        table[key]
        for table in read.values()
        for key in sorted(table)
        if speaks_of(table[key], chart)
    ]


def speaks_of(row: object, chart: str) -> bool:
    """Whether the chart stands in one of the row's columns."""
    return chart in map(str, flat(row))


@pytest.mark.parametrize("known", WITH_CHART, ids=by_name)
async def test_poison_sets_one_chart_aside_in_its_projection_and_a_rebuild_heals_it(
    house: House, known: Projection
) -> None:
    some = await told(house)
    victim, others = some[0].chart, [one.chart for one in some[1:]]
    position, kind = await poisoned(house, sorted(known.types), victim)
    concerned = sorted(other.name for other in PROJECTIONS if kind in other.types)
    letters = [(name, position, victim, kind, "BodyTampered") for name in concerned]
    async with projector(house) as live:
        await live.advance(HERE)
    assert await rows(house.settings.dsn, LETTERS) == letters
    aside = await found(house, known)
    assert await rebuilt(house, known) == 1
    assert await found(house, known) == aside
    assert await rows(house.settings.dsn, LETTERS) == letters
    await damage(house.settings.dsn, FLIPPED, position)  # the bit is turned back
    assert await rebuilt(house, known) == 0
    assert known.name not in {letter[0] for letter in await rows(house.settings.dsn, LETTERS)}
    healed = await found(house, known)
    assert len(of(victim, healed)) >= len(of(victim, aside))
    for chart in others:
        assert of(chart, healed) == of(chart, aside)


@pytest.mark.parametrize("known", WITHOUT, ids=by_name)
async def test_poison_that_is_of_no_chart_and_takes_no_access_is_set_aside_alone(
    house: House, known: Projection
) -> None:
    await told(house)
    granting = [t for t in sorted(known.types) if not event_types()[t].withdraws_access]
    position, kind = await poisoned(house, granting, None)
    async with projector(house) as live:
        await live.advance(HERE)
    letters = await rows(house.settings.dsn, LETTERS)
    assert (known.name, position, None, kind, "BodyTampered") in letters
    assert {letter[1] for letter in letters} == {position}
    checkpoints = "SELECT DISTINCT position FROM checkpoint WHERE tenant = $1"
    head = "SELECT position FROM log_head WHERE tenant = $1"
    assert await rows(house.settings.dsn, checkpoints, HERE) == await rows(
        house.settings.dsn, head, HERE
    )
    await damage(house.settings.dsn, FLIPPED, position)
    assert await rebuilt(house, known) == 0
    assert known.name not in {letter[0] for letter in await rows(house.settings.dsn, LETTERS)}
