"""A process that has its projector apart: told where on stdin, it says the projector's number."""

import asyncio
import json
import sys
from pathlib import Path

from api.apart import projecting_apart
from api.house import open_house
from api.settings import Settings


async def _keep(folder: Path, dsn: str) -> None:
    settings = Settings.in_folder(folder, dsn, profile="demo")
    async with open_house(settings) as house, projecting_apart(house) as projector:
        print(projector.process, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    told = json.loads(sys.stdin.readline())
    asyncio.run(_keep(Path(told["folder"]), told["dsn"]))
