"""Filed facts about the patient that others state, in the shape of their FHIR R4 resources."""

from dataclasses import dataclass

from domain.kernel.values import Concept, Moment, Period


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyHistory:
    """What a relative has or had (FHIR FamilyMemberHistory)."""

    relationship: Concept
    status: str
    name: str | None = None
    date: Moment | None = None
    conditions: tuple[Concept, ...] = ()
    deceased: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A warning to whoever treats the patient (FHIR Flag, DetectedIssue)."""

    concept: Concept
    status: str
    categories: tuple[Concept, ...] = ()
    period: Period | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedPerson:
    """Somebody close to the patient as the source knows them (FHIR RelatedPerson)."""

    name: str
    relationships: tuple[Concept, ...] = ()
    telecoms: tuple[str, ...] = ()
    active: bool = True
    period: Period | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A question and its answers in words; `path` is the link id within the form."""

    path: str
    question: str | None = None
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A form as it was filled in (FHIR QuestionnaireResponse)."""

    status: str
    form: str | None = None
    authored: Moment | None = None
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """An outcome and how likely it is, in words as given."""

    outcome: Concept | None = None
    probability: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAssessment:
    """How likely outcomes are (FHIR RiskAssessment, ClinicalImpression)."""

    status: str
    concept: Concept | None = None
    date: Moment | None = None
    predictions: tuple[Prediction, ...] = ()
    summary: str | None = None
