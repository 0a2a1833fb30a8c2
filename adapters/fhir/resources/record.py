"""FHIR R4 resources of the record beyond problems and results, with the members we use."""

from msgspec import Raw, field

from adapters.fhir.resources import (
    ABSENT,
    Attachment,
    CodeableConcept,
    ContactPoint,
    Extent,
    HumanName,
    Measure,
    Range,
    Reference,
    Wire,
)
from domain.kernel.values import Coding


class Actor(Wire, frozen=True):
    """Who did something, in which function."""

    actor: Reference | None = None
    function: CodeableConcept | None = None


class Procedure(Wire, frozen=True):
    """Procedure."""

    status: str
    code: CodeableConcept = CodeableConcept()
    category: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    based_on: tuple[Reference, ...] = ()
    performed_date_time: str | None = None
    performed_period: Extent | None = None
    performer: tuple[Actor, ...] = ()
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()
    body_site: tuple[CodeableConcept, ...] = ()
    outcome: CodeableConcept | None = None


class Paper(Attachment, frozen=True):
    """Attachment with its title and date."""

    title: str | None = None
    creation: str | None = None


class DocumentContent(Wire, frozen=True):
    """DocumentReference.content."""

    attachment: Paper = Paper()


class DocumentContext(Wire, frozen=True):
    """DocumentReference.context."""

    encounter: tuple[Reference, ...] = ()
    period: Extent | None = None


class DocumentReference(Wire, frozen=True):
    """DocumentReference."""

    status: str
    doc_status: str | None = None
    type: CodeableConcept = CodeableConcept()
    category: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    date: str | None = None
    author: tuple[Reference, ...] = ()
    description: str | None = None
    content: tuple[DocumentContent, ...] = ()
    context: DocumentContext = DocumentContext()


class Composition(Wire, frozen=True):
    """Composition, the first page of a document."""

    status: str
    type: CodeableConcept = CodeableConcept()
    category: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    encounter: Reference | None = None
    date: str | None = None
    author: tuple[Reference, ...] = ()
    title: str | None = None


class Media(Wire, frozen=True):
    """Media."""

    status: str
    type: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    created_date_time: str | None = None
    created_period: Extent | None = None
    issued: str | None = None
    operator: Reference | None = None
    reason_code: tuple[CodeableConcept, ...] = ()
    content: Paper = Paper()


class ActivityDetail(Wire, frozen=True):
    """CarePlan.activity.detail."""

    code: CodeableConcept | None = None
    status: str | None = None
    description: str | None = None


class CarePlanActivity(Wire, frozen=True):
    """CarePlan.activity."""

    detail: ActivityDetail | None = None
    reference: Reference | None = None


class CarePlan(Wire, frozen=True):
    """CarePlan."""

    status: str
    intent: str | None = None
    title: str | None = None
    category: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    encounter: Reference | None = None
    period: Extent | None = None
    addresses: tuple[Reference, ...] = ()
    activity: tuple[CarePlanActivity, ...] = ()


class GoalTarget(Wire, frozen=True):
    """Goal.target."""

    measure: CodeableConcept | None = None
    detail_quantity: Measure | None = None
    detail_range: Range | None = None
    detail_codeable_concept: CodeableConcept | None = None
    detail_string: str | None = None
    due_date: str | None = None


class Goal(Wire, frozen=True):
    """Goal."""

    lifecycle_status: str
    description: CodeableConcept = CodeableConcept()
    achievement_status: CodeableConcept | None = None
    category: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    start_date: str | None = None
    target: tuple[GoalTarget, ...] = ()


class DeviceName(Wire, frozen=True):
    """Device.deviceName."""

    name: str | None = None


class Device(Wire, frozen=True):
    """Device."""

    status: str | None = None
    type: CodeableConcept | None = None
    device_name: tuple[DeviceName, ...] = ()
    distinct_identifier: str | None = None
    manufacturer: str | None = None
    model_number: str | None = None
    lot_number: str | None = None
    serial_number: str | None = None
    expiration_date: str | None = None
    manufacture_date: str | None = None
    patient: Reference | None = None


class DeviceUseStatement(Wire, frozen=True):
    """DeviceUseStatement."""

    status: str
    subject: Reference | None = None
    device: Reference | None = None
    timing_period: Extent | None = None
    timing_date_time: str | None = None
    recorded_on: str | None = None


