"""graphql-eslint: the SDL keeps the schema and Relay rules, our operations those of operations."""

import json

import pytest

from schema.root import build, sdl
from tests.peers.conftest import ROOT, Desk

pytestmark = [pytest.mark.anyio, pytest.mark.peers]


async def findings(desk: Desk, *names: str) -> dict[str, list[str]]:
    """What is found in each file."""
    told = await desk.run("node_modules/.bin/eslint", "--format", "json", *names)
    return {
        result["filePath"].rpartition("/")[2]: [
            f"{found['line']}: {found['ruleId']}: {found['message']}"
            for found in result["messages"]
        ]
        for result in json.loads(told)
    }


async def test_the_sdl_and_the_operations_break_no_rule(desk: Desk) -> None:
    (desk.folder / "schema.graphql").write_text(sdl(build()))
    found = await findings(desk, "schema.graphql", "operations")
    own = {path.name for path in (ROOT / "schema" / "operations").glob("*.graphql")}
    assert found == {name: [] for name in ("schema.graphql", *own)}
