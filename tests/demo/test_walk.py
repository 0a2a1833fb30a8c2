"""The walk holds on a sound demo, and each step fails when what it promises is broken."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.running import embedded_servers
from demo.walk import STEPS, _Visit, taken
from demo.walk.world import World, opened
from tests.demo.defects import DEFECTS

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One running demo for all steps."""
    folder = tmp_path_factory.mktemp("demo")
    with embedded_servers(folder / "demo", lambda _words: None) as servers:
        async with opened(servers) as ready:
            yield ready


def test_every_step_has_a_planted_defect() -> None:
    assert set(DEFECTS) == set(STEPS)


@pytest.mark.parametrize("name", STEPS)
async def test_a_step_holds_fails_with_its_defect_and_holds_again(
    name: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await taken(name, STEPS[name], world)).ok
    async with DEFECTS[name](world, monkeypatch):
        planted = await taken(name, STEPS[name], world)
    assert not planted.ok, f"{name} holds although its promise is broken"
    assert planted.detail
    mended = await taken(name, STEPS[name], world)
    assert mended.ok, mended.detail


def test_a_start_in_a_folder_open_to_others_fails(tmp_path: Path) -> None:
    (tmp_path / "demo" / "postgres").mkdir(parents=True)
    (tmp_path / "demo" / "postgres").chmod(0o777)
    with _Visit(tmp_path / "demo") as visit:
        step = visit.start("first-start", 0)
    assert not step.ok
    assert "FolderNotPrivate" in step.detail


def test_the_whole_walk_prints_a_json_line_per_step_and_exits_with_0() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", "demo", "--check", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    steps = [json.loads(line) for line in run.stdout.splitlines()]
    assert [step["step"] for step in steps] == ["first-start", *STEPS, "second-start"]
    assert [step for step in steps if not step["ok"]] == []
    assert all(set(step) == {"step", "ok", "seconds", "detail"} for step in steps)
    assert run.returncode == 0


def test_a_second_start_with_a_shorter_log_fails(tmp_path: Path) -> None:
    with _Visit(tmp_path / "demo") as visit:
        step = visit.start("second-start", 10**9)
    assert not step.ok
