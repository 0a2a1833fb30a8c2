"""FHIR R4 resources of teams, orders, places, medicines and money, with the members we use."""

from msgspec import Raw, field

from adapters.fhir.resources import (
    ABSENT,
    Address,
    BusinessIdentifier,
    CodeableConcept,
    ContactPoint,
    Dosage,
    Extent,
    Measure,
    Medication,
    Reference,
    Wire,
)
from adapters.fhir.resources.record import Actor


class TeamMember(Wire, frozen=True):
    """CareTeam.participant."""

    role: tuple[CodeableConcept, ...] = ()
    member: Reference | None = None
    period: Extent | None = None


class CareTeam(Wire, frozen=True):
    """CareTeam."""

    status: str | None = None
    name: str | None = None
    subject: Reference | None = None
    period: Extent | None = None
    participant: tuple[TeamMember, ...] = ()
    reason_code: tuple[CodeableConcept, ...] = ()
    managing_organization: tuple[Reference, ...] = ()


class EpisodeOfCare(Wire, frozen=True):
    """EpisodeOfCare."""

    status: str
    type: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = field(default=None, name="patient")
    period: Extent | None = None
    care_manager: Reference | None = None
    managing_organization: Reference | None = None


class ServiceRequest(Wire, frozen=True):
    """ServiceRequest."""

    status: str
    intent: str | None = None
    priority: str | None = None
    code: CodeableConcept | None = None
    category: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    encounter: Reference | None = None
    authored_on: str | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Extent | None = None
    requester: Reference | None = None
    performer: tuple[Reference, ...] = ()
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()


class Location(Wire, frozen=True):
    """Location."""

    name: str | None = None
    status: str | None = None
    description: str | None = None
    identifier: tuple[BusinessIdentifier, ...] = ()
    type: tuple[CodeableConcept, ...] = ()
    telecom: tuple[ContactPoint, ...] = ()
    address: Address | None = None
    managing_organization: Reference | None = None


class PractitionerRole(Wire, frozen=True):
    """PractitionerRole."""

    active: bool = True
    practitioner: Reference | None = None
    organization: Reference | None = None
    location: tuple[Reference, ...] = ()
    code: tuple[CodeableConcept, ...] = ()
    specialty: tuple[CodeableConcept, ...] = ()
    telecom: tuple[ContactPoint, ...] = ()
    period: Extent | None = None


class AdministeredDose(Wire, frozen=True):
    """MedicationAdministration.dosage."""

    text: str | None = None
    route: CodeableConcept | None = None
    dose: Measure | None = None


class MedicineTaken(Wire, frozen=True):
    """MedicationStatement, MedicationDispense or MedicationAdministration."""

    status: str
    contained: tuple[Medication, ...] = ()
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    context: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Extent | None = None
    date_asserted: str | None = None
    when_prepared: str | None = None
    when_handed_over: str | None = None
    information_source: Reference | None = None
    performer: tuple[Actor, ...] = ()
    reason_code: tuple[CodeableConcept, ...] = ()
    status_reason_codeable_concept: CodeableConcept | None = None
    dosage_instruction: tuple[Dosage, ...] = ()
    dosage: Raw = ABSENT
    quantity: Measure | None = None
    days_supply: Measure | None = None


class Money(Wire, frozen=True):
    """Money; `value` is the JSON token."""

    value: Raw = ABSENT
    currency: str | None = None


class Total(Wire, frozen=True):
    """A total of an answered claim."""

    category: CodeableConcept | None = None
    amount: Money = Money()


class Coverage(Wire, frozen=True):
    """Coverage."""

    status: str
    type: CodeableConcept | None = None
    subject: Reference | None = field(default=None, name="beneficiary")
    subscriber_id: str | None = None
    relationship: CodeableConcept | None = None
    period: Extent | None = None
    payor: tuple[Reference, ...] = ()


class Claim(Wire, frozen=True):
    """Claim, ClaimResponse, ExplanationOfBenefit and eligibility requests and answers."""

    status: str
    type: CodeableConcept | None = None
    use: str | None = None
    outcome: str | None = None
    subject: Reference | None = field(default=None, name="patient")
    created: str | None = None
    billable_period: Extent | None = None
    insurer: Reference | None = None
    provider: Reference | None = None
    requestor: Reference | None = None
    total: Raw = ABSENT
    item: tuple[Raw, ...] = ()
