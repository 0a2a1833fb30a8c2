"""One realistic instance of every event type, the same on every run."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from domain.kernel.event import Event, event_types
from domain.reactions import REACTIONS
from projections.catalogue import PROJECTIONS

assert PROJECTIONS, "the catalogues import every capability that has events"
assert REACTIONS
FIRST, SECOND = "5b0f9c4e-7f5e-4e0b-9d6a-6b1c7a0d2f31", "c2a1c1de-43a5-4a37-8f0e-0d8a6f1b9e77"
BY_NAME: dict[str, str] = {
    "birth_date": "1968-02-29",
    "category": "laboratory",
    "chart": FIRST,
    "clinical_status": "active",
    "code": "38341003",
    "comparator": "<",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "display": "Hypertensive disorder",
    "display_name": "Ada Byron",
    "encounter": FIRST,
    "evidence": "first chart",
    "family": "Byron",
    "first_chart": FIRST,
    "function": "attending physician",
    "gender": "female",
    "given": "Ada",
    "grantee": SECOND,
    "item": FIRST,
    "object": SECOND,
    "operation": "records.conditions",
    "organization": SECOND,
    "panels": "records.conditions",
    "person": FIRST,
    "practitioner": SECOND,
    "practitioners": SECOND,
    "prefix": "Dr.",
    "prescription": FIRST,
    "reason": "the patient asked for it",
    "records": FIRST,
    "requester": SECOND,
    "result": FIRST,
    "role": "clinician",
    "scopes": "records",
    "selection": "chart in 2026",
    "status": "final",
    "system": "http://snomed.info/sct",
    "text": "Überhöhter Blutdruck",
    "unit": "mmol/L",
    "value": "4.10",
}
MOMENT = "2026-03-14T09:30:00.000+01:00"


def domain_events() -> list[type[Event]]:
    """The event types of the product, by name; those that a test declares do not count."""
    kinds = (kind for kind in event_types().values() if kind.__module__.startswith("domain."))
    return sorted(kinds, key=lambda kind: kind.type_name)


def sample(hint: Any, name: str = "") -> Any:
    """A value of a type hint with every part given; text is chosen by the field's name."""
    if is_dataclass(hint):
        if hint.__name__ == "Moment":
            return hint(MOMENT)
        hints = get_type_hints(hint)
        return hint(**{f.name: sample(hints[f.name], f.name) for f in fields(hint)})
    if get_origin(hint) is tuple:
        return (sample(get_args(hint)[0], name),)
    if hint is str:
        return BY_NAME.get(name, name.replace("_", " "))
    if hint is bool:
        return True
    if hint is int:
        return 7
    if hint is datetime:
        return datetime(2027, 3, 14, 9, 30, 0, 250_000, UTC)
    return sample(next(part for part in get_args(hint) if part is not NoneType), name)
