"""What every entry of a record tells beside its content: whence, when, and who else says so."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import strawberry

from domain.kernel.readmodel import Row
from schema.kernel.context import SchemaContext
from schema.kernel.paging import shape
from schema.kernel.ruled import ruled, said
from schema.kernel.values import Moment, Source

ALIKE = "same fact, same day"


@strawberry.type(directives=ruled(shape), description="Another source's statement of one fact.")
class OtherStatement:
    """A row that is kept but not shown, because a newer one says the same."""

    source: Source | None = said("Where it was stated.")
    received: str = said("When it reached this record (RFC 3339).")
    reason: str = said("Why it is taken for the same fact.")


@strawberry.type(directives=ruled(shape), description="An element that the source left out.")
class AbsentElement:
    """FHIR data-absent-reason of an element."""

    element: str = said("Which element, such as performed.")
    reason: str = said("Why (FHIR data-absent-reason): unknown, masked, not-asked and the like.")


@strawberry.interface(directives=ruled(shape), description="An entry of a record.")
class Stated:
    """What all entries have. It is worked out from the row when it is asked for, and not before."""

    id: strawberry.ID = said("Stands for this entry.")
    occurred: Moment | None = said("When it happened, as the source wrote it.")
    received: str = said("When it reached this record (RFC 3339).")
    source: Source | None = said("Where it was stated.")
    version: int = said("Give it as expectedVersion when you change the entry.")
    corrected: bool = said("Whether this replaced an earlier statement; history shows it.")
    labels: list[str] = said("Sensitivity codes (HL7 ActCode), such as HIV or PSY.")
    also_stated_by: list[OtherStatement] = said("Other sources that say the same.")
    absent: list[AbsentElement] = said("Elements that the source left out, with the reason.")

    @classmethod
    def stating(cls, context: SchemaContext, row: Row, **own: Any) -> Self:
        """The entry of a row document; `own` are the fields that the type adds."""
        entry = object.__new__(cls)
        entry.__dict__.update(own, _context=context, _row=row)
        return entry

    def __getattr__(self, name: str) -> Any:
        """A field that no value was given for."""
        work_out = _LATER.get(name)
        if work_out is None:
            raise AttributeError(name)
        value = self.__dict__[name] = work_out(self._context, self._row)
        return value


def _labels(_context: SchemaContext, row: Row) -> list[str]:
    return sorted({label.code for label in row.body.labels if label.code})


def _others(_context: SchemaContext, row: Row) -> list[OtherStatement]:
    return [
        OtherStatement(
            source=Source.maybe(other.body.source),
            received=other.body.received.isoformat(),
            reason=ALIKE,
        )
        for other in row.alike
    ]


def _absent(_context: SchemaContext, row: Row) -> list[AbsentElement]:
    fact = getattr(row.body, "fact", None)
    elements = fact.absent if fact is not None else ()
    return [AbsentElement(element=one.element, reason=one.reason) for one in elements]


_LATER: Mapping[str, Callable[[SchemaContext, Row], object]] = {
    "id": lambda context, row: strawberry.ID(context.ids.hide("record", row.id)),
    "occurred": lambda _, row: Moment.maybe(row.body.occurred),
    "received": lambda _, row: row.body.received.isoformat(),
    "source": lambda _, row: Source.maybe(row.body.source),
    "version": lambda _, row: row.body.version,
    "corrected": lambda _, row: row.body.corrected,
    "labels": _labels,
    "also_stated_by": _others,
    "absent": _absent,
}
