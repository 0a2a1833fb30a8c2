"""A process that keeps the read models: says `ready`, then goes on until its input ends."""

import asyncio
import sys
from pathlib import Path

from api.house import open_house, projecting
from api.settings import Settings


async def main(dsn: str, folder: str) -> None:
    """Project like a served house does."""
    async with open_house(Settings.in_folder(Path(folder), dsn)) as house, projecting(house):
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
