"""Apollo, urql and Relay page through a panel and tell problems apart, as their makers meant it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.api.world import World
from tests.peers.conftest import Desk, portal

pytestmark = [pytest.mark.anyio, pytest.mark.peers]

WHOLE = """query Whole($after: String) { record { observations(first: 100, after: $after) {
  edges { node { id } } pageInfo { hasNextPage endCursor } } } }"""
PAGE = 20


async def in_order(world: World) -> list[str]:
    """The ids of Rosa's observations, read without any client."""
    ids: list[str] = []
    after = None
    while True:
        page = (await world.data("rosa", WHOLE, after=after))["record"]["observations"]
        ids += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return ids
        after = page["pageInfo"]["endCursor"]


async def wishes(world: World) -> list[dict[str, object]]:
    """A grant that succeeds, one that ends before it begins, one in a stranger's chart."""
    walter = (await world.data("walter", "{ me { person } }"))["me"]["person"]
    granted = {
        "idempotencyKey": uuid4().hex,
        "chart": await world.chart("rosa"),
        "grantee": walter,
        "kind": "HELPER",
        "scopes": ["SCHEDULING"],
    }
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    ended = {**granted, "idempotencyKey": uuid4().hex, "until": past}
    foreign = {**granted, "idempotencyKey": uuid4().hex, "chart": await world.chart("omar")}
    return [granted, ended, foreign]


@pytest.mark.parametrize("client", ["apollo", "urql", "relay"])
async def test_a_client_gets_every_item_once_in_order_and_typed_problems(
    desk: Desk, world: World, client: str
) -> None:
    expected = await in_order(world)
    assert len(expected) >= 45
    async with portal(world, development=False) as url:
        said: Any = await desk.asks(
            f"{client}.mjs", url, world.token("rosa"), [*await wishes(world)]
        )
    assert said["ids"] == expected
    assert said["pages"] == -(-len(expected) // PAGE)
    success, ended, foreign = said["answers"]
    assert (success["__typename"], success["repeated"]) == ("ProxyAccessChanged", False)
    assert (ended["__typename"], ended["code"], ended["path"]) == (
        "InputProblem",
        "consent.grant_ends_in_the_past",
        ["until"],
    )
    assert (foreign["__typename"], foreign["code"]) == ("NotFoundProblem", "kernel.not_found")
