"""A process with a projector that tails the log until it is killed. It says `ready` once."""

import asyncio
import sys
from pathlib import Path

from api.house import open_house, projecting
from api.settings import Settings


async def main(dsn: str, folder: str) -> None:
    """Tail for ever."""
    settings = Settings.in_folder(Path(folder), dsn, profile="demo")
    async with open_house(settings) as house, projecting(house):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
