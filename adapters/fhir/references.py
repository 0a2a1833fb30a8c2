"""References of a bundle, bound to the stream ids of what they point at.

FHIR R4 section 2.3 and 3.1.0.2: by full URL, by `Type/id`, conditionally by
`Type?identifier=system|value`, or logically by a business identifier alone. A directory entry that
nobody has listed yet is awaited: its stream is reserved, and its later listing stands there.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from adapters.fhir.intake import Intake
from adapters.fhir.reading import Entry
from adapters.fhir.resources import Reference
from domain.directory import AwaitEntry
from domain.kernel.command import Reserved

AWAITED = {
    "Practitioner": "practitioner",
    "Organization": "organization",
    "Location": "place",
}
RESERVED = {
    "Patient": "registry.chart",
    "Encounter": "care.encounter",
    **{kind: f"directory.{name}" for kind, name in AWAITED.items()},
}
_CONDITIONAL = re.compile(r"(\w+)\?identifier=(.+)")
NAMED = re.compile(r"([A-Z][A-Za-z]{1,39})[/?]")
_RELATIVE = re.compile(r"(\w+)/([A-Za-z0-9.\-]{1,64})(?:/_history/.+)?")


@dataclass(slots=True)
class Bound:
    """What an import knows of streams, over all of its bundles.

    `known` are streams by `Type/id`, `reserved` by reserved value; `awaited` those of the latter
    that this import had to await.
    """

    known: dict[str, str] = field(default_factory=dict)
    reserved: dict[Reserved, str] = field(default_factory=dict)
    awaited: set[Reserved] = field(default_factory=set)


def source_key(source: str, resource_type: str, resource_id: str) -> str:
    """The reserved value of a resource that is known by its id at the source."""
    return f"{source}|{resource_type}|{resource_id}"


class References:
    """The references of one bundle; what they point at is bound as it is filed.

    `unbound` counts references to nothing known; it is shared and written to.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        source: str,
        intake: Intake,
        *,
        bound: Bound,
        unbound: Counter[str],
    ) -> None:
        self._source, self._intake, self._bound = source, intake, bound
        self._unbound = unbound
        self._entries = {f"{entry.resource_type}/{entry.id}": entry for entry in entries}
        self._entries |= {entry.full_url: entry for entry in entries if entry.full_url}
        self._streams: dict[int, str] = {}
        self._absent: set[Reserved] = set()

    def bind(self, entry: Entry, stream: str) -> None:
        """From now on references to this entry stand for this stream, if its type is pointed at."""
        if entry.resource_type not in RESERVED:
            return
        self._streams[entry.index] = stream
        self._bound.known[f"{entry.resource_type}/{entry.id}"] = stream

    def entry(self, reference: Reference) -> Entry | None:
        """The entry of this bundle that is pointed at."""
        text = reference.reference or ""
        relative = _RELATIVE.fullmatch(text)
        return self._entries.get("/".join(relative.groups()) if relative else text)

    def entries(self, references: Iterable[Reference], expected: str) -> list[Entry]:
        """Those that are in this bundle and of this type, each once; the others are unbound."""
        found: dict[int, Entry] = {}
        for reference in references:
            entry = self.entry(reference)
            if entry is None or entry.resource_type != expected:
                self.miss(reference, expected)
            else:
                found[entry.index] = entry
        return list(found.values())

    async def stream(
        self, reference: Reference | None, expected: str, chart: str | None = None
    ) -> str | None:
        """The stream that a reference of the expected type stands for; None counts as unbound.

        `chart` is given for what is known by its id within a chart.
        """
        if reference is None:
            return None
        stream = await self.known(reference, expected, chart)
        if stream is None:
            self.miss(reference, expected)
        return stream

    async def known(
        self, reference: Reference, expected: str, chart: str | None = None
    ) -> str | None:
        """The stream that a reference stands for, if any."""
        entry = self.entry(reference)
        if entry is not None:
            return self._streams.get(entry.index) if entry.resource_type == expected else None
        return await self._outside(reference, expected, chart)

    async def streams(self, references: Iterable[Reference | None], expected: str) -> list[str]:
        """Those that stand for a stream, in order."""
        bound = [await self.stream(reference, expected) for reference in references]
        return [stream for stream in bound if stream is not None]

    def miss(self, reference: Reference, expected: str) -> None:
        """Count a reference that points at nothing known."""
        named = NAMED.match(reference.reference or "")
        self._unbound[named.group(1) if named else expected] += 1

    async def _outside(self, reference: Reference, expected: str, chart: str | None) -> str | None:
        relative = _RELATIVE.fullmatch(reference.reference or "")
        known = self._bound.known
        if relative and relative[1] == expected and "/".join(relative.groups()) in known:
            return known["/".join(relative.groups())]
        reserved = self.reserved(reference, expected)
        if reserved is None:
            return None
        if chart is not None:
            reserved = Reserved(reserved.kind, f"{chart}|{reserved.value}")
        return self._bound.reserved.get(reserved) or await self._found(reserved, reference)

    async def _found(self, reserved: Reserved, reference: Reference) -> str | None:
        if reserved in self._absent:
            return None
        stream = await self._intake.find(reserved)
        if stream is None and reserved.kind.startswith("directory."):
            wish = awaiting(reserved, reference)
            stream = (await self._intake.do(wish, f"{reserved.kind}|{reserved.value}")).streams[0]
            self._bound.awaited.add(reserved)
        if stream is None:
            self._absent.add(reserved)
        else:
            self._bound.reserved[reserved] = stream
        return stream

    def reserved(self, reference: Reference, expected: str) -> Reserved | None:
        """What the log may know it by; None for another type or an unknown form."""
        kind, text = RESERVED[expected], reference.reference or ""
        conditional, relative = _CONDITIONAL.fullmatch(text), _RELATIVE.fullmatch(text)
        if conditional and conditional[1] == expected:
            return Reserved(kind, unquote(conditional[2]))
        if relative and relative[1] == expected:
            in_chart = f"{self._source}|{relative[2]}"
            known_by = source_key(self._source, expected, relative[2])
            return Reserved(kind, in_chart if expected == "Patient" else known_by)
        logical = reference.identifier
        if not text and logical and logical.system and logical.value:
            return Reserved(kind, f"{logical.system}|{logical.value}")
        return None


def awaiting(reserved: Reserved, reference: Reference) -> AwaitEntry:
    kind = reserved.kind.removeprefix("directory.")
    return AwaitEntry(kind=kind, key=reserved.value, display=reference.display)
