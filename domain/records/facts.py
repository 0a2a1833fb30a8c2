"""Filed clinical facts as a source states them, in the shape of their FHIR R4 resources."""

from dataclasses import dataclass

from domain.kernel.values import (
    Absence,
    Concept,
    Moment,
    Period,
    Quantity,
    ReferenceRange,
)
from domain.records.plans import (
    CarePlan,
    Device,
    Document,
    Goal,
    ImagingStudy,
    Procedure,
    Provenance,
)
from domain.records.statements import (
    Answers,
    FamilyHistory,
    Flag,
    RelatedPerson,
    RiskAssessment,
)


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
    """One fact: exactly one of its parts is given, beside the encounter it belongs to.

    `absent` are the elements that the source left out, each with its reason.
    """

    encounter: str | None = None
    condition: Condition | None = None
    allergy: Allergy | None = None
    immunization: Immunization | None = None
    observation: Observation | None = None
    note: Note | None = None
    procedure: Procedure | None = None
    document: Document | None = None
    care_plan: CarePlan | None = None
    goal: Goal | None = None
    device: Device | None = None
    provenance: Provenance | None = None
    imaging_study: ImagingStudy | None = None
    family_history: FamilyHistory | None = None
    flag: Flag | None = None
    related_person: RelatedPerson | None = None
    answers: Answers | None = None
    risk: RiskAssessment | None = None
    absent: tuple[Absence, ...] = ()

    @property
    def is_paper(self) -> bool:
        """Whether it is a document or a note, with content of its own in the object store."""
        return self.document is not None or self.note is not None
