"""The lines of the reading benches: one shape, and counts that do not depend on the machine."""

import json

import pytest

from tests.bench.test_bench import bench

pytestmark = pytest.mark.minutes

LINES = {
    "dashboard": [
        "dashboard query, 8 connections, beside constant bytes",
        "dashboard query, 8 connections, beside strawberry with dataloaders",
    ],
    "worklist": ["worklist of 50 charts, 8 connections"],
    "reads": [
        "read-your-writes wait, 2 connections of dashboards meanwhile",
        "dashboard on record, 8 connections",
    ],
    "importing": ["import of FHIR bundles"],
    "partitions": [
        "append, 64 clients, 16 partitions",
        "load a stream of one or two events, 8 at a time, 16 partitions",
    ],
}


def lines(name: str) -> list[dict[str, object]]:
    finished = bench(name, "--seconds", "0.3", "--rounds", "1")
    assert finished.returncode == 0, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines()]


@pytest.mark.parametrize("name", LINES)
def test_each_line_prints_its_value_beside_a_reference_of_the_same_run(
    name: str,
) -> None:
    printed = lines(name)
    assert [line["name"] for line in printed] == LINES[name]
    for line in printed:
        for member in ("value", "reference", "ratio"):
            figure = line[member]
            assert isinstance(figure, float)
            assert figure > 0
    if name in {"dashboard", "worklist"}:
        statements, commits = printed[0]["statements"], printed[0]["commits"]
        assert isinstance(statements, float)
        assert statements <= 10
        assert commits == 1
    if name == "dashboard":
        assert printed[1]["required"] == 3.0
