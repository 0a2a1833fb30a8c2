"""How facts are filed, corrected, relabelled and withdrawn.

One stream per fact, found again by the fact's id at its source: facts of an outside authority do
not depend on one another, so a whole history is filed in parallel, and a correction is decided
against the one fact that it corrects (docs/adr/0010).
"""

from collections.abc import Iterator
from datetime import datetime

from domain.kernel.command import At, Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Event
from domain.kernel.items import Item, Leaving, leaving, relabelled, with_target
from domain.kernel.labels import Label
from domain.kernel.refusal import Refusal
from domain.kernel.rule import may, oneself, operator, proxy, role, system, treating
from domain.kernel.values import Moment, Source
from domain.records.facts import Fact


class RecordFiled(Event, name="records.record-filed", version=1):
    """A fact was filed in the chart."""

    item: str
    fact: Fact
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def content(self) -> Fact:
        """The fact."""
        return self.fact

    @property
    def sealed_alone(self) -> bool:
        """A document or note can be shredded or moved alone."""
        return self.fact.is_paper


class RecordCorrected(Event, name="records.record-corrected", version=1):
    """The fact was stated again with other content, which replaces the earlier one."""

    item: str
    fact: Fact
    source: Source | None = None
    labels: tuple[Label, ...] = ()
    reason: str | None = None

    @property
    def content(self) -> Fact:
        """The fact."""
        return self.fact

    @property
    def sealed_alone(self) -> bool:
        """A document or note can be shredded or moved alone."""
        return self.fact.is_paper


class RecordRelabelled(Event, name="records.record-relabelled", version=1):
    """The same fact from now on has other sensitivity labels."""

    item: str
    fact: Fact
    labels: tuple[Label, ...]
    source: Source | None = None
    reason: str | None = None

    @property
    def content(self) -> Fact:
        """The fact."""
        return self.fact

    @property
    def sealed_alone(self) -> bool:
        """A document or note can be shredded or moved alone."""
        return self.fact.is_paper


class RecordWithdrawn(Event, name="records.record-withdrawn", version=1):
    """The fact should never have been in this chart; `refiled` is the chart it belongs to."""

    item: str
    reason: str
    refiled: str | None = None

    @property
    def withdrawn(self) -> str:
        """The item."""
        return self.item


class ResourceUnusable(Refusal):
    """The corrected resource cannot be used. Send the whole resource as FHIR R4 JSON."""

    why: str


view = may("records.view", oneself, proxy("records"), treating)
file = may("records.file", operator, system)
correct = may("records.correct", role("health-information"), operator)
relabel = may("records.relabel", role("health-information"), operator)
withdraw = may("records.withdraw", role("health-information"), operator)
Kept = Item[Fact]


class FileRecord(Command[Kept], name="records.file-record", rule=file):
    """File one fact of a source; `key` is the fact's id there."""

    chart: str
    key: str
    source: Source
    fact: Fact
    when: Moment | None = None
    labels: tuple[Label, ...] = ()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The fact of this source id in this chart."""
        return (_item(self.chart, self.key),)

    @property
    def occurred(self) -> Moment | None:
        """When the fact happened."""
        return self.when

    def subject(self, _state: Kept) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept, _now: datetime) -> Iterator[Event]:
        """Filed the first time, corrected by other content; nothing for the same."""
        labels = state.news(self.fact, self.labels)
        if labels is None:
            return
        if state.content is None:
            yield RecordFiled(item=state.id, fact=self.fact, source=self.source, labels=labels)
        elif state.content != self.fact:
            yield RecordCorrected(item=state.id, fact=self.fact, source=self.source, labels=labels)
        else:
            yield RecordRelabelled(item=state.id, fact=self.fact, source=self.source, labels=labels)


class CorrectRecord(Command[Kept], name="records.correct-record", rule=correct):
    """Replace a filed fact by what staff know to be right; the earlier one stays traceable."""

    chart: str
    key: str
    fact: Fact
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The fact."""
        return (_item(self.chart, self.key),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Kept) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept, _now: datetime) -> Iterator[Event]:
        """Nothing for the same fact. Raises NotFound where there is none."""
        if state.present() != self.fact:
            yield RecordCorrected(
                item=state.id,
                fact=self.fact,
                source=state.source,
                labels=state.labels,
                reason=self.reason,
            )


class RelabelRecord(Command[Kept], name="records.relabel-record", rule=relabel):
    """Give a fact the sensitivity labels that staff decided on; none means nothing sensitive."""

    chart: str
    key: str
    codes: tuple[str, ...]
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The fact."""
        return (_item(self.chart, self.key),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Kept) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept, _now: datetime) -> Iterator[Event]:
        """Nothing for the same labels. Raises NotFound where there is no such fact."""
        labels = relabelled(self.codes)
        fact = state.present()
        if labels != state.labels:
            yield RecordRelabelled(
                item=state.id, fact=fact, labels=labels, source=state.source, reason=self.reason
            )


class WithdrawRecord(Command[Leaving[Fact]], name="records.withdraw-record", rule=withdraw):
    """Take a fact out of a chart it never belonged to, and file it where it does: one act.

    Without `refile` it is only withdrawn. The key of the other chart seals it there.
    """

    chart: str
    key: str
    reason: str
    refile: str | None = None
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The fact here, and the same fact there."""
        here = _item(self.chart, self.key)
        if self.refile is None:
            return (here,)
        return with_target(here, _item(self.refile, self.key))

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Kept | Leaving[Fact]) -> Subject:
        """The chart that it is taken from."""
        return Subject(chart=self.chart)

    def decide(self, state: Kept | Leaving[Fact], _now: datetime) -> Iterator[Event | At]:
        """Nothing when it is withdrawn already. Raises NotFound, InThisChart, UnknownChart."""
        here, there = leaving(state)
        if here.withdrawn:
            return
        fact = here.present()
        yield RecordWithdrawn(item=here.id, reason=self.reason, refiled=self.refile)
        if there is not None and not there.states(fact):
            yield At(
                there.id,
                RecordFiled(item=there.id, fact=fact, source=here.source, labels=here.labels),
            )


def _item(chart: str, key: str) -> Stream:
    return Stream(fold=Item, reserved=Reserved("records.item", f"{chart}|{key}"), chart=chart)
