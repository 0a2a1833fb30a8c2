"""Filers of the record, one module per kind of fact; each module tells which types it files."""

from collections.abc import Awaitable, Callable

from adapters.fhir.desk import Desk
from adapters.fhir.kinds import care, clinical, coverage, kept, medicines, record
from adapters.fhir.reading import Entry

Filer = Callable[[Desk, Entry], Awaitable[None]]
FILED_BY: dict[str, Filer] = {
    **clinical.FILED_BY,
    **kept.FILED_BY,
    **record.FILED_BY,
    **care.FILED_BY,
    **medicines.FILED_BY,
    **coverage.FILED_BY,
}
EARLY = frozenset({"Location", "PractitionerRole"})
"""Types that others point at by their stream: they are filed with the directory."""
