"""A worker that posts what follows to a peer over HTTP, and kills itself where it is told to.

Arguments: a JSON object on standard input with the settings, the peer's URL, a point and a count:
the process dies when that point is reached for the so-manieth time.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx2

from adapters.dispatch import Failed, InDoubtNow
from api.dispatch import dispatching
from api.house import open_house
from api.settings import Settings
from domain.kernel.command import Command
from domain.notifications import NoteNotice
from tests.adapters.dispatch.posting import POSTING, Post


class Poster:
    """Posts a number under the effect's id."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    async def prepare(self, _tenant: str, effect: Post) -> str:
        """See Carrier."""
        return effect.number

    async def send(self, ident: str, prepared: str) -> str:
        """See Carrier."""
        try:
            answer = await self._client.post(
                self._url, content=prepared, headers={"idempotency-key": ident}
            )
        except httpx2.ConnectError:
            raise Failed("Connect") from None
        except httpx2.HTTPError:
            raise InDoubtNow from None
        if answer.status_code != 200:
            raise Failed(f"Status{answer.status_code}")
        return answer.text

    def report(self, ident: str, _effect: Any, told: str, error: str | None) -> Command[Any]:
        """See Carrier."""
        return NoteNotice(effect=ident, notice="post", audience="peer", message=told, error=error)


async def work(given: dict[str, Any]) -> None:
    left = given["count"]

    def reached(point: str) -> None:
        nonlocal left
        left -= point == given["point"]
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = Settings(
        dsn=given["dsn"],
        keys=Path(given["keys"]),
        objects=Path(given["objects"]),
        profile="demo",
        redis=given["redis"],
    )
    limits = httpx2.Limits(max_connections=16)
    async with open_house(settings) as house, httpx2.AsyncClient(limits=limits) as client:
        carriers = {Post.effect_name: Poster(client, given["url"])}
        async with dispatching(house, carriers, (POSTING,), 1.0, reached):
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(json.loads(sys.stdin.readline())))
