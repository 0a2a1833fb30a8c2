"""`anamnesis worker`: what follows from events, carried out, until SIGINT or SIGTERM."""

import asyncio
import os
import signal

import click
import uvloop

from api.cli.place import actionable
from api.dispatch import dispatching
from api.house import open_house
from api.settings import Settings


@click.command()
@actionable
def worker() -> None:
    """Write the effects of events and carry them out: mail, and what else the settings connect.

    Any number of them may run. Redis (ANAMNESIS_REDIS) wakes them early; without it they look every
    two seconds.
    """
    uvloop.run(_work(Settings.from_environment(os.environ)))


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_house(settings) as house, dispatching(house):
        click.echo("working")
        await stop.wait()
