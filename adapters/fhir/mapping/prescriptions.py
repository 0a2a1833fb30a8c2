"""MedicationRequest, -Statement, -Dispense and -Administration as medicines."""

from collections.abc import Iterable

from msgspec import json

from adapters.fhir import resources
from adapters.fhir.mapping.dosage import directions
from adapters.fhir.mapping.plans import span
from adapters.fhir.mapping.values import (
    Unusable,
    concepts,
    is_given,
    moment,
    quantity,
    some_concept,
)
from adapters.fhir.resources import care
from domain.kernel.values import Concept
from domain.prescriptions import MedicationOrder

Medicated = resources.MedicationRequest | care.MedicineTaken


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
        directions=tuple(filter(None, map(directions, given.dosage_instruction))),
        reasons=(*concepts(given.reason_code), *concepts(reasons)),
        requester=requester,
        encounter=encounter,
        by=given.requester.display if given.requester else None,
        why_status=some_concept(given.status_reason),
    )


def taken(
    given: care.MedicineTaken,
    kind: str,
    *,
    medication: resources.CodeableConcept | None = None,
    encounter: str | None = None,
) -> MedicationOrder:
    """A statement, dispense or administration. Raises Unusable without a medication."""
    who = [given.information_source, *(one.actor for one in given.performer)]
    handed = moment(given.when_handed_over or given.when_prepared or given.date_asserted)
    return MedicationOrder(
        medication=_medication(given, medication),
        status=given.status,
        kind=kind,
        authored=handed,
        effective=span(given.effective_date_time, given.effective_period),
        directions=tuple(filter(None, map(directions, _dosages(given)))),
        reasons=concepts(given.reason_code),
        encounter=encounter,
        quantity=quantity(given.quantity),
        days_supply=quantity(given.days_supply),
        by=next((one.display for one in who if one and one.display), None),
        why_status=some_concept(given.status_reason_codeable_concept),
    )


def _dosages(given: care.MedicineTaken) -> tuple[resources.Dosage, ...]:
    """Of a dispense, of a statement (a list), or of an administration (one of another shape)."""
    if given.dosage_instruction or not is_given(given.dosage):
        return given.dosage_instruction
    if bytes(given.dosage).startswith(b"["):
        return json.decode(given.dosage, type=tuple[resources.Dosage, ...])
    one = resources.decode(given.dosage, care.AdministeredDose)
    dose = (resources.DoseAndRate(dose_quantity=one.dose),) if one.dose else ()
    return (resources.Dosage(text=one.text, route=one.route, dose_and_rate=dose),)


def contained_medication(given: Medicated) -> resources.CodeableConcept | None:
    """The code of the contained Medication that the request points at with `#id`."""
    pointer = given.medication_reference and given.medication_reference.reference
    return next((one.code for one in given.contained if f"#{one.id}" == pointer), None)


def _medication(given: Medicated, referenced: resources.CodeableConcept | None) -> Concept:
    named = given.medication_reference and given.medication_reference.display
    coded = some_concept(given.medication_codeable_concept or referenced)
    if coded is None and named:
        coded = Concept(text=named)
    if coded is None:
        raise Unusable("no-medication")
    return coded
