"""Test results as reports with their observations."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain import results
from domain.kernel.event import Erased, Recorded
from domain.kernel.readmodel import Drop, Panel, Projection, Write
from domain.kernel.values import Source
from domain.results import Report, ResultReceived
from projections.kernel.panels import document, panel_table

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """A report with where it was stated and when it reached us."""

    report: Report
    received: datetime
    source: Source | None = None


RESULT = panel_table("results_result", ResultRow)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per result, as last received."""
    event, header = recorded.event, recorded.header
    match event:
        case ResultReceived(report=report):
            row = ResultRow(report=report, received=recorded.committed_at, source=event.source)
            at = report.effective or report.issued
            yield document(
                RESULT,
                recorded,
                event.result,
                row,
                at=at,
                state=report.status,
                kind=report.category,
            )
        case Erased():
            yield Drop(RESULT, {"chart": header.chart, "id": header.stream})


PROJECTION = Projection("results", VERSION, (RESULT,), (ResultReceived,), project)
reports = Panel("results.reports", results.view, RESULT, "results")
