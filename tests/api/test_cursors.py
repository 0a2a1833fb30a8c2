"""Cursors under concurrent writes: what was there comes once and in order, whatever is filed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.kernel.values import Concept, Moment, Source
from domain.records import Fact, FileRecord, Observation
from tests.api.panels import PANELS, entries
from tests.api.world import Json, World

pytestmark = pytest.mark.anyio
PAGE = """query Page($first: Int!, $after: String) {
  record { observations(first: $first, after: $after) {
    edges { cursor node { id effective { text } } } pageInfo { hasNextPage endCursor } } } }"""
NEWER, OLDER = "2031-05-01T08:00:00Z", "1961-05-01T08:00:00Z"


async def pages(world: World, first: int, after: str | None = None) -> AsyncIterator[list[Json]]:
    """The pages of Rosa's observations, each asked for when the one before was worked on."""
    more = True
    while more:
        page = (await world.data("rosa", PAGE, first=first, after=after))["record"]["observations"]
        yield page["edges"]
        more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]


async def whole(world: World) -> list[str]:
    return [edge["node"]["id"] async for page in pages(world, 100) for edge in page]


async def file(world: World, effective: str) -> None:
    """File an observation of that moment in Rosa's chart and wait until reads show it."""
    key = uuid4().hex
    pulse = Concept(text="Pulse")
    seen = Observation(concept=pulse, status="final", effective=Moment(effective))
    source = Source("urn:cursors", "Observation", key, digest=key)
    chart = world.seeded.charts["rosa"]
    fact = Fact(observation=seen)
    await world.do("riverside", FileRecord(chart=chart, key=key, source=source, fact=fact))


def beside(effective: str, seconds: int) -> str:
    """A moment so much later, as the source would write it."""
    return (Moment(effective).instant + timedelta(seconds=seconds)).isoformat()


async def test_what_was_there_comes_once_and_in_order_while_others_file(own_world: World) -> None:
    before, seen = await whole(own_world), []
    assert len(before) > 40
    async for page in pages(own_world, 7):
        seen += [edge["node"]["id"] for edge in page]
        last = page[-1]["node"]["effective"]["text"]
        for moment in (NEWER, OLDER, last, beside(last, 1), beside(last, -1)):
            await file(own_world, moment)
    assert len(seen) == len(set(seen))
    assert [ident for ident in seen if ident in before] == before


async def test_pages_asked_for_at_the_same_moment_as_others_file_are_as_stable(
    own_world: World,
) -> None:
    before, seen, ended = await whole(own_world), [], asyncio.Event()

    async def filing() -> int:
        filed = 0
        while not ended.is_set() or filed < 4:
            await asyncio.gather(file(own_world, NEWER), file(own_world, OLDER))
            filed += 2
        return filed

    writer = asyncio.create_task(filing())
    try:
        async for page in pages(own_world, 3):
            seen += [edge["node"]["id"] for edge in page]
    finally:
        ended.set()
        filed = await writer
    assert [ident for ident in seen if ident in before] == before
    assert len(seen) == len(set(seen))
    assert len(await whole(own_world)) == len(before) + filed


@pytest.mark.parametrize("panel", PANELS)
async def test_pages_of_every_panel_are_the_whole_list_in_order(world: World, panel: str) -> None:
    async def page(first: int, after: str | None) -> Json:
        shown: Json = await world.data("rosa", f"{{ record {{ {entries(panel, first, after)} }} }}")
        listed: Json = shown["record"][panel]
        return listed

    everything = (await page(100, None))["edges"]
    seen: list[Json] = []
    after, more = None, True
    while more:
        listed = await page(2, after)
        seen += listed["edges"]
        more, after = listed["pageInfo"]["hasNextPage"], listed["pageInfo"]["endCursor"]
    assert seen == everything


async def test_a_cursor_of_any_entry_goes_on_after_that_entry(world: World) -> None:
    everything = [edge async for page in pages(world, 100) for edge in page]
    for place in (0, 5, len(everything) - 2):
        cursor = everything[place]["cursor"]
        after = [edge async for page in pages(world, 50, cursor) for edge in page]
        assert after == everything[place + 1 :]
