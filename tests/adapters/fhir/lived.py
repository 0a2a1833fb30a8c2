"""An import into a real house with its read models, and what it left there."""

from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg

from adapters.fhir.importing import import_bundles
from adapters.fhir.report import ImportReport
from adapters.postgres.reads import ReadTransaction
from adapters.postgres.trail import Trail
from api.cli.place import operator_actor
from api.house import House
from api.inbound.fhir import HouseIntake
from domain.audit import Selection
from domain.kernel.event import Recorded
from projections.catalogue import PROJECTIONS
from projections.directory import ENTRY
from tests.adapters.fhir.bundles import SOURCE, Json, bundle, write

TENANT = "riverside"
NAMES = [projection.name for projection in PROJECTIONS]


def intake(house: House) -> HouseIntake:
    """The door of an operator."""
    return HouseIntake(house, operator_actor(TENANT, "tester", "a test"))


async def brought(
    house: House, folder: Path, *resources: Json, source: str = SOURCE, **named: str
) -> ImportReport:
    """The report of importing one bundle, waited for by every read model."""
    return await imported(house, [write(folder, bundle(*resources, **named))], source)


async def imported(house: House, paths: list[Path], source: str = SOURCE) -> ImportReport:
    """The report of an import, waited for by every read model."""
    done = await import_bundles(paths, intake(house), source)
    await house.progress.reach_head(TENANT, NAMES, seconds=120)
    return done


async def events(house: House, kind: type[Any]) -> list[Any]:
    """All events of a type, in order."""
    return [one.event for one in await recorded(house) if isinstance(one.event, kind)]


async def recorded(house: House) -> list[Recorded]:
    """Everything in the log, in order."""
    trail = Trail(house.auditor, house.keys, TENANT)
    return list(await trail.events(await trail.positions(Selection())))


async def entry(house: House, ident: str) -> Any:
    """A directory entry as it is read."""
    reads = ReadTransaction(house.reads, house.keys, TENANT, "")
    try:
        return await reads.document(ENTRY, ident)
    finally:
        await reads.close()


async def rows(house: House, table: str, columns: str = "*") -> list[asyncpg.Record]:
    """The rows of a read model."""
    connection = await asyncpg.connect(house.settings.dsn)
    try:
        found: list[asyncpg.Record] = await connection.fetch(
            f"SELECT {columns} FROM model.{table} WHERE tenant = '{TENANT}'"
        )
    finally:
        await connection.close()
    return found


async def state(house: House) -> dict[str, Counter[str]]:
    """Events by type and rows by table: what an import comes to, however it came about."""
    connection = await asyncpg.connect(house.settings.dsn)
    try:
        types = await connection.fetch("SELECT type FROM event")
        counted = {
            table.name: await connection.fetchval(f"SELECT count(*) FROM model.{table.name}")
            for projection in PROJECTIONS
            if not projection.everything
            for table in projection.tables
        }
    finally:
        await connection.close()
    return {"events": Counter(row["type"] for row in types), "rows": Counter(counted)}
