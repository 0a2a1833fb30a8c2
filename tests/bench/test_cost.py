"""The worst operation that is allowed is executed whole; its time is told, not asserted."""

import json

import pytest

from tests.bench.test_bench import bench

pytestmark = pytest.mark.minutes


def test_an_operation_at_the_cost_limit_is_answered_and_timed() -> None:
    finished = bench("cost", "--seconds", "0.2", "--rounds", "1")
    assert finished.returncode == 0, finished.stderr
    (line,) = map(json.loads, finished.stdout.splitlines())
    assert 0.9 * line["limit"] < line["cost"] <= line["limit"]
    assert line["values"] == 20 * line["reports"] > 1_000
    assert line["bytes"] > 500_000
    assert line["p99_ms"] >= line["p50_ms"] > 0
