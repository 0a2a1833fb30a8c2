"""FHIR files into the log through the ordinary command path; running again writes nothing."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

from adapters.fhir import aside
from adapters.fhir.awaiting import Awaiting
from adapters.fhir.desk import NO_PATIENT, Desk
from adapters.fhir.files import bundles_at, read
from adapters.fhir.filing import FILED_BY, STAGES, close, file_entry, stages
from adapters.fhir.intake import Intake, Waiting
from adapters.fhir.labelling import Labelled, Rules, shipped
from adapters.fhir.reading import Problem, Received, Unreadable
from adapters.fhir.references import Bound, References
from adapters.fhir.report import ImportReport, Progress, Tally
from adapters.fhir.unchanged import look_up
from adapters.fhir.validation import findings
from domain.directory import AwaitEntry

T = TypeVar("T")


def _silent(_progress: Progress) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One import: where it brings things, at most so many at once, and what it knows so far."""

    intake: Intake
    concurrency: int
    tally: Tally = field(default_factory=Tally)
    bound: Bound = field(default_factory=Bound)
    written: dict[str, tuple[str, int]] = field(default_factory=dict)
    rules: Rules = field(default_factory=shipped)
    kept_open: frozenset[str] = frozenset()
    """Set-aside resources that somebody else closes, by their key."""
    quiet: frozenset[str] | None = frozenset()
    """Reasons that are on record already; None for a trial of which nothing is."""

    def desk(self, received: Received, source: str) -> Desk:
        """The desk for one bundle of a source."""
        references = References(
            received.entries,
            source,
            self.intake,
            bound=self.bound,
            unbound=self.tally.unbound,
        )
        awaiting = Awaiting(references, source, self.intake, bound=self.bound, late=self.tally.late)
        # Where references reach beyond the bundle, equal bytes name the same patient.
        patients = [e.id for e in received.entries if e.resource_type == "Patient"]
        return Desk(
            received=received,
            source=source,
            intake=self.intake,
            tally=self.tally,
            references=references,
            awaiting=awaiting,
            labelled=Labelled(self.rules, received.entries),
            written=self.written,
            scope="" if received.alone else "|".join(patients),
            kept_open=self.kept_open,
            quiet=self.quiet,
        )


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
    started, run = monotonic(), Run(intake=intake, concurrency=concurrency)
    files = await asyncio.to_thread(_in_order, tuple(paths))
    await intake.catch_up()
    for path in files:
        pieces = read(path)
        counted = False
        while received := await asyncio.to_thread(_next, pieces, run.tally):
            run.tally.files += not counted
            counted = True
            run.tally.received(received)
            await file_bundle(
                run, received, source, lambda: progress(_progress(run.tally, len(files)))
            )
    if run.tally.yielded.get("Patient", Counter())["charts"]:
        await file_waiting(run, await intake.waiting(NO_PATIENT))
    return run.tally.report(monotonic() - started)


async def file_bundle(
    run: Run, received: Received, source: str, told: Callable[[], None] = lambda: None
) -> Desk:
    """File what one bundle brings; its directory entries are awaited before they are needed."""
    desk = run.desk(received, source)
    await look_up(desk, frozenset(FILED_BY))
    fresh = [entry for entry in received.entries if entry.index not in desk.settled]
    taken = [entry for entry in fresh if entry.resource_type in FILED_BY]
    await aside.spoilt(desk)
    listings, *others = await stages(desk)
    await desk.awaiting.learn([*listings, *others[0]])
    await _each(listings, partial(file_entry, desk), run.concurrency)
    await _each(others.pop(0), partial(file_entry, desk), run.concurrency)
    wanted = await desk.awaiting.wanted(fresh)
    await _each(wanted, partial(_await, desk), run.concurrency)
    told()
    for stage in others:
        await _each(stage, partial(file_entry, desk), run.concurrency)
        told()
    await close(desk)
    # Not beside the filing: a busy thread makes the loop wait for the interpreter at every call.
    run.tally.found(await asyncio.to_thread(findings, taken))
    return desk


async def file_waiting(run: Run, waiting: Sequence[Waiting]) -> None:
    """File what waited for its patient, those of one source together, as far as it is known now."""
    counted = Run(
        intake=run.intake,
        concurrency=run.concurrency,
        bound=run.bound,
        quiet=frozenset({NO_PATIENT}),
    )
    for system in dict.fromkeys(one.original.system for one in waiting):
        some = [one for one in waiting if one.original.system == system]
        await file_bundle(counted, await aside.again(run.intake, some), system)
    filed = counted.tally
    run.tally.events_written += filed.events_written
    run.tally.last_position = max(
        filter(None, (run.tally.last_position, filed.last_position)), default=None
    )
    for kind, counts in filed.yielded.items():
        run.tally.arrived[kind] += counts.total() - counts["waiting"]


async def _await(desk: Desk, wish: AwaitEntry) -> None:
    receipt = await desk.intake.do(wish, f"{wish.kind}|{wish.key}")
    desk.tally.receipt(wish.operation, receipt)
    desk.awaiting.awaited(wish, receipt.streams[0])


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
        found = {entry.resource_type for piece in read(path) for entry in piece.entries}
    except Unreadable:
        return len(STAGES)
    companies, places, patients, encounters, facts = STAGES
    listings = companies | places
    if found & patients:
        return 1
    if found & encounters:
        return 2
    return 3 if found & facts or not found & listings else 0


def _next(pieces: Iterator[Received], tally: Tally) -> Received | None:
    """The next piece; a file that is no FHIR is ignored, a broken one is a problem."""
    try:
        return next(pieces, None)
    except Unreadable as error:
        found = Problem(file=error.file, reason=error.reason)
        (tally.ignored if error.reason == "not-fhir" else tally.problems).append(found)
        return None


async def _each(entries: Iterable[T], file: Callable[[T], Awaitable[None]], width: int) -> None:
    """Every one once, at most `width` at a time."""
    waiting = iter(entries)

    async def work() -> None:
        for entry in waiting:
            await file(entry)

    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(work())
