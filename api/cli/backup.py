"""`anamnesis backup` and `anamnesis restore`: everything, the keys apart, and back again."""

import asyncio
import contextlib
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from adapters.backup import Manifest, copy_objects, followed, laid_out, programs
from adapters.embedded.errors import ServerNotInstalled
from adapters.embedded.postgres import wheel_binaries
from api.cli.place import actionable, house_at, named_operator, operator_actor, placed, settings_at
from api.cli.progressing import Moved, progress_bar
from api.house import House, open_house
from api.rebuilding import rebuild_models
from api.restoring import (
    BackedUp,
    Places,
    Restored,
    Standing,
    assess,
    back_up,
    finish,
)
from projections.catalogue import PROJECTIONS

KEY_DAYS = 35
_PROGRAMS = click.option(
    "--programs",
    "binaries",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder of pg_basebackup and its like; from the PATH unless given.",
)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("into", type=_FOLDER)
@click.option("--keys", type=_FOLDER, help="Copy the key store, too: into this folder, elsewhere.")
@click.option(
    "--key-days",
    default=KEY_DAYS,
    show_default=True,
    help="Delete copies of the key store that are older: they undo erasures.",
)
@click.option("--follow", is_flag=True, help="Keep the write-ahead log below INTO, until stopped.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@_PROGRAMS
@placed
def backup(
    into: Path,
    keys: Path | None,
    key_days: int,
    follow: bool,
    as_json: bool,
    binaries: Path | None,
    folder: Path,
) -> None:
    """Back everything up into INTO while it is in use; the root key never is in there.

    Each backup is a folder of its own; received files lie beside them, once. With --follow a
    restore loses moments and not a day.
    """
    place = programs(binaries, _at_hand())
    with settings_at(folder) as settings:
        if follow:
            asyncio.run(_follow(place, settings.dsn, into))
            return

        async def run(moved: Moved) -> BackedUp:
            async with open_house(settings) as house:
                known = await house.tenants()
                places = Places(into, keys, key_days)
                return await back_up(
                    settings, known, place, places, lambda _step, *done: moved(*done)
                )

        with progress_bar("backing up") as moved:
            done = asyncio.run(run(moved))
    if as_json:
        click.echo(msgspec.json.encode({**asdict(done), "folder": str(done.folder)}))
        return
    click.echo(f"{done.folder}: checked; {done.objects} new received files")
    for tenant, log in done.logs.items():
        click.echo(f"  {tenant}: {log.position} events, root {log.root}")
    if keys is None:
        click.echo("  without keys: back them up apart (--keys), and the root key in its escrow")


def _at_hand() -> Path | None:
    """The programs of the embedded server, where that is installed."""
    try:
        return wheel_binaries()
    except ServerNotInstalled:
        return None


async def _follow(binaries: Path, dsn: str, into: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with followed(binaries, dsn, into / "wal") as child:
        click.echo(f"following into {into / 'wal'}")
        ended = asyncio.create_task(child.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not stop.is_set():
            raise click.ClickException("pg_receivewal has ended; see what it says above")
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await ended


@click.group()
def restore() -> None:
    """Go on from a backup: lay it out, start PostgreSQL on it, finish."""


@restore.command()
@click.argument("backed_up", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("data", type=_FOLDER)
@click.option("--objects", type=_FOLDER, required=True, help="Where received files go.")
@click.option(
    "--wal",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The write-ahead log that was followed: nothing that is in there is lost.",
)
@actionable
def lay(backed_up: Path, data: Path, objects: Path, wal: Path | None) -> None:
    """Lay the backup BACKED_UP out as DATA, the data directory of a PostgreSQL that is not running.

    Then start PostgreSQL, put keys and root key in their place, and run `anamnesis restore finish`.
    """
    manifest = Manifest.read(backed_up)
    with progress_bar("laying out") as moved:
        try:
            laid_out(backed_up, data, wal)
        except FileExistsError as error:
            raise click.ClickException(f"{data} is there already; choose another folder") from error
        copy_objects(backed_up.parent / "objects", objects, moved)
    click.echo(f"{data}: the backup of {manifest.made} by release {manifest.release}")


@restore.command(name="finish")
@click.option("--accept-lost", is_flag=True, help="Go on without the signed events that are lost.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per tenant.")
@named_operator
@placed
def finish_(accept_lost: bool, as_json: bool, folder: Path, **named: Any) -> None:
    """Make a restored database ready: held back, erased again, read models anew, verified.

    Effects stay held back until `anamnesis effects resume`. Exit 1 when something is wrong.
    """

    async def one(house: House, tenant: str, standing: Standing, moved: Moved) -> Restored:
        who = operator_actor(tenant, named["operator"], named["reason"])
        return await finish(house, tenant, standing, who, lambda _step, *done: moved(*done))

    async def run(moved: Moved) -> list[Restored]:
        async with house_at(folder) as house:
            # Every log is looked at before anything is written to one.
            standings = {
                tenant: await assess(house, tenant, accept_lost=accept_lost)
                for tenant in await house.tenants()
            }
            done = [await one(house, *each, moved) for each in standings.items()]
            # What was erased after the backup must not stand in any of them.
            await rebuild_models(house, PROJECTIONS, lambda _step, *steps: moved(*steps))
            return done

    with progress_bar("restoring") as moved:
        done = asyncio.run(run(moved))
    for each in done:
        click.echo(msgspec.json.encode(asdict(each)) if as_json else _told(each))
    raise SystemExit(0 if all(each.ok for each in done) else 1)


def _told(one: Restored) -> str:
    well = "verified" if one.ok else "WRONG: run `anamnesis verify`"
    lost = f", {one.lost} signed events lost" if one.lost else ""
    return (
        f"{one.tenant}: {one.events} events, {well}{lost};"
        f" {one.charts_erased_again} charts erased again; effects are held back"
    )
