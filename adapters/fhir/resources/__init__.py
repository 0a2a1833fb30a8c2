"""FHIR R4 resources as they come over the wire (hl7.org/fhir/R4), with the members we use.

Members that the domain cannot do without are required, so a resource that lacks one does not
decode. Other members of a resource stay in its received bytes. Numbers are raw JSON tokens:
`1.10` and `1e3` mean what they mean by how they are written.
"""

from typing import Any, TypeVar

import msgspec
from msgspec import Raw, field

from domain.kernel.values import Coding

ABSENT = Raw(b"")


class Wire(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A FHIR element or resource."""


class Extent(Wire, frozen=True):
    """Period: two dateTimes as written."""

    start: str | None = None
    end: str | None = None


class CodeableConcept(Wire, frozen=True):
    """Codings of one meaning."""

    coding: tuple[Coding, ...] = ()
    text: str | None = None


class Measure(Wire, frozen=True):
    """Quantity; `value` is the JSON token."""

    value: Raw = ABSENT
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class BusinessIdentifier(Wire, frozen=True):
    """Identifier; `use` `old` and `temp` name nothing for good."""

    use: str | None = None
    type: CodeableConcept | None = None
    system: str | None = None
    value: str | None = None


class Reference(Wire, frozen=True):
    """A pointer by text (urn:uuid:, Type/id, Type?identifier=system|value) or by identifier."""

    reference: str | None = None
    identifier: BusinessIdentifier | None = None
    display: str | None = None


class HumanName(Wire, frozen=True):
    """A name; `use` `old` and `maiden` are former names."""

    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()


class ContactPoint(Wire, frozen=True):
    """A telephone number, mail address or the like."""

    value: str | None = None


class Address(Wire, frozen=True):
    """A postal address."""

    text: str | None = None
    line: tuple[str, ...] = ()
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


class Attachment(Wire, frozen=True):
    """Content: its media type, and its data (base64) or the address where it lies."""

    content_type: str | None = None
    data: str | None = None
    url: str | None = None


class Communication(Wire, frozen=True):
    """A language of a patient."""

    language: CodeableConcept
    preferred: bool = False


class Patient(Wire, frozen=True):
    """Patient."""

    identifier: tuple[BusinessIdentifier, ...] = ()
    name: tuple[HumanName, ...] = ()
    telecom: tuple[ContactPoint, ...] = ()
    gender: str | None = None
    birth_date: str | None = None
    deceased_boolean: bool = False
    deceased_date_time: str | None = None
    address: tuple[Address, ...] = ()
    communication: tuple[Communication, ...] = ()


class Organization(Wire, frozen=True):
    """Organization."""

    identifier: tuple[BusinessIdentifier, ...] = ()
    type: tuple[CodeableConcept, ...] = ()
    name: str | None = None
    alias: tuple[str, ...] = ()
    telecom: tuple[ContactPoint, ...] = ()
    address: tuple[Address, ...] = ()


class Practitioner(Wire, frozen=True):
    """Practitioner."""

    identifier: tuple[BusinessIdentifier, ...] = ()
    name: tuple[HumanName, ...] = ()
    telecom: tuple[ContactPoint, ...] = ()
    gender: str | None = None


class Participant(Wire, frozen=True):
    """Who took part in an encounter."""

    individual: Reference | None = None


class Encounter(Wire, frozen=True):
    """Encounter."""

    status: str
    kind: Coding | None = field(default=None, name="class")
    type: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    participant: tuple[Participant, ...] = ()
    period: Extent | None = None
    reason_code: tuple[CodeableConcept, ...] = ()
    service_provider: Reference | None = None


class Condition(Wire, frozen=True):
    """Condition."""

    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    category: tuple[CodeableConcept, ...] = ()
    code: CodeableConcept = CodeableConcept()
    subject: Reference | None = None
    encounter: Reference | None = None
    onset_date_time: str | None = None
    onset_period: Extent | None = None
    abatement_date_time: str | None = None
    abatement_period: Extent | None = None
    recorded_date: str | None = None


class AllergicReaction(Wire, frozen=True):
    """What a substance did."""

    manifestation: tuple[CodeableConcept, ...] = ()
    severity: str | None = None


class AllergyIntolerance(Wire, frozen=True):
    """AllergyIntolerance."""

    clinical_status: CodeableConcept | None = None
    verification_status: CodeableConcept | None = None
    type: str | None = None
    category: tuple[str, ...] = ()
    criticality: str | None = None
    code: CodeableConcept = CodeableConcept()
    subject: Reference | None = field(default=None, name="patient")
    encounter: Reference | None = None
    recorded_date: str | None = None
    reaction: tuple[AllergicReaction, ...] = ()


class Immunization(Wire, frozen=True):
    """Immunization."""

    status: str
    vaccine_code: CodeableConcept
    subject: Reference | None = field(default=None, name="patient")
    encounter: Reference | None = None
    occurrence_date_time: str | None = None
    primary_source: bool | None = None
    lot_number: str | None = None


class Range(Wire, frozen=True):
    """Observation.referenceRange."""

    low: Measure | None = None
    high: Measure | None = None
    text: str | None = None


class Ratio(Wire, frozen=True):
    """One amount to another."""

    numerator: Measure | None = None
    denominator: Measure | None = None


class SampledData(Wire, frozen=True):
    """A series of measured values."""

    origin: Measure | None = None
    period: Raw = ABSENT
    data: str | None = None


class Valued(Wire, frozen=True):
    """Code and value[x] of an observation or a component, and why there is no value."""

    code: CodeableConcept
    value_quantity: Measure | None = None
    value_codeable_concept: CodeableConcept | None = None
    value_string: str | None = None
    value_boolean: bool | None = None
    value_integer: Raw = ABSENT
    value_range: Raw = ABSENT
    value_ratio: Raw = ABSENT
    value_sampled_data: Raw = ABSENT
    value_time: Raw = ABSENT
    value_date_time: Raw = ABSENT
    value_period: Raw = ABSENT
    data_absent_reason: CodeableConcept | None = None
    interpretation: tuple[CodeableConcept, ...] = ()
    reference_range: tuple[Range, ...] = ()


class Observation(Valued, frozen=True, kw_only=True):
    """Observation."""

    status: str
    category: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    encounter: Reference | None = None
    effective_date_time: str | None = None
    effective_instant: str | None = None
    effective_period: Extent | None = None
    issued: str | None = None
    performer: tuple[Reference, ...] = ()
    based_on: tuple[Reference, ...] = ()
    component: tuple[Valued, ...] = ()


class DiagnosticReport(Wire, frozen=True):
    """DiagnosticReport."""

    status: str
    code: CodeableConcept
    category: tuple[CodeableConcept, ...] = ()
    subject: Reference | None = None
    encounter: Reference | None = None
    effective_date_time: str | None = None
    effective_period: Extent | None = None
    issued: str | None = None
    performer: tuple[Reference, ...] = ()
    result: tuple[Reference, ...] = ()
    based_on: tuple[Reference, ...] = ()
    conclusion: str | None = None
    presented_form: tuple[Attachment, ...] = ()


class Medication(Wire, frozen=True):
    """Medication, also where it is contained in a MedicationRequest."""

    id: str | None = None
    code: CodeableConcept | None = None


class Coded(Wire, frozen=True):
    """Any resource that is pointed at for its code."""

    code: CodeableConcept | None = None


class Repeat(Wire, frozen=True):
    """Timing.repeat; numbers are JSON tokens."""

    bounds_duration: Measure | None = None
    bounds_period: Extent | None = None
    count: Raw = ABSENT
    duration: Raw = ABSENT
    duration_unit: str | None = None
    frequency: Raw = ABSENT
    frequency_max: Raw = ABSENT
    period: Raw = ABSENT
    period_max: Raw = ABSENT
    period_unit: str | None = None
    day_of_week: tuple[str, ...] = ()
    time_of_day: tuple[str, ...] = ()
    when: tuple[str, ...] = ()


class Timing(Wire, frozen=True):
    """When something is to happen."""

    repeat: Repeat | None = None
    code: CodeableConcept | None = None


class DoseAndRate(Wire, frozen=True):
    """Dosage.doseAndRate."""

    dose_quantity: Measure | None = None
    dose_range: Range | None = None
    rate_ratio: Ratio | None = None
    rate_quantity: Measure | None = None


class Dosage(Wire, frozen=True):
    """A dosage instruction in words, in structure, or both."""

    text: str | None = None
    patient_instruction: str | None = None
    additional_instruction: tuple[CodeableConcept, ...] = ()
    timing: Timing | None = None
    as_needed_boolean: bool = False
    as_needed_codeable_concept: CodeableConcept | None = None
    route: CodeableConcept | None = None
    dose_and_rate: tuple[DoseAndRate, ...] = ()


class MedicationRequest(Wire, frozen=True):
    """MedicationRequest."""

    status: str
    intent: str | None = None
    contained: tuple[Medication, ...] = ()
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    subject: Reference | None = None
    encounter: Reference | None = None
    authored_on: str | None = None
    requester: Reference | None = None
    status_reason: CodeableConcept | None = None
    reason_code: tuple[CodeableConcept, ...] = ()
    reason_reference: tuple[Reference, ...] = ()
    dosage_instruction: tuple[Dosage, ...] = ()


W = TypeVar("W", bound=Wire)


_decoders: dict[type[Wire], msgspec.json.Decoder[Any]] = {}


def decode(content: bytes | Raw, kind: type[W]) -> W:
    """Raises msgspec.DecodeError or UnicodeDecodeError for content of another shape."""
    if kind not in _decoders:
        _decoders[kind] = msgspec.json.Decoder(kind)
    decoder: msgspec.json.Decoder[W] = _decoders[kind]
    return decoder.decode(content)
