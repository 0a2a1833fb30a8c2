"""docs/guides/frontend.md does what it says: every block is run, from top to bottom."""

import asyncio
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from api.app import application
from api.auth.tokens import DEMO_ISSUER, TokenVerifier
from api.serving import listen, serving
from tests.api.world import PATIENT, URL, World

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "frontend.md"
RESPONSE = "application/graphql-response+json"
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"<(\w+)>")
MARK = "--- the next command ---"


@dataclass
class Reader:
    """Somebody who does what the guide says, remembering the values that have names."""

    world: World
    url: str
    folder: Path
    known: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    request: dict[str, Any] = field(default_factory=dict)

    def filled(self, text: str) -> str:
        return NAME.sub(lambda match: self.known[match[1]], text)

    async def read(self, language: str, about: str, text: str) -> None:
        """Do what one block says."""
        match language, about:
            case "console", "":
                await self.type(text)
            case "graphql", "":
                self.request = {"query": text}
            case "json", "variables" | "extensions":
                self.request[about] = json.loads(self.filled(text))
            case "json", "answer":
                self.compare(json.loads(text), await self.answer())
            case "js", _:
                assert text in (ROOT / "tests" / "peers" / about).read_text(), about
            case _:
                raise AssertionError(f"nobody runs a block of {language} {about}")

    async def answer(self) -> Any:
        headers = {"authorization": f"Bearer {self.world.token('rosa')}", "accept": RESPONSE}
        return (await self.world.client.post(URL, json=self.request, headers=headers)).json()

    async def type(self, text: str) -> None:
        """Type the commands of a block after all earlier ones, and compare what they print."""
        typed, earlier = list(commands(text)), len(self.commands)
        self.commands += [command for command, _ in typed]
        script = "".join(f"{command}\necho '{MARK}'\n" for command in self.commands)
        bash = await asyncio.create_subprocess_exec(
            "bash", "-euc", script, cwd=self.folder, stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "URL": self.url},
        )  # fmt: skip
        told, _ = await bash.communicate()
        assert bash.returncode == 0, text
        printed = told.decode().split(f"{MARK}\n")[earlier:]
        for (command, expected), shown in zip(typed, printed, strict=False):
            if expected.startswith("{"):
                self.compare(json.loads(expected), json.loads(shown))
            else:
                self.compare(expected, shown.replace("\r", ""), command)

    def compare(self, expected: Any, given: Any, place: str = "") -> None:
        """Equal, but for names, which are learnt, and members of the answer that are left out."""
        if isinstance(expected, dict):
            assert isinstance(given, dict), place
            if place:
                assert set(expected) == set(given) - {"locations"}, place
            for name, part in expected.items():
                self.compare(part, given[name], f"{place}.{name}")
        elif isinstance(expected, list):
            assert len(expected) == len(given), f"{place}: {given}"
            for number, part in enumerate(expected):
                self.compare(part, given[number], f"{place}[{number}]")
        elif isinstance(expected, str) and NAME.search(expected):
            self.learn(expected, given, place)
        else:
            assert expected == given, place

    def learn(self, expected: str, given: str, place: str) -> None:
        pieces = NAME.split(expected)
        pattern = "".join(
            f"(?P<{piece}>.+)" if number % 2 else re.escape(piece)
            for number, piece in enumerate(pieces)
        )
        match = re.fullmatch(pattern, given)
        assert match is not None, f"{place}: {given}"
        for name, value in match.groupdict().items():
            assert self.known.setdefault(name, value) == value, f"{place}: {name}"


def blocks() -> list[tuple[str, str, str]]:
    return BLOCK.findall(GUIDE.read_text())


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command with what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def furnish(folder: Path, token: str) -> None:
    """A checkout with an environment, as far as the guide looks at it, and a curl."""
    (folder / "schema").symlink_to(ROOT / "schema")
    (folder / ".venv" / "bin").mkdir(parents=True)
    stand_in = Path(__file__).parent / "curl_stand_in.py"
    programs = {
        folder / ".venv" / "bin" / "anamnesis": f"echo {shlex.quote(token)}",
        folder / "curl": f'exec {shlex.quote(sys.executable)} {shlex.quote(str(stand_in))} "$@"',
    }
    for path, line in programs.items():
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o700)


async def test_every_block_of_the_guide_for_front_ends_does_what_it_says(
    own_world: World, tmp_path: Path
) -> None:
    folder = tmp_path / "checkout"
    folder.mkdir()
    furnish(folder, own_world.token("rosa"))
    verifier = TokenVerifier({DEMO_ISSUER: own_world.issuer.issuer}, "anamnesis", profile="demo")
    app = application(own_world.house, verifier, development=True, limits=PATIENT)
    walter = (await own_world.data("walter", "{ me { person } }"))["me"]["person"]
    async with serving(app, listen(0)) as url:
        reader = Reader(own_world, f"{url}/graphql", folder, {"walter": walter})
        for language, about, text in blocks():
            await reader.read(language, about, text)
    assert {"chart", "cursor", "second", "position", "tag", "correlation"} <= set(reader.known)


def test_no_block_of_the_guide_is_of_a_kind_that_is_not_run() -> None:
    fences = re.findall(r"^```\w*", GUIDE.read_text(), flags=re.MULTILINE)
    assert len(fences) == 2 * len(blocks()) > 30
