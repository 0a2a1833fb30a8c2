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
from domain.kernel.readmodel import Column, Drop, Panel, Projection, Write
from domain.kernel.values import Concept, Moment, Source
from domain.results import Analyte, Report, ResultReceived, ResultRelabelled, ResultWithdrawn
from projections.kernel.panels import code_of, document, likeness, panel_table

VERSION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """A report, or its part of one category, with where it was stated and when it reached us.

    `version` is what a change of the report must expect.
    """

    report: Report
    received: datetime
    version: int
    labels: tuple[Label, ...] = ()
    corrected: bool = False
    source: Source | None = None
    occurred: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyteRow:
    """One value of a report, for its course over time."""

    analyte: Analyte
    report: Concept
    received: datetime
    version: int
    labels: tuple[Label, ...] = ()
    corrected: bool = False
    source: Source | None = None
    occurred: Moment | None = None


WRONG = "entered-in-error"
RESULT = panel_table("results_result", ResultRow)
ANALYTE = panel_table("results_analyte", AnalyteRow, Column("code", "blind"))
TABLES = (RESULT, ANALYTE)


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per category of a result, as last received."""
    event = recorded.event
    match event:
        case ResultReceived() | ResultRelabelled():
            if recorded.version > 1:
                yield from _gone(recorded)
            found = parts(event.report)
            for sensitive, part in found.items():
                alone = len(found) == 1
                ident = event.result if alone else part_id(event.result, sensitive)
                yield _row(recorded, event, sensitive, part, ident)
            for place, analyte in enumerate(event.report.observations):
                if analyte.quantity is not None or analyte.coded is not None:
                    yield _analyte(recorded, event, place, analyte)
        case ResultWithdrawn() | Erased():
            yield from _gone(recorded)


def _gone(recorded: Recorded) -> Iterator[Write]:
    for table in TABLES:
        yield Drop(table, {"chart": recorded.header.chart, "item": recorded.header.stream})


def parts(report: Report) -> dict[str, Report]:
    """The report by sensitive category; observations have the report's category or their own."""
    found: dict[str, list[Analyte]] = {}
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


def part_id(result: str, part: str) -> str:
    """The id of a row that holds a part of a result: a sensitive category, or one value."""
    return str(uuid5(NAMESPACE_OID, f"{result}/{part}")) if part else result


def row_ids(result: str, report: Report) -> set[str]:
    """The id of every row that a report may have."""
    found = {result, *(part_id(result, sensitive) for sensitive in parts(report))}
    return found | {part_id(result, str(place)) for place in range(len(report.observations))}


def _most(found: dict[str, list[Analyte]], whole: str) -> str:
    """Where the conclusion goes, which may speak of every observation."""
    return max([*found, whole])


def _row(
    recorded: Recorded,
    event: ResultReceived | ResultRelabelled,
    sensitive: str,
    part: Report,
    ident: str,
) -> Write:
    every = (part.labels, *(one.labels for one in part.observations))
    labels = tuple(dict.fromkeys(label for some in every for label in some))
    at = part.effective or part.issued
    row = ResultRow(
        report=part,
        received=recorded.committed_at,
        version=recorded.version,
        labels=labels,
        corrected=_corrected(recorded, event),
        source=event.source,
        occurred=at,
    )
    values = (
        f"{one.concept.words}={one.quantity and one.quantity.value}" for one in part.observations
    )
    return document(
        RESULT,
        recorded,
        ident,
        row,
        at=at,
        state=part.status,
        kind=part.category,
        labels=(Label(sensitive, "part"),),
        alike=likeness(part.concept, at, *values),
        source=event.source,
    )


def _analyte(
    recorded: Recorded, event: ResultReceived | ResultRelabelled, place: int, analyte: Analyte
) -> Write:
    report = event.report
    labels = analyte.labels or report.labels
    at = analyte.effective or report.effective or analyte.issued or report.issued
    row = AnalyteRow(
        analyte=analyte,
        report=report.concept,
        received=recorded.committed_at,
        version=recorded.version,
        labels=labels,
        corrected=_corrected(recorded, event),
        source=event.source,
        occurred=at,
    )
    measured = analyte.quantity.value if analyte.quantity else analyte.coded and analyte.coded.words
    code = code_of(analyte.concept)
    return document(
        ANALYTE,
        recorded,
        part_id(event.result, str(place)),
        row,
        at=at,
        state=WRONG if WRONG in (analyte.status, report.status) else analyte.status,
        kind=report.category,
        labels=labels,
        alike=likeness(analyte.concept, at, measured or ""),
        source=event.source,
        code=code,
    )


def _corrected(recorded: Recorded, event: ResultReceived | ResultRelabelled) -> bool:
    return recorded.version > 1 and isinstance(event, ResultReceived)


PROJECTION = Projection(
    "results", VERSION, TABLES, (ResultReceived, ResultRelabelled, ResultWithdrawn), project
)
reports = Panel("results.reports", results.view, RESULT, "results")
analytes = Panel("results.analytes", results.view, ANALYTE, "results")
