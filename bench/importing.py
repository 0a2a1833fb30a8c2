"""Importing FHIR bundles, beside decoding the same JSON and a bulk INSERT of as many rows.

The bundles are the sample folder's Synthea patients where ANAMNESIS_SAMPLES names it, else the
demo's stories. The reference knows nothing: no mapping, no ids, no keys, no rules, no log.
"""

import gzip
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec

from adapters.fhir.files import bundles_at
from adapters.fhir.importing import import_bundles
from api.cli.place import operator_actor
from api.house import projecting
from api.inbound.fhir import HouseIntake
from bench.ground import TENANT, Ground
from bench.measure import Line, Pace, say
from demo.seed import write_bundles

NAME = "JSON decode and bulk INSERT"


class Incomplete(Exception):
    """A bundle was not imported whole: the measurement would be of refusals."""


async def lines(ground: Ground, _pace: Pace) -> AsyncIterator[Line]:
    """Resources a second; one import, since a second one would change nothing."""
    folder = bundles(ground.folder)
    async with ground.house("importing") as house, projecting(house):
        intake = HouseIntake(house, operator_actor(TENANT, "bench", "bench"))
        report = await import_bundles([folder], intake, "urn:bench")
        if report.problems:
            raise Incomplete(report.problems[0].reason)
    resources = sum(report.resources.values())
    say(f"  imported {resources} resources as {report.events_written} events")
    reference = await _bulk(ground, folder)
    yield Line(
        name="import of FHIR bundles",
        value=report.resources_per_second,
        unit="resources/s",
        reference=reference,
        reference_name=NAME,
        extra={"resources": resources, "events": report.events_written},
    )


def bundles(folder: Path) -> Path:
    """The folder of bundles to import."""
    samples = os.environ.get("ANAMNESIS_SAMPLES")
    if samples:
        return Path(samples) / "synthea"
    return write_bundles(folder / "bundles")[TENANT]


async def _bulk(ground: Ground, folder: Path) -> float:
    """Each file is decoded, and its resources become rows by one INSERT."""
    connection = await asyncpg.connect(ground.server.create_database("bulk"))
    try:
        await connection.execute("CREATE TABLE resource (id bigserial PRIMARY KEY, body bytea)")
        count, began = 0, time.perf_counter()
        for path in bundles_at([folder]):
            bundle = msgspec.json.decode(_content(path))
            rows = [msgspec.json.encode(entry) for entry in bundle["entry"]]
            await connection.execute(
                "INSERT INTO resource (body) SELECT * FROM unnest($1::bytea[])", rows
            )
            count += len(rows)
        return count / (time.perf_counter() - began)
    finally:
        await connection.close()


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content
