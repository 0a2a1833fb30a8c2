"""Sample folders in a real house."""

import gzip
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from adapters.embedded import EmbeddedPostgres
from adapters.fhir.importing import import_bundles
from adapters.fhir.report import ImportReport
from api.cli.place import operator_actor
from api.house import House, open_house, projecting
from api.inbound.fhir import HouseIntake
from api.settings import Settings
from projections.catalogue import PROJECTIONS

TENANT = "riverside"
SYNTHEA = "urn:synthea"
NAMES = [projection.name for projection in PROJECTIONS]


@dataclass(frozen=True, slots=True)
class Imported:
    """A house after two imports of a folder, and the events by type between them."""

    house: House
    folder: Path
    place: Path
    first: ImportReport
    second: ImportReport
    events: dict[str, int]


def samples(name: str) -> Path:
    """A folder of the sample input."""
    return Path(os.environ["ANAMNESIS_SAMPLES"]) / name


def expected(name: str) -> dict[str, Any]:
    """What was counted in a folder when it was collected, by file."""
    counted: dict[str, Any] = json.loads((samples(name) / "EXPECTED.json").read_bytes())
    return counted


@asynccontextmanager
async def a_house(postgres: EmbeddedPostgres, folder: Path) -> AsyncIterator[House]:
    """An empty house with a projector."""
    name = f"test_{uuid4().hex}"
    dsn = postgres.create_database(name, template="template_anamnesis")
    settings = Settings.in_folder(folder / name, dsn, profile="demo")
    async with open_house(settings) as house, projecting(house):
        yield house
    postgres.drop_database(name)


async def bring(house: House, source: str, *paths: Path) -> ImportReport:
    """The report of an import, waited for by every read model."""
    intake = HouseIntake(house, operator_actor(TENANT, "tester", "sample data"))
    done = await import_bundles(paths, intake, source)
    await house.progress.reach_head(TENANT, NAMES, seconds=300)
    return done


def accounted(done: ImportReport) -> Counter[str]:
    """Resources that came to something: filed, waiting, set aside, or of no use to us."""
    filed = Counter({kind: sum(counts.values()) for kind, counts in done.yielded.items()})
    aside = Counter(one.type for one in done.problems if one.type)
    return filed + aside + Counter(done.not_imported)


async def counts(house: House) -> dict[str, int]:
    """Events by type."""
    rows = await fetch(house, "SELECT type, count(*) AS n FROM event GROUP BY type")
    return {row["type"]: row["n"] for row in rows}


async def fetch(house: House, sql: str) -> list[asyncpg.Record]:
    """Rows, as the owner of the database sees them."""
    connection = await asyncpg.connect(house.settings.dsn)
    try:
        found: list[asyncpg.Record] = await connection.fetch(sql)
    finally:
        await connection.close()
    return found


def resources(path: Path) -> Iterator[dict[str, Any]]:
    """The resources of a bundle file, read independently, numbers as they are written."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    for entry in json.loads(content, parse_float=str, parse_int=str)["entry"]:
        yield entry["resource"]
