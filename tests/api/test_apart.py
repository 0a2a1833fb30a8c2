"""The projector in a process of its own: it works, is started again, and never outlives us."""

import asyncio
import json
import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from api import apart
from api.apart import ProjectorNotStarted, ProjectorProcess, projecting_apart
from api.app import application
from api.auth.tokens import TokenVerifier
from api.house import House
from api.metrics import Metrics
from projections.catalogue import PROJECTIONS
from tests.adapters.postgres.acts import HERE, do, patient

pytestmark = pytest.mark.anyio
NAMES = [projection.name for projection in PROJECTIONS]
PARENT = (sys.executable, "-m", "tests.api.parent")


async def projected(house: House, number: int) -> None:
    """Return when every read model shows a new patient."""
    receipt = await do(house, patient(number))
    await house.progress.reach(HERE, receipt.last or 0, NAMES, seconds=60)


def exists(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


async def ended(process: int) -> None:
    """Return when there is no such process."""
    while True:
        if not exists(process):
            return
        await asyncio.sleep(0.01)


def told(process: int) -> bytes:
    """What everybody, or everybody of the same user, can read of a process."""
    place = Path(f"/proc/{process}")
    return (place / "cmdline").read_bytes() + (place / "environ").read_bytes()


def running(projector: ProjectorProcess) -> int:
    assert projector.process is not None
    return projector.process


async def test_another_process_projects_and_ends_with_the_context(house: House) -> None:
    async with projecting_apart(house) as projector:
        process = running(projector)
        assert process != os.getpid()
        await projected(house, 1)
        assert projector.is_alive
    assert not exists(process)


async def test_no_argument_and_no_variable_of_the_process_tells_the_dsn(house: House) -> None:
    async with projecting_apart(house) as projector:
        listed = told(running(projector))
    assert b"python" in listed
    for secret in (house.settings.dsn, house.settings.role_dsn("projector"), house.settings.keys):
        assert str(secret).encode() not in listed


async def test_a_killed_projector_is_followed_by_another_one(house: House) -> None:
    async with projecting_apart(house) as projector, asyncio.timeout(60):
        await projected(house, 1)
        first = running(projector)
        os.kill(first, signal.SIGKILL)
        await projected(house, 2)
        assert running(projector) != first
        assert projector.starts == 2


async def test_the_api_is_not_ready_while_its_projector_gives_no_sign_of_life(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "LATE_SECONDS", 3 * apart.BEAT_SECONDS)
    async with projecting_apart(house) as projector, asyncio.timeout(60):
        verifier = TokenVerifier({}, "anamnesis", profile="demo")
        metrics = Metrics()
        app = application(house, verifier, metrics=metrics, projector=projector)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://house.test") as client:

            async def answered(status: int) -> None:
                while True:
                    if (await client.get("/readyz")).status_code == status:
                        return
                    await asyncio.sleep(0.01)

            await answered(200)
            os.kill(running(projector), signal.SIGSTOP)
            await answered(503)
            assert (await client.get("/healthz")).status_code == 200
            page = (await metrics.page(house)).decode()
            os.kill(running(projector), signal.SIGCONT)
            await answered(200)
    silent = re.search(r"^anamnesis_projector_silent_seconds (\S+)", page, re.MULTILINE)
    assert silent is not None
    assert float(silent[1]) >= 3 * apart.BEAT_SECONDS
    assert "anamnesis_projector_starts_total 1.0" in page


async def test_a_projector_that_cannot_start_is_said_at_once(house: House, tmp_path: Path) -> None:
    nowhere = f"postgresql://anamnesis_projector@/postgres?host={tmp_path}&port=5432"
    settings = replace(house.settings, roles={"projector": nowhere})
    with pytest.raises(ProjectorNotStarted):
        async with projecting_apart(replace(house, settings=settings)):
            pass


async def test_the_projector_ends_when_its_parent_is_killed(house: House) -> None:
    place = json.dumps({"dsn": house.settings.dsn, "folder": str(house.settings.keys.parent)})
    parent = await asyncio.create_subprocess_exec(
        *PARENT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(place.encode() + b"\n")
    async with asyncio.timeout(60):
        child = int(await parent.stdout.readline())
        assert exists(child)
        parent.kill()
        await parent.wait()
        await ended(child)
