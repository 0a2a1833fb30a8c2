"""The bench prints lines of one shape; no figure is asserted, for machines differ."""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.minutes

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    "log_append alone, batches of 256",
    "append, 256 clients, beside single transactions",
    "perform with load and rule, 64 clients",
    "append, 1 client",
    "append, 8 clients",
    "append, 64 clients",
    "append, 256 clients",
]


@pytest.fixture(scope="module")
def lines() -> list[dict[str, object]]:
    """The lines of a short run."""
    finished = bench("append", "--seconds", "0.2", "--rounds", "1")
    assert finished.returncode == 0, finished.stderr
    return [json.loads(line) for line in finished.stdout.splitlines()]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m bench` with its files on a disk, in a folder whose name fits a socket."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/var/tmp") as folder:
        return subprocess.run(
            [sys.executable, "-m", "bench", *arguments],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": folder},
            capture_output=True,
            text=True,
            check=False,
        )


def test_the_lines_come_in_order_and_256_clients_beside_the_library_last(
    lines: list[dict[str, object]],
) -> None:
    assert [line["name"] for line in lines] == NAMES
    assert lines[-1]["reference_name"] == "eventsourcing Application.save(), 8 threads"


def test_every_line_has_a_value_beside_its_reference(lines: list[dict[str, object]]) -> None:
    for line in lines:
        assert list(line)[:6] == [
            "name", "value", "unit", "reference", "reference_name", "ratio",
        ]  # fmt: skip
        for member in ("value", "reference", "ratio"):
            figure = line[member]
            assert isinstance(figure, float)
            assert math.isfinite(figure)
            assert figure > 0


def test_the_required_ratios_stand_beside_the_measured_ones(
    lines: list[dict[str, object]],
) -> None:
    required = {line["name"]: line["required"] for line in lines if "required" in line}
    assert required == {NAMES[0]: 0.5, NAMES[1]: 1.5, NAMES[-1]: 10.0}


def test_an_unknown_name_is_refused() -> None:
    refused = bench("nothing")
    assert refused.returncode == 2
    assert "there is no bench nothing" in refused.stderr
    assert refused.stdout == ""
