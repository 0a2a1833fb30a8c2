"""Medications as they were ordered."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain import prescriptions
from domain.kernel.event import Erased, Recorded
from domain.kernel.readmodel import Drop, Panel, Projection, Write
from domain.kernel.values import Source
from domain.prescriptions import MedicationOrder, PrescriptionReported
from projections.kernel.panels import document, likeness, panel_table

VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order with where it was stated and when it reached us."""

    order: MedicationOrder
    received: datetime
    source: Source | None = None


ORDER = panel_table("prescriptions_order", OrderRow)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per prescription, as last reported."""
    event, header = recorded.event, recorded.header
    match event:
        case PrescriptionReported(order=order):
            row = OrderRow(order=order, received=recorded.committed_at, source=event.source)
            ident = event.prescription
            yield document(
                ORDER,
                recorded,
                ident,
                row,
                at=order.authored,
                state=order.status,
                alike=likeness(order.medication, order.authored, order.status),
                source=event.source,
            )
        case Erased():
            yield Drop(ORDER, {"chart": header.chart, "id": header.stream})


PROJECTION = Projection("prescriptions", VERSION, (ORDER,), (PrescriptionReported,), project)
medications = Panel("prescriptions.medications", prescriptions.view, ORDER, "prescriptions")
