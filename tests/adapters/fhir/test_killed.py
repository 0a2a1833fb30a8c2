"""An import that is killed and started again comes to the same as one that nobody disturbed."""

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.embedded import EmbeddedPostgres
from api.house import open_house, projecting
from api.settings import Settings
from tests.adapters.fhir import lived
from tests.adapters.fhir.bundles import (
    SOURCE,
    Json,
    bundle,
    concept,
    observation,
    of_patient,
    patient,
    report,
    write,
)

pytestmark = pytest.mark.anyio
KILLS = ((0.0, 0.11), (0.04, 0.23), (0.17, 0.38))
"""Seconds after the first stage of the first and of the second attempt."""


def history() -> list[Json]:
    """A patient with visits, reports, facts, absent doctors and broken resources."""
    pointer = {"reference": "Practitioner?identifier=urn:npi|{}", "display": "Dr Who"}
    visits = [
        of_patient(
            "Encounter",
            f"e{n}",
            status="finished",
            participant=[
                {"individual": pointer | {"reference": pointer["reference"].format(n % 5)}}
            ],
        )
        for n in range(20)
    ]
    reports = [report(f"r{n}", f"a{n}", f"b{n}") for n in range(20)]
    parts = [observation(f"{kind}{n}") for kind in "ab" for n in range(20)]
    facts = [of_patient("Condition", f"c{n}", code=concept(str(n))) for n in range(60)]
    broken = [observation(f"x{n}", code=None) for n in range(5)]
    strangers = [
        observation(f"y{n}") | {"subject": {"reference": "Patient/later"}} for n in range(5)
    ]
    return [patient(), *visits, *reports, *parts, *facts, *broken, *strangers]


@pytest.mark.parametrize("kills", KILLS)
async def test_killed_half_way_and_started_again_nothing_is_doubled(
    postgres: EmbeddedPostgres, tmp_path: Path, kills: tuple[float, ...]
) -> None:
    file = write(tmp_path, bundle(*history()))
    undisturbed = await left_by(postgres, tmp_path / "calm", file, kills=())

    disturbed = await left_by(postgres, tmp_path / "killed", file, kills=kills)

    assert undisturbed["events"]["records.resource-set-aside"] == 10
    assert disturbed == undisturbed


async def left_by(
    postgres: EmbeddedPostgres, folder: Path, file: Path, kills: tuple[float, ...]
) -> dict[str, Counter[str]]:
    """What is there in the end; killed on the way as often as told."""
    name = f"test_{uuid4().hex}"
    dsn = postgres.create_database(name, template="template_anamnesis")
    for seconds in kills:
        kill_after(dsn, folder, file, seconds)
    settings = Settings.in_folder(folder, dsn, profile="demo")
    async with open_house(settings) as house, projecting(house):
        await lived.imported(house, [file])
        found = await lived.state(house)
    postgres.drop_database(name)
    return found


def kill_after(dsn: str, folder: Path, file: Path, seconds: float) -> None:
    """Start the import and kill it so long after its first stage."""
    arguments = [dsn, str(folder), str(file), SOURCE]
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.fhir.killed", *arguments], stdout=subprocess.PIPE
    )
    assert running.stdout is not None
    running.stdout.readline()
    death = threading.Timer(seconds, running.kill)
    death.start()
    running.wait()
    death.cancel()
    running.stdout.close()
