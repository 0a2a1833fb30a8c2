"""`anamnesis import fhir` and `anamnesis repair`: matched, interrupted, mended."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from api.cli import main
from api.keystore import create_root
from api.settings import Settings
from tests.adapters.fhir.bundles import bundle, concept, of_patient, patient, write
from tests.adapters.fhir.test_killed import history

NAMED = ("--tenant", "riverside", "--operator", "olga", "--reason", "a request of the patient")
Json = dict[str, Any]
INTERRUPTIBLE = """import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from api.cli import main
main()"""
"""What a shell runs in the background ignores SIGINT, and so would the import of such a suite."""
BROKEN_LISTED = 1
"""The exit code where something is set aside; the history has such resources."""
BROKEN = of_patient("Condition", "c1", code=5)
MENDED = of_patient("Condition", "c1", code=concept("1")) | {"subject": {"reference": "Patient/p1"}}


@pytest.fixture
def environment(dsn: str, tmp_path: Path) -> Mapping[str, str]:
    """The variables that name an empty house."""
    made = {
        "ANAMNESIS_DSN": dsn,
        "ANAMNESIS_KEYS": str(tmp_path / "keys"),
        "ANAMNESIS_OBJECTS": str(tmp_path / "objects"),
    }
    create_root(Settings.from_environment(made))
    return made


def run(environment: Mapping[str, str], *words: str, code: int = 0) -> list[Json]:
    """The JSON lines of a command that ends with this code."""
    result = CliRunner().invoke(main, (*words, *NAMED, "--json"), env=dict(environment))
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def bringing(file: Path, source: str = "urn:hospital") -> tuple[str, ...]:
    return ("import", "fhir", str(file), "--source", source)


def somebody(ident: str, **members: Any) -> Json:
    born = {"birthDate": "1975-03-02", "name": [{"family": "Delgado", "given": ["Rosa"]}]}
    phone = [{"system": "phone", "value": "+1 555 0100"}]
    return patient(**born, telecom=phone, gender="female") | {"id": ident} | members


def test_the_charts_of_an_import_are_matched_in_the_end(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    other = somebody("p2", name=[{"family": "Okafor", "given": ["Ben"]}], birthDate="1990-01-09")
    here = write(tmp_path, bundle(somebody("p1"), other | {"telecom": []}), "here.json")
    there = write(tmp_path, bundle(somebody("p3")), "there.json")

    (first,) = run(environment, *bringing(here))
    (second,) = run(environment, *bringing(there, "urn:other"))
    (again,) = run(environment, *bringing(there, "urn:other"))

    counted = [
        (one["matching"]["charts"], one["matching"]["linked"], one["matching"]["proposed"])
        for one in (first, second, again)
    ]
    assert counted == [(2, 0, 0), (1, 0, 1), (1, 0, 0)]


def test_what_is_set_aside_is_listed_and_filed_from_a_corrected_file(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    run(environment, *bringing(write(tmp_path, bundle(patient(), BROKEN))), code=1)
    (listed,) = run(environment, "repair")
    assert (listed["type"], listed["reason"], listed["at"]) == (
        "Condition",
        "malformed",
        "$.code",
    )
    refused = CliRunner().invoke(main, ("repair", listed["id"], *NAMED), env=dict(environment))
    assert (refused.exit_code, "[records.still_set_aside]" in refused.output) == (1, True), (
        refused.output
    )

    mended = write(tmp_path, MENDED, "mended.json")
    (done,) = run(environment, "repair", listed["id"], "--file", str(mended))

    assert (done["id"], done["settled"]) == (listed["id"], True)
    assert run(environment, "repair") == []
    with psycopg.connect(environment["ANAMNESIS_DSN"]) as connection:
        assert types(connection)["records.record-filed"] == 1


def types(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Events by type."""
    return dict(connection.execute("SELECT type, count(*) FROM event GROUP BY type").fetchall())


def test_an_interrupted_import_ends_with_130_and_goes_on_from_there(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    file = write(tmp_path, bundle(*history()))
    words = [sys.executable, "-c", INTERRUPTIBLE, *bringing(file), *NAMED]
    running = subprocess.Popen(
        words, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
    )
    with psycopg.connect(environment["ANAMNESIS_DSN"], autocommit=True) as connection:
        limit = threading.Timer(60, running.kill)
        limit.start()
        while running.poll() is None and sum(types(connection).values()) < 10:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, told = running.communicate()
        limit.cancel()
        before = sum(types(connection).values())

        assert (running.returncode, "Traceback" in told) == (130, False)
        assert "run it again" in told
        (report,) = run(environment, *bringing(file), code=BROKEN_LISTED)
        assert report["events_written"] > 0
        assert sum(types(connection).values()) == before + report["events_written"]
        assert types(connection)["records.record-filed"] == 60
        (again,) = run(environment, *bringing(file), code=BROKEN_LISTED)
    assert again["events_written"] == 0
