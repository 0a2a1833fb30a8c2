"""`anamnesis audit breach`: whose records somebody saw, for the notices that are due."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click
import msgspec

from api.app import ids_of
from api.breach import Affected, Breach, Suspect, breach
from api.cli.place import house_at, named_operator, only_tenant, operator_actor, placed
from api.cli.progressing import progress_bar
from api.cli.selecting import meant, selecting
from api.cli.writing import NEW_FILE, written
from api.opaque import OpaqueIds
from domain.audit import Selection
from domain.registry import Demographics

COLUMNS = (
    "chart", "name", "birth_date", "contacts", "addresses", "first_seen", "last_seen", "looks",
    "records", "fields",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@click.command("breach")
@NEW_FILE
@click.option("--tenant", help="Whose log; may be left out where there is one.")
@selecting
@click.option("--session", help="Only looks in this session.")
@click.option("--client", help="Only looks by this application.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines into FILE, JSON on stdout.")
@named_operator
@placed
def breach_report(
    file: Path,
    tenant: str | None,
    selection: Selection,
    session: str | None,
    client: str | None,
    as_json: bool,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """Write to FILE whose records were seen, what was shown of them, when, and how to reach them.

    A CSV with a line per chart, for the notices of 45 CFR 164.404. That it was made is on record
    before, and in the ledger of each patient that it names. FILE must not exist.
    """
    suspect = Suspect(selection=selection, session=session, client=client)
    if suspect == Suspect(selection=Selection(chart=selection.chart)):
        raise click.UsageError("say whose looks: --actor, --session, --client, --since, ...")

    async def run() -> tuple[Breach, str]:
        async with house_at(folder) as house:
            chosen = await only_tenant(house, tenant)
            about = await meant(house, chosen, selection)
            who = operator_actor(chosen, operator, reason)
            whose = Suspect(selection=about, session=session, client=client)
            with progress_bar("looking at looks") as moved:
                found = await breach(house, whose, who, moved)
            ids = await ids_of(house, chosen)
            lines = _json_lines(found, ids) if as_json else _csv_lines(found, ids)
            return found, await written(file, lines)

    found, digest = asyncio.run(run())
    click.echo((_as_json if as_json else _words)(found, file, digest))


def _as_json(found: Breach, file: Path, digest: str) -> str:
    told = {
        "file": str(file),
        "sha256": digest,
        "charts": len(found.affected),
        "looks": found.looks,
        "elsewhere": found.elsewhere,
    }
    return msgspec.json.encode(told).decode()


def _words(found: Breach, file: Path, digest: str) -> str:
    lines = [
        str(file),
        f"  SHA-256 {digest}",
        f"  {len(found.affected)} charts in {found.looks} looks",
    ]
    lines += [f"  {n} of {what}, which name no chart" for what, n in found.elsewhere.items()]
    return "\n".join(lines)


async def _csv_lines(found: Breach, ids: OpaqueIds) -> AsyncIterator[bytes]:
    yield _row(COLUMNS)
    for one in found.affected:
        known = one.demographics or Demographics()
        yield _row(
            [
                ids.hide("chart", one.chart),
                _name(known) if one.demographics else "(unknown)",
                known.birth_date.text if known.birth_date else "",
                "; ".join(known.telecoms),
                "; ".join(known.addresses),
                one.first.isoformat(),
                one.last.isoformat(),
                str(one.looks),
                str(len(one.records)),
                "; ".join(one.fields),
            ]
        )


async def _json_lines(found: Breach, ids: OpaqueIds) -> AsyncIterator[bytes]:
    for one in found.affected:
        yield msgspec.json.encode(_member(one, ids)) + b"\n"


def _member(one: Affected, ids: OpaqueIds) -> dict[str, object]:
    known = one.demographics
    return {
        "chart": ids.hide("chart", one.chart),
        "demographics": None if known is None else asdict(known),
        "first_seen": one.first,
        "last_seen": one.last,
        "looks": one.looks,
        "records": [ids.hide("record", record) for record in sorted(one.records)],
        "panels": sorted(one.panels),
        "fields": one.fields,
    }


def _name(known: Demographics) -> str:
    return known.names[0].words if known.names else ""


def _row(cells: Sequence[str]) -> bytes:
    """A line of CSV (RFC 4180) whose cells no spreadsheet takes for formulas."""
    text = io.StringIO()
    safe = [f"'{cell}" if cell.startswith(FORMULA) else cell for cell in cells]
    csv.writer(text).writerow(safe)
    return text.getvalue().encode()
