"""`anamnesis anchor`: the roots of the logs, one line each, to be kept outside the database."""

import asyncio
from pathlib import Path

import click

from adapters.postgres.verification import anchors_now
from adapters.proofs.anchors import Anchor
from api.cli.place import placed, settings_at
from api.house import open_house


@click.command()
@click.option("--to", type=click.Path(path_type=Path), help="Append to this file, too.")
@placed
def anchor(to: Path | None, folder: Path) -> None:
    """Print the root of every tenant's log; `anamnesis verify --anchors FILE` holds it to them.

    Keep the lines where nobody who can change the database can change them.
    """

    async def run() -> list[Anchor]:
        with settings_at(folder) as settings:
            async with open_house(settings) as house:
                return await anchors_now(settings.role_dsn("auditor"), await house.tenants())

    lines = [one.line for one in asyncio.run(run())]
    for line in lines:
        click.echo(line)
    if to is not None:
        with to.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
