"""`anamnesis audit export` and `anamnesis audit receipt`: files that others check offline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import click
import msgspec

from api.cli.breach import breach_report
from api.cli.place import (
    house_at,
    named_operator,
    only_tenant,
    operator_actor,
    placed,
    settings_at,
)
from api.cli.progressing import progress_bar
from api.cli.selecting import meant, selecting
from api.cli.writing import NEW_FILE, written
from api.exporting import export as exported
from api.exporting import receipt as receipted
from api.exporting import tile as tiled
from api.house import open_house
from domain.audit import Selection


@click.group()
def audit() -> None:
    """Files about the log for people who have no access to it; docs/kit/verify.py checks them."""


audit.add_command(breach_report)


@audit.command()
@NEW_FILE
@click.option("--tenant", help="Whose log; may be left out where there is one.")
@selecting
@click.option("--all", "whole", is_flag=True, help="The whole log.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as a JSON object.")
@named_operator
@placed
def export(
    file: Path,
    tenant: str | None,
    selection: Selection,
    whole: bool,
    as_json: bool,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """Write events with their proofs, signed heads and keys to FILE, which must not exist.

    Who did what to whom and when can be read in it, contents of records cannot. The export is an
    event itself, written first. Interrupted, it leaves nothing; begin again.
    """
    if whole == (selection != Selection()):
        raise click.UsageError("say what to export: --all, or --chart, --actor, --since, ...")

    async def run() -> str:
        async with house_at(folder) as house:
            chosen = await only_tenant(house, tenant)
            about = None if whole else await meant(house, chosen, selection)
            who = operator_actor(chosen, operator, reason)
            with progress_bar(f"exporting {chosen}") as moved:
                async with aclosing(exported(house, about, who, moved)) as lines:
                    return await written(file, lines)

    _say(file, asyncio.run(run()), as_json)


@audit.command()
@click.argument("position", type=click.IntRange(min=1))
@NEW_FILE
@click.option("--tenant", help="Whose log; may be left out where there is one.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as a JSON object.")
@named_operator
@placed
def receipt(
    position: int,
    file: Path,
    tenant: str | None,
    as_json: bool,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """Write the proof of the event at POSITION to FILE, which must not exist.

    It shows what kind of event it is and when it was written; of who acted, in which session, and
    of the content it has hashes only.
    """

    async def run() -> str:
        async with house_at(folder) as house:
            chosen = await only_tenant(house, tenant)
            who = operator_actor(chosen, operator, reason)

            async def lines() -> AsyncIterator[bytes]:
                yield await receipted(house, position, who)

            return await written(file, lines())

    _say(file, asyncio.run(run()), as_json)


@audit.command()
@click.argument("into", type=click.Path(path_type=Path, file_okay=False))
@click.option("--tenant", help="Whose log; may be left out where there is one.")
@click.option("--json", "as_json", is_flag=True, help="Say what is there as a JSON object.")
@placed
def tiles(into: Path, tenant: str | None, as_json: bool, folder: Path) -> None:
    """Write the log's tree as tiles into the folder INTO, or bring those that are there up to date.

    Tiles are the static files of C2SP tlog-tiles, which monitors of others read: hashes and signed
    heads, nothing of an event. Interrupted, it goes on where the last checkpoint was.
    """

    async def run() -> int:
        with settings_at(folder) as settings:
            async with open_house(settings) as house:
                chosen = await only_tenant(house, tenant)
                with progress_bar(f"tiles of {chosen}") as moved:
                    return await tiled(house, chosen, into, moved)

    size = asyncio.run(run())
    if as_json:
        click.echo(msgspec.json.encode({"folder": str(into), "events": size}))
    else:
        click.echo(f"{into}: tiles of {size} events")


def _say(file: Path, digest: str, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"file": str(file), "sha256": digest}))
    else:
        click.echo(f"{file}\n  SHA-256 {digest}\n  check it with docs/kit/verify.py")
