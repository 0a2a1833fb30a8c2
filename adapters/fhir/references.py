"""References of a bundle, bound to the stream ids of what they point at.

FHIR R4 section 2.3 and 3.1.0.2: by full URL, by `Type/id`, conditionally by
`Type?identifier=system|value`, or logically by a business identifier alone.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from adapters.fhir.intake import Intake
from adapters.fhir.reading import Entry
from adapters.fhir.resources import Reference
from domain.kernel.command import Reserved

_RESERVED = {
    "Patient": "registry.chart",
    "Practitioner": "directory.practitioner",
    "Organization": "directory.organization",
    "Encounter": "care.encounter",
    "Location": "directory.place",
}
_CONDITIONAL = re.compile(r"(\w+)\?identifier=(.+)")
_NAMED = re.compile(r"([A-Z][A-Za-z]{1,39})[/?]")
_RELATIVE = re.compile(r"(\w+)/([A-Za-z0-9.\-]{1,64})(?:/_history/.+)?")


def source_key(source: str, resource_type: str, resource_id: str) -> str:
    """The reserved value of a resource that is known by its id at the source."""
    return f"{source}|{resource_type}|{resource_id}"


class References:
    """The references of one bundle; what they point at is bound as it is filed.

    `known` are the streams of all bundles of this import by `Type/id`, and `unbound` counts
    references to nothing known; both are shared and written to.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        source: str,
        intake: Intake,
        *,
        known: dict[str, str],
        unbound: Counter[str],
    ) -> None:
        self._source, self._intake, self._known, self._unbound = source, intake, known, unbound
        self._entries = {f"{entry.resource_type}/{entry.id}": entry for entry in entries}
        self._entries |= {entry.full_url: entry for entry in entries if entry.full_url}
        self._streams: dict[int, str] = {}
        self._found: dict[Reserved, str | None] = {}

    def bind(self, entry: Entry, stream: str) -> None:
        """From now on references to this entry stand for this stream, if its type is pointed at."""
        if entry.resource_type not in _RESERVED:
            return
        self._streams[entry.index] = stream
        self._known[f"{entry.resource_type}/{entry.id}"] = stream

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
        entry = self.entry(reference)
        if entry is not None:
            same = entry.resource_type == expected
            stream = self._streams.get(entry.index) if same else None
        else:
            stream = await self._outside(reference, expected, chart)
        if stream is None:
            self.miss(reference, expected)
        return stream

    async def streams(self, references: Iterable[Reference | None], expected: str) -> list[str]:
        """Those that stand for a stream, in order."""
        bound = [await self.stream(reference, expected) for reference in references]
        return [stream for stream in bound if stream is not None]

    def miss(self, reference: Reference, expected: str) -> None:
        """Count a reference that points at nothing known."""
        named = _NAMED.match(reference.reference or "")
        self._unbound[named.group(1) if named else expected] += 1

    async def _outside(self, reference: Reference, expected: str, chart: str | None) -> str | None:
        relative = _RELATIVE.fullmatch(reference.reference or "")
        if relative and relative[1] == expected and "/".join(relative.groups()) in self._known:
            return self._known["/".join(relative.groups())]
        reserved = self._reserved(reference, expected)
        if reserved is None:
            return None
        if chart is not None:
            reserved = Reserved(reserved.kind, f"{chart}|{reserved.value}")
        if reserved not in self._found:
            self._found[reserved] = await self._intake.find(reserved)
        return self._found[reserved]

    def _reserved(self, reference: Reference, expected: str) -> Reserved | None:
        """What the log may know it by; None for another type or an unknown form."""
        kind, text = _RESERVED[expected], reference.reference or ""
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
