"""Directory entries that are referred to before anybody listed them, and what they are known by.

Their stream is reserved with the first reference; the later listing finds it by any identifier.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from adapters.fhir.intake import Intake
from adapters.fhir.mapping.values import NPI
from adapters.fhir.reading import UNDECODABLE, Entry, Malformed
from adapters.fhir.references import (
    AWAITED,
    NAMED,
    RESERVED,
    Bound,
    References,
    awaiting,
    source_key,
)
from adapters.fhir.resources import BusinessIdentifier, Reference, Wire
from domain.directory import AwaitEntry
from domain.kernel.command import Reserved

_FORMER = ("old", "temp")
_SHARED: set[str | None] = {"TAX", "EN"}
"""HL7 table 0203: tax and employer numbers."""
_POINTER = re.compile(
    rb'"reference"\s*:\s*"((?:' + "|".join(AWAITED).encode() + rb')[/?](?:[^"\\]|\\.)+)"'
    rb'(?:\s*,\s*"display"\s*:\s*("(?:[^"\\]|\\.)*"))?'
)


class Identified(Wire, frozen=True):
    """The business identifiers of any resource."""

    identifier: tuple[BusinessIdentifier, ...] = ()


class Awaiting:
    """The directory entries of one bundle: those that it lists, and those that it lacks.

    `late` counts references to entries that this import awaits; it is shared and written to.
    """

    def __init__(
        self,
        references: References,
        source: str,
        intake: Intake,
        *,
        bound: Bound,
        late: Counter[str],
    ) -> None:
        self._references, self._source, self._intake = references, source, intake
        self._bound, self._late = bound, late

    async def learn(self, listings: Iterable[Entry]) -> None:
        """Find what the identifiers of directory entries stand for already, in one round trip."""
        named = {one for entry in listings for one in self._names(entry)}
        unknown = [one for one in named if one not in self._bound.reserved]
        if unknown:
            self._bound.reserved.update(await self._intake.find_all(unknown))

    def elsewhere(self, entry: Entry, stream: str) -> list[str]:
        """Identifiers under which the entry was awaited in other streams, one for each stream."""
        found = {self._bound.reserved.get(one): one.value for one in self._names(entry)}
        return [value for other, value in found.items() if other not in (None, stream)]

    def names(self, entry: Entry) -> tuple[str, ...]:
        """What a directory entry is known by: its identifiers, NPI first, and its id at the source.

        Former identifiers, and numbers that a company shares with its branches, name nothing alone.
        """
        given = entry.decode(Identified).identifier
        full = [
            one
            for one in given
            if one.system and one.value and one.use not in _FORMER and not _SHARED & _types(one)
        ]
        full.sort(key=lambda one: one.system != NPI)
        own = source_key(self._source, entry.resource_type, entry.id)
        return tuple(dict.fromkeys([f"{one.system}|{one.value}" for one in full] + [own]))

    def _names(self, entry: Entry) -> list[Reserved]:
        if entry.resource_type not in AWAITED:
            return []
        try:
            return [Reserved(RESERVED[entry.resource_type], value) for value in self.names(entry)]
        except Malformed:
            return []

    async def wanted(self, entries: Iterable[Entry]) -> list[AwaitEntry]:
        """The directory entries that these entries refer to and that nobody has listed or awaited.

        Every reference to one that this import awaits is counted as late.
        """
        pointers: dict[Reserved, Reference] = {}
        counted: Counter[tuple[str, Reserved]] = Counter()
        for reference in _pointers(entries):
            kind = NAMED.match(reference.reference or "")
            named = self._references.reserved(reference, kind[1]) if kind else None
            inside = self._references.entry(reference) is not None
            if kind is None or named is None or inside or reference.reference in self._bound.known:
                continue
            pointers.setdefault(named, reference)
            counted[kind[1], named] += 1
        unknown = [named for named in pointers if named not in self._bound.reserved]
        found = await self._intake.find_all(unknown) if unknown else {}
        self._bound.reserved.update(found)
        absent = [named for named in unknown if named not in found]
        self._bound.awaited.update(absent)
        for (kind_name, named), times in counted.items():
            if named in self._bound.awaited:
                self._late[kind_name] += times
        return [awaiting(named, pointers[named]) for named in absent]

    def awaited(self, wish: AwaitEntry, stream: str) -> None:
        """From now on references to this directory entry stand for this stream."""
        self._bound.reserved[Reserved(f"directory.{wish.kind}", wish.key)] = stream


def _types(given: BusinessIdentifier) -> set[str | None]:
    return {coding.code for coding in given.type.coding} if given.type else set()


def _pointers(entries: Iterable[Entry]) -> Iterator[Reference]:
    """References to directory entries, wherever they stand, with what they are called there."""
    for entry in entries:
        for text, display in _POINTER.findall(entry.content):
            try:
                called = msgspec.json.decode(display, type=str) if display else None
                pointed = msgspec.json.decode(b'"' + text + b'"', type=str)
            except UNDECODABLE:
                continue
            yield Reference(reference=pointed, display=called)
