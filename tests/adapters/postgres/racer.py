"""A process that races for one login: says `ready`, waits for a line, tells what became of it."""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from api.house import House, open_house
from api.settings import Settings
from domain.kernel.refusal import Refusal
from tests.adapters.postgres.acts import account, do


async def main(dsn: str, folder: str, name: str, count: int) -> None:
    """Open `count` accounts of different people under one login, all at once."""
    async with open_house(Settings.in_folder(Path(folder), dsn)) as house:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        answers = await asyncio.gather(*(attempt(house, f"{name} {n}") for n in range(count)))
    print(json.dumps(Counter(answers)), flush=True)


async def attempt(house: House, person: str) -> str:
    """`won`, or the code of the refusal."""
    try:
        await do(house, account("the only login", person=person))
    except Refusal as refusal:
        return refusal.code
    return "won"


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
