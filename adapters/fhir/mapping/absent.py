"""Elements that a source left out on purpose (FHIR R4 extension data-absent-reason)."""

from collections.abc import Iterator
from typing import Any

import msgspec

from domain.kernel.values import Absence

URL = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
MOST = 50


def absences(content: bytes) -> tuple[Absence, ...]:
    """Each element with the code of its reason, at most 50; elements by their path of names."""
    if b"data-absent-reason" not in content:
        return ()
    found = dict.fromkeys(_within(msgspec.json.decode(content), ""))
    return tuple(found)[:MOST]


def _within(value: Any, path: str) -> Iterator[Absence]:
    if isinstance(value, list):
        for one in value:
            yield from _within(one, path)
    if not isinstance(value, dict):
        return
    for extension in value.get("extension") or ():
        if isinstance(extension, dict) and extension.get("url") == URL:
            yield Absence(path, str(extension.get("valueCode") or "unknown"))
    for name, inner in value.items():
        if name not in ("extension", "contained", "text"):
            yield from _within(inner, f"{path}.{name.lstrip('_')}".lstrip("."))
