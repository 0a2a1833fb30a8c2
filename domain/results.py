"""Test results: a report with its observations, received as one act.

One stream per report, under a key of its own, so that one wrong-patient report can be shredded
or moved alone. An observation that came without a report is a result of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.rule import may, oneself, operator, proxy, system, treating
from domain.kernel.values import Concept, Moment, Quantity, ReferenceRange, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyte:
    """One observation of a report; `absent` says why there is no value."""

    concept: Concept
    status: str
    effective: Moment | None = None
    issued: Moment | None = None
    quantity: Quantity | None = None
    coded: Concept | None = None
    text: str | None = None
    absent: Concept | None = None
    interpretation: tuple[Concept, ...] = ()
    ranges: tuple[ReferenceRange, ...] = ()
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report with its observations (FHIR DiagnosticReport and Observation).

    `category` is `laboratory`, `imaging`, `survey` or `other`; `performers` are names as given.
    """

    category: str
    concept: Concept
    status: str
    effective: Moment | None = None
    issued: Moment | None = None
    encounter: str | None = None
    performers: tuple[str, ...] = ()
    observations: tuple[Analyte, ...] = ()
    conclusion: str | None = None


class ResultReceived(Event, name="results.result-received", version=1, item_key=True):
    """A result arrived: the report as the source states it now, with its observations.

    A report that is sent again (final after preliminary, corrected) is received again and replaces
    what stood before.
    """

    result: str
    report: Report
    source: Source | None = None


view = may("results.view", oneself, proxy("results"), treating)
receive = may("results.receive", operator, system)


@dataclass(frozen=True, slots=True)
class Result:
    """A result as last received."""

    id: str
    received: Report | None = None

    @classmethod
    def initial(cls, stream: str) -> "Result":
        """Not received."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Result":
        """The result after an event."""
        return replace(self, received=event.report) if isinstance(event, ResultReceived) else self


class ReceiveResult(Command[Result], name="results.receive-result", rule=receive):
    """File a report of a source; `key` is the report's id there."""

    chart: str
    key: str
    report: Report
    source: Source | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The report of this source id."""
        reserved = Reserved("results.report", f"{self.chart}|{self.key}")
        return (Stream(fold=Result, reserved=reserved, chart=self.chart),)

    @property
    def occurred(self) -> Moment | None:
        """When the specimen was taken or the study made."""
        return self.report.effective

    def subject(self, _state: Result) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Result, _now: datetime) -> Iterator[Event]:
        """An event when something differs from what was received last."""
        if state.received is None or _facts(state.received) != _facts(self.report):
            yield ResultReceived(result=state.id, report=self.report, source=self.source)


def _facts(report: Report) -> Report:
    stripped = tuple(replace(analyte, source=None) for analyte in report.observations)
    return replace(report, observations=stripped)
