"""Test results as reports with their observations.

A report is one row for what is not sensitive and one for each sensitive category in it, so that
hiding one neither hides nor reveals the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import NAMESPACE_OID, uuid5

from domain import results
from domain.kernel.event import Erased, Recorded
from domain.kernel.labels import Label, category
from domain.kernel.readmodel import Drop, Panel, Projection, Write
from domain.kernel.values import Source
from domain.results import Report, ResultReceived, ResultRelabelled, ResultWithdrawn
from projections.kernel.panels import document, likeness, panel_table

VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """A report, or its part of one category, with where it was stated and when it reached us.

    `version` is what a change of the report must expect.
    """

    report: Report
    received: datetime
    version: int
    labels: tuple[Label, ...] = ()
    source: Source | None = None


RESULT = panel_table("results_result", ResultRow)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per category of a result, as last received."""
    event, header = recorded.event, recorded.header
    match event:
        case ResultReceived() | ResultRelabelled():
            if recorded.version > 1:
                yield Drop(RESULT, {"chart": header.chart, "item": header.stream})
            for sensitive, part in parts(event.report).items():
                yield _row(recorded, event, sensitive, part)
        case ResultWithdrawn() | Erased():
            yield Drop(RESULT, {"chart": header.chart, "item": header.stream})


def parts(report: Report) -> dict[str, Report]:
    """The report by sensitive category; observations have the report's category or their own."""
    found: dict[str, list[results.Analyte]] = {}
    for analyte in report.observations:
        found.setdefault(category(analyte.labels or report.labels), []).append(analyte)
    whole = category(report.labels)
    return {
        sensitive: replace(
            report,
            observations=tuple(found.get(sensitive, ())),
            conclusion=report.conclusion if sensitive == _most(found, whole) else None,
        )
        for sensitive in (found or {whole: []})
    }


def _most(found: dict[str, list[results.Analyte]], whole: str) -> str:
    """Where the conclusion goes, which may speak of every observation."""
    return max([*found, whole])


def _row(
    recorded: Recorded, event: ResultReceived | ResultRelabelled, sensitive: str, part: Report
) -> Write:
    every = (part.labels, *(one.labels for one in part.observations))
    labels = tuple(dict.fromkeys(label for some in every for label in some))
    row = ResultRow(
        report=part,
        received=recorded.committed_at,
        version=recorded.version,
        labels=labels,
        source=event.source,
    )
    at = part.effective or part.issued
    values = (
        f"{one.concept.words}={one.quantity and one.quantity.value}" for one in part.observations
    )
    return document(
        RESULT,
        recorded,
        str(uuid5(NAMESPACE_OID, f"{event.result}/{sensitive}")) if sensitive else event.result,
        row,
        at=at,
        state=part.status,
        kind=part.category,
        labels=(Label(sensitive, "part"),),
        alike=likeness(part.concept, at, *values),
        source=event.source,
    )


PROJECTION = Projection(
    "results", VERSION, (RESULT,), (ResultReceived, ResultRelabelled, ResultWithdrawn), project
)
reports = Panel("results.reports", results.view, RESULT, "results")
