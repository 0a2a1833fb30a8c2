"""Brings up processes that die at an await point, fast: forks of one that has all imported.

A line of JSON on the input asks for one; what it says comes out, then how it ended.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2

from adapters.postgres import projector as projecting
from adapters.postgres.batch import Projecting, Share
from adapters.postgres.incoming import Span, projecting_run, read
from adapters.postgres.projector import Projector
from api.dispatch import dispatching
from api.house import House, open_house, tailing_pool
from api.logs import configure
from api.settings import Settings
from domain.kernel.perform import Request
from projections.catalogue import PROJECTIONS
from tests.adapters.dispatch.posting import POSTING, Post
from tests.adapters.postgres.acts import HERE, operator, patient, problem
from tests.faults.appender import say
from tests.faults.mortal import Life
from tests.faults.working import Poster

CLIENTS = 3
LEASE_SECONDS = 0.5
Given = dict[str, Any]


async def wishing(house: House, life: Life, given: Given) -> None:
    """Clients at once that each wish for a patient and then for a problem of that patient."""

    async def client(number: int) -> None:
        wish = Request(command=patient(number), actor=operator(), key=f"patient {number}")
        chart = (await told(house, wish, number)).streams[0]
        wish = Request(command=problem(chart, number), actor=operator(), key=f"problem {number}")
        await told(house, wish, number)

    life.arm(given["point"])
    await asyncio.gather(*(client(given["first"] + n) for n in range(CLIENTS)))


async def told(house: House, wish: Request, number: int) -> Any:
    """The receipt, said before anything else happens."""
    receipt = await house.do(wish)
    say([wish.key, number, receipt.streams[0], receipt.first, receipt.last])
    return receipt


async def tailing(house: House, life: Life, given: Given) -> None:
    """A projector's way to the head."""
    kind = Hasty if given["hasty"] else Projector
    async with tailing_pool(house.settings.role_dsn("projector")) as pool:
        life.arm(given["point"])
        await asyncio.create_task(kind(pool, house.keys, PROJECTIONS).advance(HERE))
        life.disarm()


async def working(house: House, life: Life, given: Given) -> None:
    """A worker until it has settled one effect."""
    settled = asyncio.Event()

    def reached(point: str) -> None:
        if point == "settled":
            settled.set()

    life.arm(given["point"])
    async with httpx2.AsyncClient() as client:
        carriers = {Post.effect_name: Poster(client, given["url"])}
        async with dispatching(house, carriers, (POSTING,), LEASE_SECONDS, reached):
            await settled.wait()


class Hasty(Projector):
    """The negative control: its checkpoints are committed before its rows."""

    async def _round(self, tenant: str, names: Any, limit: int, write: Projecting) -> int:
        versions = {name: self._projections[name].version for name in names}
        projections = [self._projections[name] for name in versions]
        async with self._pool.acquire() as connection:
            async with projecting_run(connection, tenant):
                claimed, head = await projecting._claim(connection, tenant, versions)
                start = min(claimed.values())
                if head <= start:
                    return 0
                span = Span(start, head, limit)
                events, end = await read(connection, tenant, span, projections, self._keys)
                await projecting._commit(connection, tenant, dict.fromkeys(claimed, end))
            async with projecting_run(connection, tenant):
                for one in projections:
                    share = Share(tenant, one, claimed[one.name], {}, set())
                    if share.wants(events):
                        await write(connection, self._keys, share, events)
                await connection.execute("COMMIT")
        return len(events)


ROLES: dict[str, Callable[[House, Life, Given], Awaitable[None]]] = {
    "wishing": wishing,
    "tailing": tailing,
    "working": working,
}


async def lived(given: Given) -> None:
    """One life."""
    life = Life()
    life.begin(asyncio.get_running_loop())
    settings = Settings.in_folder(Path(given["folder"]), given["dsn"], profile="demo")
    async with open_house(settings) as house:
        await asyncio.create_task(ROLES[given["role"]](house, life, given))
        life.disarm()


def main() -> None:
    """Until the input ends."""
    configure()  # to stderr: what is said goes to stdout
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(lived(json.loads(line)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say({"ended": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    main()
