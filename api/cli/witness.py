"""`anamnesis witness`: cosigns the heads of other people's logs, on a machine of its own."""

import asyncio
import signal
import time
from pathlib import Path

import click
import uvloop

from adapters.heads.witness import Witness
from adapters.proofs.notes import COSIGNED, KeyUnreadable, VerifierKey
from api.cli.place import actionable
from api.serving import listen, serving
from api.witness import alone_in, witness_application, witness_key


@click.command()
@click.option("--name", required=True, help="The witness's name, such as witness.example/w1.")
@click.option("--log", "logs", multiple=True, required=True, help="A log's verifier key.")
@click.option(
    "--folder", type=click.Path(path_type=Path), required=True, help="Its key and its memory."
)
@click.option("--port", default=8600, show_default=True, help="Where to listen.")
@click.option("--host", default="127.0.0.1", show_default=True, help="On which address.")
@actionable
def witness(name: str, logs: tuple[str, ...], folder: Path, port: int, host: str) -> None:
    """Cosign heads of the given logs (`anamnesis heads` prints their keys), until stopped.

    A head is cosigned only if it goes on from the one before. Needs nothing of the log: no
    database, no key, no record. Lose the folder and the witness must not go on under its name.
    """
    try:
        known = [VerifierKey.of(text) for text in logs]
    except KeyUnreadable as error:
        raise click.UsageError(str(KeyUnreadable.__doc__)) from error
    with alone_in(folder):
        key = witness_key(folder, name)
        cosigner = Witness(key, known, folder / "heads", time.time)
        click.echo(f"key  {key.verifier(COSIGNED).text}")
        uvloop.run(_serve(cosigner, port, host))


async def _serve(cosigner: Witness, port: int, host: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(witness_application(cosigner), listen(port, host)) as url:
        click.echo(f"witness at {url}/add-checkpoint")
        await stop.wait()
