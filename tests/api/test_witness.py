"""`anamnesis witness` beside a house that brings it its heads."""

import asyncio
import contextlib
import os
import signal
import stat
import sys
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from adapters.heads import heads_in
from adapters.heads.witness import MOST_BYTES
from adapters.proofs.notes import COSIGNED, KeyUnreadable, VerifierKey
from api.house import open_house
from api.settings import Settings, SettingUnclear
from api.signing import head_key, signing
from api.witness import WitnessRuns, alone_in
from tests.api.world import World

pytestmark = pytest.mark.anyio


async def test_a_witness_process_cosigns_the_heads_of_a_living_house(
    world: World, tmp_path: Path
) -> None:
    house = world.house
    log = (await head_key(house.keys, house.settings, "riverside")).verifier()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from api.cli import main; main()", "witness",
        "--name", "witness.example/w1", "--log", log.text,
        "--folder", str(tmp_path / "witness"), "--port", "0",
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        key = VerifierKey.of((await process.stdout.readline()).decode().split()[1])
        url = (await process.stdout.readline()).decode().split()[-1].removesuffix("/add-checkpoint")
    assert key.kind == COSIGNED
    assert stat.S_IMODE((tmp_path / "witness" / "witness.key").stat().st_mode) == 0o600
    taken = tmp_path / "taken.jsonl"
    settings = replace(house.settings, witnesses=((url, key.text),), heads_file=taken)
    async with open_house(settings) as other, signing(other), asyncio.timeout(30):
        while True:
            found = list(heads_in(taken.read_text())) if taken.exists() else []
            if any(len(n.check([log, key])) == 2 for t, n in found if t == "riverside"):
                break
            await asyncio.sleep(0.05)
    async with httpx2.AsyncClient() as client:
        long = await client.post(f"{url}/add-checkpoint", content=b"x" * (MOST_BYTES + 1))
        assert long.status_code == 413
        assert (await client.post(f"{url}/add-checkpoint", content=b"\xff")).status_code == 400
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0


def test_two_witnesses_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(WitnessRuns), alone_in(tmp_path):
        raise AssertionError("two of them")


def test_witnesses_are_pairs_of_url_and_key() -> None:
    given = {"ANAMNESIS_DSN": "postgresql://x", "ANAMNESIS_KEYS": "k", "ANAMNESIS_OBJECTS": "o"}
    two = given | {"ANAMNESIS_WITNESSES": "https://w1.example w1+00+AA  http://w2 w2+00+AA"}
    assert Settings.from_environment(two).witnesses == (
        ("https://w1.example", "w1+00+AA"),
        ("http://w2", "w2+00+AA"),
    )
    for wrong in ("https://w1.example", "w1+00+AA https://w1.example", "ftp://x w1+00+AA"):
        with pytest.raises(SettingUnclear, match="WITNESSES"):
            Settings.from_environment(given | {"ANAMNESIS_WITNESSES": wrong})


async def test_a_witness_key_that_is_none_ends_the_start(world: World) -> None:
    settings = replace(world.house.settings, witnesses=(("http://w", "w1+00+AA"),))
    async with open_house(settings) as house:
        with pytest.raises(KeyUnreadable):
            async with contextlib.AsyncExitStack() as stack:
                await stack.enter_async_context(signing(house))
