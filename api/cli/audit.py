"""`anamnesis audit export` and `anamnesis audit receipt`: files that others check offline."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import click
import msgspec

from adapters.keys.files import sync_folder
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
from api.exporting import ExportRefused
from api.exporting import export as exported
from api.exporting import receipt as receipted
from api.exporting import tile as tiled
from api.house import open_house
from domain.audit import Selection


def _new(_context: object, _argument: object, file: Path) -> Path:
    if file.exists():
        raise click.BadParameter("exists already")
    return file


_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False), callback=_new)


@click.group()
def audit() -> None:
    """Files about the log for people who have no access to it; docs/kit/verify.py checks them."""


@audit.command()
@_FILE
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
                    return await _write(file, lines)

    _say(file, asyncio.run(run()), as_json)


@audit.command()
@click.argument("position", type=click.IntRange(min=1))
@_FILE
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

            return await _write(file, lines())

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


async def _write(file: Path, lines: AsyncIterator[bytes]) -> str:
    """The SHA-256 of the file, which has its name only when it is whole and on the disk."""
    draft = file.with_name(f".{file.name}.draft")
    digest = hashlib.sha256()
    try:
        # It says who did what to whose record: for whoever asked for it, and for nobody else yet.
        descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as written:
            async for line in lines:
                written.write(line)
                digest.update(line)
            written.flush()
            os.fsync(written.fileno())
        draft.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise ExportRefused(type(error).__name__) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return digest.hexdigest()


def _say(file: Path, digest: str, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"file": str(file), "sha256": digest}))
    else:
        click.echo(f"{file}\n  SHA-256 {digest}\n  check it with docs/kit/verify.py")
