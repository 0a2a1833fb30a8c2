"""The growing record of one patient: visits and what was seen, measured and asked in them.

Ids are version 5 UUIDs of the story key, the resource type and the order of addition, so that a
story gives the same bytes in every run.
"""

from collections import Counter
from datetime import timedelta

from demo.stories.clinics import NPI, Clinic, Json, local_time, stable_id
from demo.stories.codes import LOINC, Coding, hl7
from demo.stories.observations import (
    BLOOD_PRESSURE,
    SURVEYS,
    blood_pressure,
    category,
    quantity,
    vital_signs,
)
from demo.stories.patients import Person
from demo.stories.visits import Kind, Visit


class Record:
    """Collects resources of one patient of one clinic into a FHIR R4 `transaction` Bundle."""

    def __init__(self, key: str, person: Person, clinic: Clinic) -> None:
        self.key = key
        self.person = person
        self.clinic = clinic
        self._numbers: Counter[str] = Counter()
        self._resources: list[Json] = []
        self._shared: dict[str, Json] = {}
        self.organization = self.share(clinic.organization())
        identity = stable_id(f"{key}/Patient")
        self.patient: Json = {"reference": f"urn:uuid:{identity}", "display": person.name}
        self._resources.append(person.resource(identity, clinic, self.organization))

    def visit(
        self,
        when: str,
        kind: Kind,
        by: str,
        reason: str,
        *,
        minutes: int | None = None,
        labels: tuple[Coding, ...] = (),
    ) -> Visit:
        """An encounter that starts at local time `when`; `by` is the clinician's key."""
        start = local_time(when)
        clinician = self.share(self.clinic.practitioner(by))
        end = start + timedelta(minutes=kind.minutes if minutes is None else minutes)
        reference = self.add(
            "Encounter",
            labels,
            status="finished",
            **{"class": hl7("v3-ActCode", *kind.encounter_class).fhir},
            type=[concept(kind.type)],
            subject=self.patient,
            participant=[{"individual": clinician}],
            period={"start": start.isoformat(), "end": end.isoformat()},
            reasonCode=[{"text": reason}],
            serviceProvider=self.organization,
        )
        return Visit(reference, clinician, start, labels)

    def vitals(self, visit: Visit, pressure: str = "", **measured: float) -> None:
        """Vital signs: `pressure` as 132/78 in mmHg, others by the names of `VITALS`."""
        kind = category("vital-signs", "Vital Signs")
        if pressure:
            parts = blood_pressure(pressure)
            self._observe(visit, BLOOD_PRESSURE, "Blood pressure", kind, component=parts)
        for vital, value in vital_signs(measured):
            shown = quantity(value, vital.unit, vital.shown)
            self._observe(visit, vital.code, vital.code.plain, kind, valueQuantity=shown)

    def smoking(self, visit: Visit, status: Coding) -> None:
        """The tobacco status."""
        code = Coding(LOINC, "72166-2", "Tobacco smoking status")
        kind = category("social-history", "Social History")
        self._observe(visit, code, "Smoking status", kind, valueCodeableConcept=concept(status))

    def survey(self, visit: Visit, instrument: str, score: int, meaning: str) -> None:
        """The total score of a questionnaire named in `SURVEYS`."""
        self._observe(
            visit,
            SURVEYS[instrument],
            f"{instrument} score",
            category("survey", "Survey"),
            valueQuantity=quantity(score, "{score}"),
            interpretation=[{"text": meaning}],
        )

    def finding(self, visit: Visit, code: Coding, answer: Coding) -> None:
        """What an examination showed, as one coded answer."""
        kind = category("exam", "Exam")
        self._observe(visit, code, code.plain, kind, valueCodeableConcept=concept(answer))

    def bundle(self) -> Json:
        """The transaction Bundle: organisation, clinicians, patient, then everything else."""
        return {
            "resourceType": "Bundle",
            "id": stable_id(f"{self.key}/Bundle"),
            "type": "transaction",
            "entry": [_entry(found) for found in (*self._shared.values(), *self._resources)],
        }

    def _observe(
        self, visit: Visit, code: Coding, text: str, kind: list[Json], **value: object
    ) -> None:
        self.add(
            "Observation",
            visit.labels,
            status="final",
            category=kind,
            code=concept(code, text=text),
            subject=self.patient,
            encounter=visit.reference,
            effectiveDateTime=visit.start.isoformat(),
            performer=[visit.clinician],
            **value,
        )

    def add(self, resource_type: str, labels: tuple[Coding, ...], /, **fields: object) -> Json:
        """A resource of this patient; returns the reference to it."""
        self._numbers[resource_type] += 1
        identity = stable_id(f"{self.key}/{resource_type}/{self._numbers[resource_type]}")
        meta = {"meta": {"security": [label.fhir for label in labels]}} if labels else {}
        self._resources.append({"resourceType": resource_type, "id": identity, **meta, **fields})
        return {"reference": f"urn:uuid:{identity}"}

    def share(self, resource: Json) -> Json:
        """A resource of the clinic, once; returns the reference to it."""
        identity = str(resource["id"])
        self._shared.setdefault(identity, resource)
        return {"reference": f"urn:uuid:{identity}"}


def concept(*codings: Coding, text: str = "") -> Json:
    """A FHIR CodeableConcept; its text is the first plain display unless given."""
    return {"coding": [coding.fhir for coding in codings], "text": text or codings[0].plain}


def _entry(resource: Json) -> Json:
    kind = str(resource["resourceType"])
    request: Json = {"method": "POST", "url": kind}
    if kind in ("Organization", "Practitioner"):
        match resource["identifier"]:
            case [{"value": str(number)}]:
                # Several bundles bring the same clinic: create it once (FHIR R4 3.1.0.8.1).
                request["ifNoneExist"] = f"identifier={NPI}|{number}"
    return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource, "request": request}
