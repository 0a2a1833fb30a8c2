"""`anamnesis import fhir PATH...`: files into the house through the real command path."""

import asyncio
from dataclasses import asdict
from pathlib import Path

import click
import msgspec

from adapters.fhir.importing import import_bundles
from adapters.fhir.report import ImportReport, Progress
from api.cli.place import house_at, named_operator, only_tenant, operator_actor, placed
from api.cli.progressing import progress_bar
from api.inbound.fhir import HouseIntake
from api.matching import Matched, match, matching_actor
from projections.catalogue import PROJECTIONS

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 and the number of SIGINT."""


@click.group(name="import")
def imports() -> None:
    """Bring data in."""


@imports.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--tenant", help="Whose log; may be left out where there is one.")
@click.option("--source", required=True, help="URI of the system that the files come from.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@named_operator
@placed
def fhir(
    paths: tuple[Path, ...],
    tenant: str | None,
    source: str,
    as_json: bool,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """Import FHIR R4 bundles: files or folders, plain or gzip.

    Running it again changes nothing. What cannot be imported is listed with its reason while the
    rest goes in; the exit code is 1 then. Interrupted, it ends with 130 and can be run again. The
    charts of the patients are compared with those like them in the end, as `match` does it.
    """
    try:
        report, matched = asyncio.run(_import(paths, tenant, source, (operator, reason), folder))
    except KeyboardInterrupt:
        click.echo("Interrupted; run it again and it goes on from there.", err=True)
        raise SystemExit(INTERRUPTED) from None
    if as_json:
        counted = asdict(report) | {"matching": asdict(matched)}
        click.echo(msgspec.json.encode(counted))
    else:
        click.echo(summary(report))
        click.echo(told(matched))
    raise SystemExit(1 if report.problems else 0)


async def _import(
    paths: tuple[Path, ...],
    tenant: str | None,
    source: str,
    named: tuple[str, str],
    folder: Path,
) -> tuple[ImportReport, Matched]:
    async with house_at(folder) as house:
        chosen = await only_tenant(house, tenant)
        intake = HouseIntake(house, operator_actor(chosen, *named))
        with progress_bar("importing") as moved:

            def tell(at: Progress) -> None:
                moved(at.files, at.of_files)

            report = await import_bundles(paths, intake, source, progress=tell)
        if report.last_position is not None:
            names = [projection.name for projection in PROJECTIONS]
            await house.progress.reach(chosen, report.last_position, names, seconds=600)
        return report, await match(house, chosen, list(intake.charts), matching_actor(chosen))


def summary(report: ImportReport) -> str:
    """The report in lines for people."""
    lines = [
        f"{report.files} files, {sum(report.resources.values())} resources,"
        f" {report.events_written} events written, {report.unchanged} commands changed nothing,"
        f" {report.resources_per_second:.0f} resources/s, position {report.last_position}"
    ]
    for name, kinds in report.yielded.items():
        what = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in kinds.items())
        lines.append(f"  {name}: {what}")
    lines += [f"  {name}: {count} not imported yet" for name, count in report.not_imported.items()]
    lines += [f"  {one.file} entry {one.entry}: {one.reason}" for one in report.problems]
    return "\n".join(lines)


def told(matched: Matched) -> str:
    """The outcome of matching in a line for people."""
    return (
        f"{matched.charts} charts, {matched.compared} pairs compared,"
        f" {matched.linked} linked, {matched.proposed} proposed"
    )
