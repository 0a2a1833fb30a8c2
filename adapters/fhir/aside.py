"""What could not be filed: kept with its bytes, and read again when it is repaired."""

from collections.abc import Iterable
from hashlib import sha256

from msgspec import Raw

from adapters.fhir.desk import Desk
from adapters.fhir.intake import Intake, Waiting
from adapters.fhir.reading import Entry, Problem, Received, entry, received
from domain.kernel.values import Source

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
    contents = [(await intake.received(one.original), one.original) for one in waiting]
    return once_more(contents)


def once_more(contents: Iterable[tuple[bytes, Source]]) -> Received:
    """Resources as received, or as staff corrected them, under the ids they have at the source."""
    raws, read = [], []
    for index, (content, original) in enumerate(contents):
        raws.append(Raw(content))
        given = entry("repair", index, raws[-1])
        if isinstance(given, Entry) and given.id != original.id:
            given = Entry(index, None, given.resource_type, original.id, raws[-1])
        read.append(given)
    return received("repair", read, raws, alone=True)
