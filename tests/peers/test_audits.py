"""graphql-http, the reference library of GraphQL over HTTP, audits both profiles."""

from typing import Any

import pytest

from tests.api.world import World
from tests.peers.conftest import Desk, portal

pytestmark = [pytest.mark.anyio, pytest.mark.peers]

AUDITS = 61
# docs/adr/0012-graphql-over-http-in-production.md, by the exception that an audit meets.
AD_HOC_GET = {"5A70", "D6D5", "6A70"}
INTROSPECTION = {"2EA1", "28B9"}


async def audited(desk: Desk, world: World, *, development: bool) -> dict[str, dict[str, Any]]:
    """The results by the audit's id."""
    async with portal(world, development=development) as url:
        results: Any = await desk.asks("audits.mjs", url, world.token("rosa"))
    return {result["id"]: result for result in results}


async def test_every_audit_passes_in_the_development_profile(desk: Desk, world: World) -> None:
    results = await audited(desk, world, development=True)
    assert [result for result in results.values() if result["status"] != "ok"] == []
    assert len(results) == AUDITS


async def test_production_fails_the_audits_of_its_two_named_exceptions_and_no_other(
    desk: Desk, world: World
) -> None:
    results = await audited(desk, world, development=False)
    failed = {name for name, result in results.items() if result["status"] != "ok"}
    assert failed == AD_HOC_GET | INTROSPECTION
    assert len(results) == AUDITS