class SuppliedItem(Wire, frozen=True):
    """SupplyDelivery.suppliedItem."""

    quantity: Measure | None = None
    item_codeable_concept: CodeableConcept | None = None


class SupplyDelivery(Wire, frozen=True):
    """SupplyDelivery."""

    status: str | None = None
    type: CodeableConcept | None = None
    patient: Reference | None = None
    supplied_item: SuppliedItem = SuppliedItem()
    occurrence_date_time: str | None = None
    occurrence_period: Extent | None = None


class ProvenanceAgent(Wire, frozen=True):
    """Provenance.agent."""

    who: Reference | None = None
    type: CodeableConcept | None = None
    role: tuple[CodeableConcept, ...] = ()


class Provenance(Wire, frozen=True):
    """Provenance."""

    target: tuple[Reference, ...] = ()
    recorded: str | None = None
    activity: CodeableConcept | None = None
    reason: tuple[CodeableConcept, ...] = ()
    agent: tuple[ProvenanceAgent, ...] = ()


class ImagingSeries(Wire, frozen=True):
    """ImagingStudy.series."""

    modality: Coding | None = None
    body_site: Coding | None = None
    number_of_instances: int | None = None


class ImagingStudy(Wire, frozen=True):
    """ImagingStudy."""

    status: str
    subject: Reference | None = None
    encounter: Reference | None = None
    started: str | None = None
    based_on: tuple[Reference, ...] = ()
    description: str | None = None
    procedure_code: tuple[CodeableConcept, ...] = ()
    number_of_instances: int | None = None
    series: tuple[ImagingSeries, ...] = ()


class RelativeCondition(Wire, frozen=True):
    """FamilyMemberHistory.condition."""

    code: CodeableConcept = CodeableConcept()


class FamilyMemberHistory(Wire, frozen=True):
    """FamilyMemberHistory."""

    status: str
    relationship: CodeableConcept = CodeableConcept()
    name: str | None = None
    date: str | None = None
    subject: Reference | None = field(default=None, name="patient")
    condition: tuple[RelativeCondition, ...] = ()
    deceased_boolean: bool | None = None
    deceased_date: str | None = None
    deceased_string: str | None = None


class Flag(Wire, frozen=True):
    """Flag."""

    status: str
    code: CodeableConcept = CodeableConcept()
    category: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    encounter: Reference | None = None
    period: Extent | None = None


class RelatedPerson(Wire, frozen=True):
    """RelatedPerson."""

    subject: Reference | None = field(default=None, name="patient")
    active: bool = True
    name: tuple[HumanName, ...] = ()
    relationship: tuple[CodeableConcept, ...] = ()
    telecom: tuple[ContactPoint, ...] = ()
    period: Extent | None = None


class AnswerItem(Wire, frozen=True):
    """QuestionnaireResponse.item; its answers are read as JSON objects."""

    link_id: str = ""
    text: str | None = None
    answer: tuple[dict[str, Raw], ...] = ()
    item: tuple["AnswerItem", ...] = ()


class QuestionnaireResponse(Wire, frozen=True):
    """QuestionnaireResponse."""

    status: str
    questionnaire: str | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    authored: str | None = None
    item: tuple[AnswerItem, ...] = ()


class RiskPrediction(Wire, frozen=True):
    """RiskAssessment.prediction."""

    outcome: CodeableConcept | None = None
    qualitative_risk: CodeableConcept | None = None
    probability_decimal: Raw = ABSENT
    probability_range: Range | None = None


class RiskAssessment(Wire, frozen=True):
    """RiskAssessment."""

    status: str
    code: CodeableConcept | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Extent | None = None
    prediction: tuple[RiskPrediction, ...] = ()
    mitigation: str | None = None


class Whose(Wire, frozen=True):
    """Any resource: whose it is and when it is from, wherever its type says so."""

    subject: Raw = ABSENT
    patient: Raw = ABSENT
    beneficiary: Raw = ABSENT
    whom: Raw = field(default=ABSENT, name="for")
    status: Raw = ABSENT
    date: Raw = ABSENT
    created: Raw = ABSENT
    authored_on: Raw = ABSENT
    recorded: Raw = ABSENT
    date_time: Raw = ABSENT
    start: Raw = ABSENT
    sent: Raw = ABSENT
