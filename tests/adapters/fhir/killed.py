"""An import in a process of its own, to be killed: DSN, folder of the house, file, source."""

import asyncio
import sys
from pathlib import Path

from adapters.fhir.importing import import_bundles
from api.house import open_house, projecting
from api.settings import Settings
from tests.adapters.fhir.lived import intake


async def run(dsn: str, folder: str, file: str, source: str) -> None:
    """Import the file, saying after each stage how many events there are."""
    settings = Settings.in_folder(Path(folder), dsn, profile="demo")
    async with open_house(settings) as house, projecting(house):
        await import_bundles(
            [Path(file)],
            intake(house),
            source,
            concurrency=4,
            progress=lambda at: print(at.events_written, flush=True),
        )


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
