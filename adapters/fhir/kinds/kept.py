"""Types that wait for a later owner: kept with their bytes, in the patient's chart if one is meant.

What is no patient's (a questionnaire, a schedule) is kept for the organisation. FHIR R4.
"""

from collections.abc import Awaitable, Callable
from hashlib import sha256

from msgspec import MsgspecError, Raw, json

from adapters.fhir.desk import Desk
from adapters.fhir.mapping.values import Unusable, is_given, moment
from adapters.fhir.reading import Entry
from adapters.fhir.resources import Reference
from adapters.fhir.resources.record import Whose
from domain.kernel.values import Moment
from domain.records import KeepResource, Resource

TYPES = (
    "Account", "ActivityDefinition", "AdverseEvent", "Appointment", "AppointmentResponse",
    "AuditEvent", "Basic", "Binary", "BiologicallyDerivedProduct", "BodyStructure", "Bundle",
    "CapabilityStatement", "CatalogEntry", "ChargeItem", "ChargeItemDefinition",
    "ClinicalImpression", "CodeSystem", "Communication", "CommunicationRequest",
    "CompartmentDefinition", "ConceptMap", "Consent", "Contract", "DetectedIssue",
    "DeviceDefinition", "DeviceMetric", "DeviceRequest", "DocumentManifest",
    "EffectEvidenceSynthesis", "Endpoint", "EnrollmentRequest", "EnrollmentResponse",
    "EventDefinition", "Evidence", "EvidenceVariable", "ExampleScenario", "GraphDefinition",
    "Group", "GuidanceResponse", "HealthcareService", "ImmunizationEvaluation",
    "ImmunizationRecommendation", "ImplementationGuide", "InsurancePlan", "Invoice", "Library",
    "Linkage", "List", "Measure", "MeasureReport", "MedicationKnowledge", "MessageDefinition",
    "MessageHeader", "MolecularSequence", "NamingSystem", "NutritionOrder",
    "ObservationDefinition", "OperationDefinition", "OperationOutcome",
    "OrganizationAffiliation", "Parameters", "PaymentNotice", "PaymentReconciliation", "Person",
    "PlanDefinition", "Questionnaire", "RequestGroup", "ResearchDefinition",
    "ResearchElementDefinition", "ResearchStudy", "ResearchSubject", "RiskEvidenceSynthesis",
    "Schedule", "SearchParameter", "Slot", "Specimen", "SpecimenDefinition",
    "StructureDefinition", "StructureMap", "Subscription", "Substance",
    "SubstanceSpecification", "SupplyRequest", "Task", "TerminologyCapabilities", "TestReport",
    "TestScript", "ValueSet", "VerificationResult", "VisionPrescription",
)  # fmt: skip


async def whose(desk: Desk, entry: Entry) -> None:
    """Keep it, in a chart where it names a patient. Raises Unusable for one nobody knows."""
    given = entry.decode(Whose)
    chart = None
    for token in (given.subject, given.patient, given.beneficiary, given.whom):
        meant = _patient(desk, token)
        if meant is not None:
            chart = await desk.chart(meant)
            break
    resource = Resource(
        type=entry.resource_type,
        status=_text(given.status),
        date=_date(given),
        digest=sha256(entry.content).hexdigest(),
    )
    command = KeepResource(
        chart=chart,
        key=desk.key(entry),
        resource=resource,
        source=await desk.origin(entry),
        labels=desk.labels(entry),
    )
    await desk.keep(chart, entry)
    await desk.do(entry, command)
    desk.settle("kept" if chart else "kept_for_the_organization", entry)


def _patient(desk: Desk, token: Raw) -> Reference | None:
    """The patient that a member points at, alone or first in a list."""
    if not is_given(token):
        return None
    try:
        if bytes(token).startswith(b"["):
            found = json.decode(token, type=tuple[Reference, ...])
        else:
            found = (json.decode(token, type=Reference),)
    except MsgspecError:
        return None
    return next((one for one in found if _is_patient(desk, one)), None)


def _is_patient(desk: Desk, reference: Reference) -> bool:
    entry = desk.references.entry(reference)
    if entry is not None:
        return entry.resource_type == "Patient"
    return (reference.reference or "").startswith(("Patient/", "Patient?"))


def _text(token: Raw) -> str | None:
    try:
        return json.decode(token, type=str) if is_given(token) else None
    except MsgspecError:
        return None


def _date(given: Whose) -> Moment | None:
    """The first date that its type has; what is no date is none."""
    dates = (
        given.date, given.created, given.authored_on, given.recorded, given.date_time, given.start,
        given.sent,
    )  # fmt: skip
    try:
        return moment(next(filter(None, map(_text, dates)), None))
    except Unusable:
        return None


async def _medication(desk: Desk, entry: Entry) -> None:
    """Left to the prescription that points at it; kept where none does."""
    named = {f'"{entry.resource_type}/{entry.id}"', f'"{entry.full_url}"'}
    wanted = [name.encode() for name in named]
    for other in desk.received.entries:
        if other.resource_type in _PRESCRIBING and any(name in other.content for name in wanted):
            return
    await whose(desk, entry)


_PRESCRIBING = frozenset(
    ("MedicationRequest", "MedicationStatement", "MedicationDispense", "MedicationAdministration")
)
FILED_BY: dict[str, Callable[[Desk, Entry], Awaitable[None]]] = {
    **dict.fromkeys(TYPES, whose),
    "Medication": _medication,
}
