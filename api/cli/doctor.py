"""`anamnesis doctor`: some thirty checks of this installation, each with what to do."""

import asyncio
from dataclasses import asdict
from pathlib import Path

import asyncpg
import click
import msgspec

from api.cli.place import placed, settings_at
from api.doctor import Diagnosis, examine
from api.doctor.database import DATABASE, Surgery
from api.doctor.machine import MACHINE
from api.settings import Settings

CONNECT_SECONDS = 5
_MARKS = {"ok": "ok     ", "warning": "WARNING", "failure": "FAILURE", "unknown": "UNKNOWN"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per check on stdout.")
@placed
def doctor(as_json: bool, folder: Path) -> None:
    """Examine this installation; exit 1 when something fails or cannot be checked."""
    with settings_at(folder) as settings:
        found = asyncio.run(diagnoses(settings))
    for one in found:
        click.echo(msgspec.json.encode(asdict(one)) if as_json else as_words(one))
    raise SystemExit(1 if any(one.verdict in ("failure", "unknown") for one in found) else 0)


async def diagnoses(settings: Settings) -> list[Diagnosis]:
    """Every check; those of the database only where it can be reached."""
    found = await examine(MACHINE, settings)
    try:
        owner = await asyncpg.connect(settings.dsn, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, asyncpg.PostgresError, TimeoutError) as error:
        fix = "Start PostgreSQL; see that ANAMNESIS_DSN names it and its owner."
        seen = f"cannot be reached: {type(error).__name__}"
        return [*found, Diagnosis(check="database", verdict="failure", seen=seen, fix=fix)]
    try:
        reached = Diagnosis(check="database", verdict="ok", seen="reached")
        return [*found, reached, *await examine(DATABASE, Surgery(owner, settings))]
    finally:
        await owner.close()


def as_words(one: Diagnosis) -> str:
    """A line for people, and the hint below it where something is to be done."""
    line = f"{_MARKS[one.verdict]}  {one.check:22} {one.seen}"
    return f"{line}\n{'':9}-> {one.fix}" if one.fix else line
