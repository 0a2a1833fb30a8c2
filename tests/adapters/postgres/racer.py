"""A process that calls the house: says `ready`, waits for a line, tells what became of its wishes.

`race` makes many wishes at once under keys of their own, `same` under one key. `answer` makes one
wish; `die` makes it and is killed after its commit, before the answer is delivered.
"""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.house import House, open_house
from api.settings import Settings
from domain.consent import GrantProxyAccess, WithdrawProxyAccess
from domain.identity import CloseAccount
from domain.kernel.command import Command
from domain.kernel.context import Actor
from domain.kernel.log import Append
from domain.kernel.perform import Request
from domain.kernel.refusal import Refusal
from tests.adapters.postgres.acts import account, granting, operator, patient

CHART, GRANTEE, STRANGER = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def _change(number: int, seen: int | None = None) -> GrantProxyAccess:
    """A grant with an end of its own, so that it differs from every other one."""
    ending = granting(CHART, GRANTEE, until=LATER - timedelta(days=number))
    return replace(ending, seen_version=seen)


def _closing(login: str) -> CloseAccount:
    return CloseAccount(account=login, reason="left")


WISHES: dict[str, Callable[[int], Command[Any]]] = {
    "login": lambda number: account("the only login", person=f"person {number}"),
    "change": _change,
    "change of version 1": lambda number: _change(number, seen=1),
    "grant": lambda _: granting(CHART, GRANTEE),
    "stale withdrawal": lambda _: WithdrawProxyAccess(chart=CHART, grantee=GRANTEE, seen_version=9),
    "patient": lambda _: patient(1),
}
STRANGERS = Actor(tenant="riverside", id=STRANGER, kind="account")


class Deadly:
    """The log of a process that is killed when its commit is durable and nobody knows yet."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, wish: Append) -> None:
        """Commit, then die."""
        await self._log.append(wish)
        os.kill(os.getpid(), signal.SIGKILL)


async def main(dsn: str, folder: str, how: str, wish: str, key: str, numbers: range) -> None:
    """What is asked for on the command line."""
    async with open_house(Settings.in_folder(Path(folder), dsn)) as house:
        actor = STRANGERS if how.endswith("as a stranger") else operator()
        if how.startswith("die"):
            house = replace(house, log=Deadly(house.log))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        answers = await asyncio.gather(
            *(
                answer(house, actor, wish, number, f"{key} {number}" if how == "race" else key)
                for number in numbers
            )
        )
    print(json.dumps(Counter(answers)), flush=True)


async def answer(house: House, actor: Actor, wish: str, number: int, key: str) -> str:
    """What became of a wish and its positions, or the code and the fields of the refusal."""
    command = _closing(wish.split()[1]) if wish.startswith("close ") else WISHES[wish](number)
    try:
        receipt = await house.do(Request(command=command, actor=actor, key=key))
    except Refusal as refusal:
        return " ".join([refusal.code, *map(str, refusal.fields.values())])
    done = "nothing" if receipt.first is None else f"{receipt.first}-{receipt.last}"
    return f"{'again' if receipt.repeated else 'done'} {done} {' '.join(receipt.streams)}"


if __name__ == "__main__":
    _, *texts, first, end = sys.argv
    asyncio.run(main(*texts, range(int(first), int(end))))
