"""What make would run, without running it."""

import subprocess

import pytest

from tests.contracts.tree import ROOT


@pytest.mark.parametrize(("words", "names"), [((), ""), (("BENCH=append",), "append")])
def test_make_bench_runs_every_bench_or_the_named_one(words: tuple[str, ...], names: str) -> None:
    command = ("make", "--dry-run", "--no-print-directory", "bench", *words)
    planned = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert planned.splitlines()[-1].split(" -m bench")[1].strip() == names
