"""Test results: a report with its observations, received as one act.

One stream per report, under a key of its own, so that one wrong-patient report can be shredded
or moved alone. An observation that came without a report is a result of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.kernel.command import At, Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Event
from domain.kernel.items import Item, Leaving, leaving, relabelled, with_target
from domain.kernel.labels import STAFF, Label
from domain.kernel.rule import may, oneself, operator, proxy, role, system, treating
from domain.kernel.values import UNKNOWN, Concept, Moment, Quantity, ReferenceRange, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Analyte:
    """One observation of a report; `absent` says why there is no value.

    `labels` are its own: a report with a potassium and an HIV test is two rows of two categories.
    """

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
    labels: tuple[Label, ...] = ()

    @property
    def unit(self) -> str | None:
        """The unit of the amount in words, else its code."""
        return None if self.quantity is None else self.quantity.unit or self.quantity.code

    @property
    def absence(self) -> Concept | None:
        """Why there is no value; None where there is one."""
        said = self.quantity or self.coded or self.text
        return None if said is not None else self.absent or UNKNOWN

    @property
    def words(self) -> str | None:
        """The value in words where it is no amount."""
        return self.text or (self.coded.words if self.coded else None)


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
    labels: tuple[Label, ...] = ()


class ResultReceived(Event, name="results.result-received", version=1, item_key=True):
    """A result arrived: the report as the source states it now, with its observations.

    A report that is sent again (final after preliminary, corrected) is received again and replaces
    what stood before.
    """

    result: str
    report: Report
    source: Source | None = None
    reason: str | None = None

    @property
    def content(self) -> Report:
        """The report."""
        return self.report

    @property
    def labels(self) -> tuple[Label, ...]:
        """Those of the report and of all its observations: its body holds them all."""
        return _labels(self.report)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Everything it was made of: the report and its observations."""
        return _sources(self.source, self.report)


class ResultRelabelled(Event, name="results.result-relabelled", version=1, item_key=True):
    """The same report from now on has other sensitivity labels."""

    result: str
    report: Report
    source: Source | None = None
    reason: str | None = None

    @property
    def content(self) -> Report:
        """The report."""
        return self.report

    @property
    def labels(self) -> tuple[Label, ...]:
        """Those of the report and of all its observations."""
        return _labels(self.report)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Everything it was made of: the report and its observations."""
        return _sources(self.source, self.report)


class ResultWithdrawn(Event, name="results.result-withdrawn", version=1):
    """The report should never have been in this chart; `refiled` is the chart it belongs to."""

    result: str
    reason: str
    refiled: str | None = None

    @property
    def withdrawn(self) -> str:
        """The item."""
        return self.result


def _labels(report: Report) -> tuple[Label, ...]:
    every = (report.labels, *(analyte.labels for analyte in report.observations))
    return tuple(dict.fromkeys(label for labels in every for label in labels))


def _sources(whole: Source | None, report: Report) -> tuple[Source, ...]:
    every = (whole, *(analyte.source for analyte in report.observations))
    return tuple(dict.fromkeys(source for source in every if source))


view = may("results.view", oneself, proxy("results"), treating)
receive = may("results.receive", operator, system)
correct = may("results.correct", role("health-information"), operator)
relabel = may("results.relabel", role("health-information"), operator)
withdraw = may("results.withdraw", role("health-information"), operator)
Kept = Item[Report]


class ReceiveResult(Command[Kept], name="results.receive-result", rule=receive):
    """File a report of a source; `key` is the report's id there."""

    chart: str
    key: str
    report: Report
    source: Source | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The report of this source id."""
        return (_item(self.chart, self.key),)

    @property
    def occurred(self) -> Moment | None:
        """When the specimen was taken or the study made."""
        return self.report.effective

    def subject(self, _state: Kept) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept, _now: datetime) -> Iterator[Event]:
        """An event when something differs from what was received last."""
        known, report = state.content, _labelled_as(state, self.report)
        if known is None or _facts(known) != _facts(report):
            yield ResultReceived(result=state.id, report=report, source=self.source)
        elif _labels(known) != _labels(report) and not state.withdrawn:
            yield ResultRelabelled(result=state.id, report=report, source=self.source)


class CorrectResult(Command[Kept], name="results.correct-result", rule=correct):
    """Replace a report by what staff know to be right; the earlier one stays traceable."""

    chart: str
    key: str
    report: Report
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The report."""
        return (_item(self.chart, self.key),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Kept) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept, _now: datetime) -> Iterator[Event]:
        """Nothing for the same report. Raises NotFound where there is none."""
        report = _labelled_as(state, self.report)
        if _facts(state.present()) != _facts(report):
            yield ResultReceived(
                result=state.id, report=report, source=state.source, reason=self.reason
            )


class RelabelResult(Command[Kept], name="results.relabel-result", rule=relabel):
    """Give a whole report the sensitivity labels that staff decided on."""

    chart: str
    key: str
    codes: tuple[str, ...]
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The report."""
        return (_item(self.chart, self.key),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Kept) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept, _now: datetime) -> Iterator[Event]:
        """Nothing for the same labels. Raises NotFound where there is no such report."""
        report = _under(relabelled(self.codes), state.present())
        if report != state.content:
            yield ResultRelabelled(
                result=state.id, report=report, source=state.source, reason=self.reason
            )


class WithdrawResult(Command[Leaving[Report]], name="results.withdraw-result", rule=withdraw):
    """Take a report out of a chart it never belonged to, and file it where it does: one act."""

    chart: str
    key: str
    reason: str
    refile: str | None = None
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The report here, and the same report there."""
        here = _item(self.chart, self.key)
        if self.refile is None:
            return (here,)
        return with_target(here, _item(self.refile, self.key))

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Kept | Leaving[Report]) -> Subject:
        """The chart that it is taken from."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept | Leaving[Report], _now: datetime) -> Iterator[Event | At]:
        """Nothing when it is withdrawn already. Raises NotFound, InThisChart, UnknownChart."""
        here, there = leaving(state)
        if here.withdrawn:
            return
        report = here.present()
        yield ResultWithdrawn(result=here.id, reason=self.reason, refiled=self.refile)
        if there is not None and not there.states(report):
            refiled = ResultReceived(result=there.id, report=report, source=here.source)
            yield At(there.id, refiled)


def _item(chart: str, key: str) -> Stream:
    return Stream(fold=Item, reserved=Reserved("results.report", f"{chart}|{key}"), chart=chart)


def _labelled_as(state: Kept, report: Report) -> Report:
    """The report, under staff's labels where staff decided on them."""
    if state.content is None or all(label.rule != STAFF for label in state.content.labels):
        return report
    return _under(state.content.labels, report)


def _under(labels: tuple[Label, ...], report: Report) -> Report:
    observations = tuple(replace(analyte, labels=()) for analyte in report.observations)
    return replace(report, labels=labels, observations=observations)


def _facts(report: Report) -> Report:
    """What the report says, whatever its originals and its labels."""
    bare = tuple(replace(one, source=None, labels=()) for one in report.observations)
    return replace(report, observations=bare, labels=())
