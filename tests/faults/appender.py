"""A process that appends as fast as it is answered, and says what was acknowledged, one line each.

It goes on when the database goes away and comes back, with the same wish under the same key, as a
client would. It ends when its input ends.
"""

import asyncio
import json
import sys
from pathlib import Path

import asyncpg

from adapters.postgres.writer import LogUnavailable
from api.house import House, open_house
from api.logs import configure
from api.settings import Settings
from domain.kernel.perform import Request
from tests.adapters.postgres.acts import operator, patient

AGAIN_S = 0.02
AWAY = (OSError, LogUnavailable, asyncpg.PostgresError, asyncpg.InterfaceError,
        asyncpg.InternalClientError)  # fmt: skip


async def append(
    house: House, name: str, number: int, clients: int, stop: asyncio.Event, *, early: bool
) -> None:
    """One client: patients with numbers that nobody else uses.

    `early` says that a wish came true before it did.
    """
    while not stop.is_set():
        command = patient(number)
        key = f"{name} {number}"
        wish = Request(command=command, actor=operator(), key=key)
        if early:
            say(["", 0, 0, number])
        try:
            receipt = await house.do(wish)
        except AWAY:
            await asyncio.sleep(AGAIN_S)
            continue
        if not early:
            say([receipt.streams[0], receipt.first, receipt.last, number])
        number += clients


def say(told: object) -> None:
    """A line that is out of the process when this returns."""
    sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stdout.flush()


async def main(
    dsn: str, folder: str, name: str, first: int, clients: int, early: bool = False
) -> None:
    """Append with so many clients until the input ends."""
    configure()  # to stderr: what is acknowledged goes to stdout
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), stop.set)
    async with open_house(Settings.in_folder(Path(folder), dsn, profile="demo")) as house:
        say("ready")
        await asyncio.gather(
            *(append(house, name, first + n, clients, stop, early=early) for n in range(clients))
        )


if __name__ == "__main__":
    asyncio.run(
        main(*sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5]), early=sys.argv[6:] == ["early"])
    )
