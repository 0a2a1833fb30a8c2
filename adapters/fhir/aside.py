"""What could not be filed: kept with its bytes, and read again when it is repaired."""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from msgspec import Raw

from adapters.fhir.desk import Desk
from adapters.fhir.intake import Intake, Waiting
from adapters.fhir.reading import Entry, Problem, Received, entry, received

UNNAMED = "Resource"
"""The type of bytes that do not say theirs."""


async def spoilt(desk: Desk) -> None:
    """Keep the entries of a bundle that are no resources, known by the hash of their bytes."""
    for problem in desk.received.problems:
        content = desk.received.spoilt.get(problem.entry or 0, b"")
        if content:
            await desk.remember(_as_entry(problem, content), problem.reason, problem.at)


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
