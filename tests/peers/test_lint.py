"""graphql-eslint: the SDL keeps the schema and Relay rules, our operations those of operations."""

import json

import pytest

from schema.root import build, sdl
from tests.peers.conftest import ROOT, Desk

PLANTED = """
type planted_thing { First_name: String }
type PlantedEdge { node: PlantedNode! }
type PlantedNode { name: String }
type PlantedConnection { edges: PlantedEdge }
extend type Query { planted: PlantedConnection }
"""

pytestmark = [pytest.mark.anyio, pytest.mark.peers]


async def findings(desk: Desk, *names: str) -> dict[str, list[str]]:
    """What is found in each file."""
    # It ends with 1 where it found something, which is an answer here.
    command = 'node_modules/.bin/eslint --format json "$@" || test $? -eq 1'
    told = await desk.run("sh", "-c", command, "eslint", *names)
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


async def test_a_planted_fault_of_each_kind_is_found(desk: Desk) -> None:
    """A rule set that a new version of the plugin renamed would find nothing for ever."""
    (desk.folder / "schema.graphql").write_text(sdl(build()) + PLANTED)
    found = await findings(desk, "schema.graphql")
    rules = {finding.split(": ")[1].partition("/")[2] for finding in found["schema.graphql"]}
    assert rules >= {
        "naming-convention",
        "relay-arguments",
        "relay-connection-types",
        "relay-edge-types",
        "require-description",
        "strict-id-in-types",
    }
