"""Medicines as they were ordered, dispensed, given and taken."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain import prescriptions
from domain.kernel.event import Erased, Recorded
from domain.kernel.labels import Label
from domain.kernel.readmodel import Drop, Panel, Projection, Write
from domain.kernel.values import Moment, Source
from domain.prescriptions import (
    MedicationOrder,
    MedicationReported,
    PrescriptionRelabelled,
    PrescriptionReported,
    PrescriptionWithdrawn,
)
from projections.kernel.panels import document, likeness, panel_table

VERSION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """A medicine with where it was stated and when it reached us."""

    order: MedicationOrder
    received: datetime
    version: int
    labels: tuple[Label, ...] = ()
    corrected: bool = False
    source: Source | None = None
    occurred: Moment | None = None


ORDER = panel_table("prescriptions_order", OrderRow)
Stated = PrescriptionReported | MedicationReported | PrescriptionRelabelled


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per medicine and source, as last reported."""
    event, header = recorded.event, recorded.header
    match event:
        case PrescriptionReported() | MedicationReported() | PrescriptionRelabelled():
            yield _stated(recorded, event)
        case PrescriptionWithdrawn() | Erased():
            yield Drop(ORDER, {"chart": header.chart, "id": header.stream})


def _stated(recorded: Recorded, event: Stated) -> Write:
    order = event.order
    at = order.authored or (order.effective.start if order.effective else None)
    relabelled = isinstance(event, PrescriptionRelabelled)
    row = OrderRow(
        order=order,
        received=recorded.committed_at,
        version=recorded.version,
        labels=event.labels,
        corrected=recorded.version > 1 and not relabelled,
        source=event.source,
        occurred=at,
    )
    return document(
        ORDER,
        recorded,
        event.prescription,
        row,
        at=at,
        state=order.status,
        kind=order.kind,
        labels=event.labels,
        alike=likeness(order.medication, at, order.kind, order.status),
        source=event.source,
    )


PROJECTION = Projection(
    "prescriptions",
    VERSION,
    (ORDER,),
    (PrescriptionReported, MedicationReported, PrescriptionRelabelled, PrescriptionWithdrawn),
    project,
)
medications = Panel("prescriptions.medications", prescriptions.view, ORDER, "prescriptions")
