"""`anamnesis rebuild NAME`: a read model anew from the log, while reads go on."""

import asyncio
from dataclasses import asdict
from pathlib import Path

import asyncpg
import click
import msgspec

from adapters.postgres.rebuild import Rebuild, Rebuilt
from api.cli.place import house_at, placed
from api.cli.progressing import Moved, progress_bar
from api.house import House
from domain.kernel.readmodel import Projection
from projections.catalogue import PROJECTIONS, projection


@click.command()
@click.argument("name", type=click.Choice([known.name for known in PROJECTIONS]))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@placed
def rebuild(name: str, as_json: bool, folder: Path) -> None:
    """Rebuild the read model NAME beside the old one and switch."""

    async def run() -> Rebuilt:
        async with house_at(folder) as house:
            with progress_bar(f"rebuilding {name}") as moved:
                return await rebuilt(house, projection(name), moved)

    answer = asyncio.run(run())
    if as_json:
        click.echo(msgspec.json.encode(asdict(answer)))
    else:
        rows = ", ".join(f"{count} in {table}" for table, count in answer.rows.items())
        read = f"{answer.events} events, {answer.projected} of them projected"
        click.echo(f"{answer.projection}: {read}; rows: {rows}")
        if answer.poisoned:
            click.echo(f"{answer.poisoned} events set aside; see table dead_letter")


async def rebuilt(house: House, which: Projection, moved: Moved) -> Rebuilt:
    """Rebuild one read model of all tenants."""
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        rebuild = Rebuild(pool, house.keys, which, moved, house.workers)
        return await rebuild.run(await house.tenants())
