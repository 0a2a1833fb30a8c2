"""What could not be filed: kept with its bytes, and read again when it is repaired."""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from msgspec import Raw

from adapters.fhir.desk import NO_PATIENT, Desk
from adapters.fhir.intake import Intake, Waiting
from adapters.fhir.reading import Entry, Malformed, Problem, Received, entry, received
from adapters.fhir.resources import Reference, Wire
from domain.records import RepairResource, SetResourceAside

UNNAMED = "Resource"
"""The type of bytes that do not say theirs."""


class Whose(Wire, frozen=True):
    """The members that say whose a resource is."""

    subject: Reference | None = None
    patient: Reference | None = None


async def repaired(desk: Desk, entry: Entry) -> None:
    """Close what an earlier version of the resource left open."""
    key = desk.key(entry)
    if key in desk.open - desk.kept_open:
        command = RepairResource(key=key, how="a version that can be filed arrived")
        await desk.act(entry, command)


async def set_aside(desk: Desk, entry: Entry, reason: str, at: str | None = None) -> None:
    """Keep an entry for repair and count it, unless it is settled.

    One whose patient is not known counts as waiting, not as a problem.
    """
    if entry.index in desk.settled:
        return
    if reason == NO_PATIENT:
        desk.settle("waiting", entry)
        desk.waiting.add(entry.index)
    else:
        count(desk, entry, reason, at)
    if desk.quiet is not None and reason not in desk.quiet:
        await remember(desk, entry, reason, at)


def count(desk: Desk, entry: Entry, reason: str, at: str | None = None) -> None:
    """Count an entry that is not filed."""
    desk.settled.add(entry.index)
    desk.tally.problems.append(
        Problem(
            file=desk.received.file,
            entry=entry.index,
            type=entry.resource_type,
            reason=reason,
            at=at,
        )
    )


async def remember(desk: Desk, entry: Entry, reason: str, at: str | None = None) -> None:
    """Put it on record that a resource was set aside, and keep its bytes."""
    chart = await _whose(desk, entry)
    await desk.keep(chart, entry, alone=True)
    command = SetResourceAside(
        key=desk.key(entry),
        reason=reason,
        original=await desk.origin(entry),
        at=at,
        index=entry.index,
        url=entry.full_url,
        chart=chart,
    )
    await desk.act(entry, command)


async def _whose(desk: Desk, entry: Entry) -> str | None:
    """The chart of a resource that could not be filed, where it can be told."""
    try:
        whose = entry.decode(Whose)
    except Malformed:
        return None
    subject = whose.subject or whose.patient
    return await desk.references.known(subject, "Patient") if subject else None


async def spoilt(desk: Desk) -> None:
    """Keep the entries of a bundle that are no resources, known by the hash of their bytes."""
    for problem in desk.received.problems:
        content = desk.received.spoilt.get(problem.entry or 0, b"")
        if content:
            await remember(desk, _as_entry(problem, content), problem.reason, problem.at)


def _as_entry(problem: Problem, content: bytes) -> Entry:
    ident = sha256(content).hexdigest()
    return Entry(problem.entry or 0, None, problem.type or UNNAMED, ident, Raw(content))


async def again(intake: Intake, waiting: Iterable[Waiting]) -> Received:
    """Received resources once more, from the bytes that were kept."""
    return once_more([(await intake.received(one.original), one) for one in waiting])


def once_more(contents: Iterable[tuple[bytes, Waiting]]) -> Received:
    """Resources as received, or as staff corrected them, under the ids they have at the source."""
    raws: list[Raw] = []
    read: list[Entry | Problem] = []
    for index, (content, one) in enumerate(contents):
        raws.append(Raw(content))
        given = entry("repair", index, raws[-1], one.url)
        read.append(replace(given, id=one.original.id) if isinstance(given, Entry) else given)
    return received("repair", read, raws, alone=True)
