"""FHIR bundles into the log through the ordinary command path; running again writes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from time import monotonic

from adapters.fhir.desk import Desk
from adapters.fhir.filing import STAGES, close, file_entry, stages
from adapters.fhir.intake import Intake
from adapters.fhir.reading import (
    Entry,
    Problem,
    Received,
    Unreadable,
    bundles_at,
    read_bundle,
)
from adapters.fhir.references import References
from adapters.fhir.report import ImportReport, Progress, Tally


def _silent(_progress: Progress) -> None:
    """Nobody watches."""


async def import_bundles(
    paths: Iterable[Path],
    intake: Intake,
    source: str,
    *,
    concurrency: int = 32,
    progress: Callable[[Progress], None] = _silent,
) -> ImportReport:
    """Import the FHIR files at `paths`, one after the other, up to `concurrency` commands at once.

    `source` is the URI of the system that the files come from. Files go in the order of what they
    bring (directory entries, patients, encounters, facts), so that references between files can be
    bound. `progress` is called after every stage of a bundle. Raises FileNotFoundError for a path
    that does not exist; what cannot be imported is listed in the report. Any other error of the
    intake ends the import in an ExceptionGroup, and running again goes on from there.
    """
    started, tally = monotonic(), Tally()
    known: dict[str, str] = {}
    files = await asyncio.to_thread(_in_order, tuple(paths))
    for path in files:
        received = await asyncio.to_thread(_read, path, tally)
        if received is None:
            continue
        references = References(
            received.entries, source, intake, known=known, unbound=tally.unbound
        )
        desk = Desk(
            received=received, source=source, intake=intake, tally=tally, references=references
        )
        for stage in stages(desk):
            await _each(stage, partial(file_entry, desk), concurrency)
            progress(_progress(tally, len(files)))
        close(desk)
    return tally.report(monotonic() - started)


def _progress(tally: Tally, of_files: int) -> Progress:
    return Progress(
        files=tally.files,
        of_files=of_files,
        resources=tally.accounted,
        events_written=tally.events_written,
    )


def _in_order(paths: tuple[Path, ...]) -> list[Path]:
    return sorted(bundles_at(paths), key=_rank)


def _rank(path: Path) -> int:
    """The stage whose resources the other files wait for; an unreadable file goes last."""
    try:
        found = {entry.resource_type for entry in read_bundle(path).entries}
    except Unreadable:
        return len(STAGES)
    listings, patients, encounters, facts = STAGES
    if found & patients:
        return 1
    if found & encounters:
        return 2
    return 3 if found & facts or not found & listings else 0


def _read(path: Path, tally: Tally) -> Received | None:
    """The file's entries; a file that is no FHIR is ignored, a broken one is a problem."""
    try:
        received = read_bundle(path)
    except Unreadable as error:
        found = Problem(file=error.file, reason=error.reason)
        (tally.ignored if error.reason == "not-fhir" else tally.problems).append(found)
        return None
    tally.files += 1
    tally.resources.update(entry.resource_type for entry in received.entries)
    tally.resources.update(one.type for one in received.problems if one.type)
    tally.problems.extend(received.problems)
    return received


async def _each(
    entries: Iterable[Entry], file: Callable[[Entry], Awaitable[None]], width: int
) -> None:
    """Every entry once, at most `width` at a time."""
    waiting = iter(entries)

    async def work() -> None:
        for entry in waiting:
            await file(entry)

    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(work())
