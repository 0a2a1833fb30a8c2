"""`anamnesis serve`: the API and the projector, until SIGINT or SIGTERM."""

import asyncio
import os
import signal

import click
import uvloop

from api.app import application
from api.auth.tokens import TokenVerifier
from api.cli.place import actionable
from api.house import open_house, projecting
from api.serving import listen, serving
from api.settings import Settings


@click.command()
@click.option("--port", default=8000, show_default=True, help="Where to listen on 127.0.0.1.")
@actionable
def serve(port: int) -> None:
    """Serve the API of the house that the environment names.

    Identity providers are configured later; until then only the demo issues tokens, and its
    tokens are refused here.
    """
    uvloop.run(_serve(Settings.from_environment(os.environ), port))


async def _serve(settings: Settings, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    verifier = TokenVerifier({}, "anamnesis", profile="production")
    async with (
        open_house(settings) as house,
        projecting(house),
        serving(application(house, verifier), listen(port)) as url,
    ):
        click.echo(f"serving {url}/graphql")
        await stop.wait()
