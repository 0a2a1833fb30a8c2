"""MedicationRequest as a medication order."""

from collections.abc import Iterable

from adapters.fhir import resources
from adapters.fhir.mapping.values import Unusable, concepts, moment, some_concept
from domain.kernel.values import Concept
from domain.prescriptions import MedicationOrder


def order(
    given: resources.MedicationRequest,
    *,
    medication: resources.CodeableConcept | None = None,
    reasons: Iterable[resources.CodeableConcept] = (),
    requester: str | None = None,
    encounter: str | None = None,
) -> MedicationOrder:
    """`medication` and `reasons` are codes of the resources that the request refers to.

    Raises Unusable where nothing says which medication.
    """
    return MedicationOrder(
        medication=_medication(given, medication),
        status=given.status,
        intent=given.intent,
        authored=moment(given.authored_on),
        directions=tuple(
            filter(None, (one.text or one.patient_instruction for one in given.dosage_instruction))
        ),
        reasons=(*concepts(given.reason_code), *concepts(reasons)),
        requester=requester,
        encounter=encounter,
    )


def contained_medication(given: resources.MedicationRequest) -> resources.CodeableConcept | None:
    """The code of the contained Medication that the request points at with `#id`."""
    pointer = given.medication_reference and given.medication_reference.reference
    return next((one.code for one in given.contained if f"#{one.id}" == pointer), None)


def _medication(
    given: resources.MedicationRequest, referenced: resources.CodeableConcept | None
) -> Concept:
    named = given.medication_reference and given.medication_reference.display
    coded = some_concept(given.medication_codeable_concept or referenced)
    if coded is None and named:
        coded = Concept(text=named)
    if coded is None:
        raise Unusable("no-medication")
    return coded
