"""What the id map knows already of a bundle, byte for byte: no command is needed for it."""

import re

from adapters.fhir.desk import Desk
from adapters.fhir.reading import Entry
from domain.kernel.labels import category

BY_STREAM = frozenset(
    ("Patient", "Encounter", "Practitioner", "PractitionerRole", "Organization", "Location")
)
"""What others only point at; a change there changes nothing in them."""
_REFERENCE = re.compile(rb'"reference"\s*:\s*"([^"\\]+)"')


async def look_up(desk: Desk, filed: frozenset[str]) -> None:
    """Fetch what is known of the bundle's resources, and settle what did not change.

    `filed` are the resource types that become events.
    """
    entries = [entry for entry in desk.received.entries if entry.resource_type in filed]
    named = [(desk.source, entry.resource_type, entry.id) for entry in entries]
    if not named:
        return
    desk.known.update(await desk.intake.known(named))
    desk.open.update(await desk.intake.aside(named))
    same = {entry.index: entry for entry in entries if await _same(desk, entry)}
    others = [e for e in desk.received.entries if e.index not in same and not _apart(e, filed)]
    if others:
        same = await _told_the_same(desk, same)
    for entry in same.values():
        _skip(desk, entry)


def _apart(entry: Entry, filed: frozenset[str]) -> bool:
    """Whether the resource neither becomes events nor is part of one that does."""
    return entry.resource_type not in filed and entry.resource_type != "Medication"


async def _same(desk: Desk, entry: Entry) -> bool:
    known = desk.was(entry)
    earlier = desk.written.get(desk.key(entry))
    if known is None or earlier or desk.key(entry) in desk.open:
        return False
    return (await desk.trace(entry))[1] == known.digest


async def _told_the_same(desk: Desk, same: dict[int, Entry]) -> dict[int, Entry]:
    """Those that also point at nothing that changed and have the labels they had."""
    by_name = {f"{one.resource_type}/{one.id}": one for one in desk.received.entries}
    by_name |= {one.full_url: one for one in desk.received.entries if one.full_url}
    kept = {}
    for index, entry in same.items():
        named = (by_name.get(text.decode()) for text in set(_REFERENCE.findall(entry.content)))
        parts = (one for one in named if one and one.resource_type not in BY_STREAM)
        if all(part.index in same for part in parts) and await _labelled_the_same(desk, entry):
            kept[index] = entry
    return kept


async def _labelled_the_same(desk: Desk, entry: Entry) -> bool:
    """A report's observations have labels of their own: the row has those of the whole."""
    known = desk.was(entry)
    now = await desk.intake.label(category(desk.labels(entry)))
    return known is not None and (known.label == now or entry.resource_type in _IN_REPORTS)


_IN_REPORTS = frozenset(("DiagnosticReport", "Observation"))


def _skip(desk: Desk, entry: Entry) -> None:
    known = desk.was(entry)
    if known is not None:
        desk.references.bind(entry, known.stream)
        if entry.resource_type == "Encounter" and known.chart:
            desk.visits[known.stream] = known.chart
        desk.settle("unchanged", entry)
