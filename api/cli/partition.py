"""`anamnesis partition`: the table of events in partitions by tenant, while appends go on."""

import asyncio
import os

import click
import msgspec

from adapters.postgres import partitioning
from api.cli.place import actionable
from api.cli.progressing import progress_bar
from api.settings import Settings


@click.command()
@click.option("--of", "parts", type=int, required=True, help="How many partitions, 2 to 256.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@actionable
def partition(parts: int, as_json: bool) -> None:
    """Put the events of ANAMNESIS_DSN into partitions; what was interrupted goes on."""
    settings = Settings.from_environment(os.environ)
    with progress_bar("copying events") as moved:
        events = asyncio.run(partitioning.partition(settings.dsn, parts, moved))
    if as_json:
        click.echo(msgspec.json.encode({"partitions": parts, "events": events}))
    else:
        click.echo(f"{sum(events.values())} events of {len(events)} tenants in {parts} partitions")
