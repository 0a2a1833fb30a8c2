"""`anamnesis serve`: the API and the projector, until SIGINT or SIGTERM."""

import asyncio
import contextlib
import os
import signal

import click
import uvloop

from api.apart import projecting_apart
from api.app import application
from api.auth.tokens import TokenVerifier
from api.cli.place import actionable
from api.house import open_house
from api.metrics import Metrics, metrics_application
from api.serving import listen, serving
from api.settings import Settings
from api.signing import signing


@click.command()
@click.option("--port", default=8000, show_default=True, help="Where to listen on 127.0.0.1.")
@click.option(
    "--metrics-port", type=int, help="Serve /metrics here on 127.0.0.1; off if not given."
)
@actionable
def serve(port: int, metrics_port: int | None) -> None:
    """Serve the API of the house that the environment names.

    Identity providers are configured later; until then only the demo issues tokens, and its
    tokens are refused here.
    """
    uvloop.run(_serve(Settings.from_environment(os.environ), port, metrics_port))


async def _serve(settings: Settings, port: int, metrics_port: int | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    verifier = TokenVerifier({}, "anamnesis", profile="production")
    metrics = Metrics()
    async with contextlib.AsyncExitStack() as stack:
        house = await stack.enter_async_context(open_house(settings))
        projector = await stack.enter_async_context(projecting_apart(house))
        metrics.watch(await stack.enter_async_context(signing(house)))
        if metrics_port is not None:
            page = serving(metrics_application(metrics, house), listen(metrics_port))
            click.echo(f"metrics at {await stack.enter_async_context(page)}/metrics")
        app = application(
            house,
            verifier,
            development=settings.profile == "development",
            metrics=metrics,
            projector=projector,
        )
        url = await stack.enter_async_context(serving(app, listen(port)))
        click.echo(f"serving {url}/graphql")
        await stop.wait()
