"""SQL statements of an operation: as many for a page of a hundred as for a page of one."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asyncpg.connection import Connection

from api.house import CLOCK
from tests.api.test_trusted import PANELS, panels, text
from tests.api.world import World

pytestmark = pytest.mark.anyio
METHODS = ("execute", "fetch", "fetchrow", "fetchval")
ONE_PANEL, EVERY_PANEL = 12, 24
"""Transactions and local settings count, as do permissions; the audit's append is one call more."""


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL that the api role has sent since; projectors and tests have roles of their own."""
    sent: list[str] = []

    def counting(original: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def method(self: Connection, query: str, *given: object, **options: Any) -> object:
            if self._params.user == "anamnesis_api" and query != CLOCK:
                sent.append(query)
            return await original(self, query, *given, **options)

        return method

    for name in METHODS:
        monkeypatch.setattr(Connection, name, counting(getattr(Connection, name)))
    return sent


async def sent_for(
    world: World, statements: list[str], document: str, variables: dict[str, object]
) -> int:
    """How many statements an operation takes when everything has been asked before."""
    for _ in range(2):
        statements.clear()
        answer = await world.ask("rosa", document, variables)
        assert "errors" not in answer.json(), answer.text
    return len(statements)


@pytest.mark.parametrize("name", PANELS)
async def test_a_panel_takes_no_more_statements_for_more_entries(
    world: World, statements: list[str], name: str
) -> None:
    one = await sent_for(world, statements, text(name), {"first": 1})
    many = await sent_for(world, statements, text(name), {"first": 60})
    assert one == many
    assert 0 < one <= ONE_PANEL


async def test_every_panel_at_once_takes_a_bounded_number(
    world: World, statements: list[str]
) -> None:
    one = await sent_for(world, statements, panels(1), {})
    many = await sent_for(world, statements, panels(50), {})
    assert one == many
    assert one <= EVERY_PANEL


async def test_the_list_of_open_records_takes_no_more_for_more_of_them(
    world: World, statements: list[str]
) -> None:
    document = """query Open($first: Int!) { me { records(first: $first) {
      edges { node { chart patient { name } } } } } }"""
    counts = set()
    for first in (2, 20):
        for _ in range(2):
            statements.clear()
            answer = await world.ask("adeyemi", document, {"first": first})
        counts.add(len(statements))
        assert len(answer.json()["data"]["me"]["records"]["edges"]) >= 2
    assert len(counts) == 1


async def test_fields_that_are_resolved_at_the_same_time_ask_for_permissions_once(
    world: World, statements: list[str]
) -> None:
    both = "{ me { name } record { conditions(first: 1) { edges { node { id } } } } }"
    await sent_for(world, statements, both, {})
    assert sum("permission" in sql or "authority" in sql for sql in statements) == 1
    assert sum(sql.startswith("BEGIN") for sql in statements) == 1
