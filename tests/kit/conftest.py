"""Exports of a house with the story people, and the verifier as its user runs it."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_cli import NAMED, Console
from tests.api.test_cli import peopled as peopled
from tests.api.test_cli_heads import sign

KIT = Path(__file__).parents[2] / "docs" / "kit" / "verify.py"
HERE = ("--tenant", "riverside", *NAMED)
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Officer:
    """Somebody with files, a key on paper, and the verifier; no access to anything else."""

    folder: Path
    key: str

    def verify(self, path: Path, *words: str, trusting: bool = True) -> tuple[int, str]:
        """Exit code and output, with nothing of the product to import."""
        keys = ("--key", self.key) if trusting else ()
        ran = subprocess.run(
            [sys.executable, "-I", str(KIT), str(path), *keys, *words],
            capture_output=True, text=True, timeout=60, cwd=self.folder, check=False,
        )  # fmt: skip
        return ran.returncode, ran.stdout + ran.stderr

    def findings(self, path: Path) -> list[str]:
        """What is wrong."""
        _, said = self.verify(path, "--json")
        wrong: list[str] = json.loads(said)["wrong"]
        return wrong

    def changed(self, path: Path, change: Callable[[list[Json]], None]) -> Path:
        """A copy whose lines were changed."""
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        change(lines)
        copy = self.folder / "changed.jsonl"
        copy.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return copy


@dataclass(frozen=True, slots=True)
class Exports:
    """A house whose log has several signed heads."""

    console: Console
    officer: Officer

    def whole(self) -> Path:
        return self.export("whole.jsonl", "--all")

    def export(self, name: str, *selection: str) -> Path:
        path = self.officer.folder / name
        self.console.run("audit", "export", str(path), *selection, *HERE)
        return path

    def receipt(self, position: int) -> Path:
        path = self.officer.folder / f"receipt-{position}.json"
        self.console.run("audit", "receipt", str(position), str(path), *HERE)
        return path

    def chart(self) -> str:
        (row,) = self.console.rows(
            "SELECT chart::text FROM model.registry_chart WHERE tenant = 'riverside'"
            " ORDER BY chart LIMIT 1"
        )
        return str(row["chart"])


@pytest.fixture
def exports(peopled: Console, tmp_path: Path) -> Exports:
    for _ in range(3):
        peopled.run("replay", "--at", "3", *HERE)
        sign(peopled)
    (told,) = peopled.lines("heads", "--tenant", "riverside", "--json")
    return Exports(peopled, Officer(tmp_path, told["key"]))
