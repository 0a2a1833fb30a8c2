"""Filed clinical facts that belong to nobody else: problems, allergies, immunisations,
observations outside reports, and notes.

One stream per fact, found again by the fact's id at its source: facts of an outside authority do
not depend on one another, so a whole history is filed in parallel, and a correction is decided
against the one fact that it corrects (docs/adr/0010).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.rule import may, oneself, operator, proxy, system, treating
from domain.kernel.values import Concept, Moment, Period, Quantity, ReferenceRange, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A problem or diagnosis (FHIR Condition)."""

    concept: Concept
    clinical_status: str | None = None
    verification_status: str | None = None
    categories: tuple[Concept, ...] = ()
    onset: Moment | None = None
    abated: Moment | None = None
    recorded: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What the substance did."""

    manifestations: tuple[Concept, ...] = ()
    severity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allergy:
    """An allergy or intolerance (FHIR AllergyIntolerance)."""

    concept: Concept
    clinical_status: str | None = None
    verification_status: str | None = None
    kind: str | None = None
    categories: tuple[str, ...] = ()
    criticality: str | None = None
    reactions: tuple[Reaction, ...] = ()
    recorded: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Immunization:
    """A vaccination given or not given (FHIR Immunization)."""

    vaccine: Concept
    status: str
    given: Moment | None = None
    lot: str | None = None
    primary_source: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part of an observation with a value of its own (systolic, diastolic)."""

    concept: Concept
    quantity: Quantity | None = None
    coded: Concept | None = None
    text: str | None = None
    absent: Concept | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A measurement or statement (FHIR Observation); `absent` says why there is no value."""

    concept: Concept
    status: str
    categories: tuple[str, ...] = ()
    effective: Moment | None = None
    issued: Moment | None = None
    quantity: Quantity | None = None
    coded: Concept | None = None
    text: str | None = None
    absent: Concept | None = None
    interpretation: tuple[Concept, ...] = ()
    ranges: tuple[ReferenceRange, ...] = ()
    components: tuple[Component, ...] = ()
    other_value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A clinical note or report in words; its text is in the object store.

    `digests` are the SHA-256 of each form's content in hexadecimal, so that other words are another
    fact; they stand in sealed bodies only.
    """

    concept: Concept
    status: str
    period: Period | None = None
    issued: Moment | None = None
    media_types: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact: exactly one of its parts is given, beside the encounter it belongs to."""

    encounter: str | None = None
    condition: Condition | None = None
    allergy: Allergy | None = None
    immunization: Immunization | None = None
    observation: Observation | None = None
    note: Note | None = None


class RecordFiled(Event, name="records.record-filed", version=1):
    """A fact was filed in the chart."""

    item: str
    fact: Fact
    source: Source | None = None


class RecordCorrected(Event, name="records.record-corrected", version=1):
    """The source sent the fact again with other content, which replaces the earlier one."""

    item: str
    fact: Fact
    source: Source | None = None


view = may("records.view", oneself, proxy("records"), treating)
file = may("records.file", operator, system)


@dataclass(frozen=True, slots=True)
class Item:
    """A fact as it stands."""

    id: str
    fact: Fact | None = None

    @classmethod
    def initial(cls, stream: str) -> "Item":
        """Not filed."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Item":
        """The fact after an event."""
        if not isinstance(event, RecordFiled | RecordCorrected):
            return self
        return replace(self, fact=event.fact)


class FileRecord(Command[Item], name="records.file-record", rule=file):
    """File one fact of a source; `key` is the fact's id there."""

    chart: str
    key: str
    source: Source
    fact: Fact
    when: Moment | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The fact of this source id in this chart."""
        reserved = Reserved("records.item", f"{self.chart}|{self.key}")
        return (Stream(fold=Item, reserved=reserved, chart=self.chart),)

    @property
    def occurred(self) -> Moment | None:
        """When the fact happened."""
        return self.when

    def subject(self, _state: Item) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Item, _now: datetime) -> Iterator[Event]:
        """Filed the first time, corrected by other content; nothing for the same."""
        if state.fact == self.fact:
            return
        kind = RecordFiled if state.fact is None else RecordCorrected
        yield kind(item=state.id, fact=self.fact, source=self.source)
