"""A chart under construction: each method adds what one moment of care leaves behind."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from demo.stories.analytes import Panel, Result
from demo.stories.clinics import Json, local_time
from demo.stories.codes import NO_KNOWN_ALLERGY, TERMINOLOGY, Coding, Problem, hl7
from demo.stories.observations import laboratory_fields
from demo.stories.panels import ANALYTES
from demo.stories.patients import Person
from demo.stories.record import Record, concept
from demo.stories.results import with_derived, with_unremarkable
from demo.stories.visits import Visit

_PROBLEM_LIST_ITEM = hl7("condition-category", "problem-list-item", "Problem List Item")
_LAB_DELAY = timedelta(hours=22, minutes=25)


class Chart(Record):
    """A record with problems, allergies, vaccines, prescriptions and laboratory reports."""

    def condition(
        self, visit: Visit, problem: Problem, *, onset: str = "", abated: str = ""
    ) -> None:
        """A problem-list entry; it is resolved on `abated`, if given."""
        dates = {"abatementDateTime": abated} if abated else {}
        self.add(
            "Condition",
            visit.labels,
            clinicalStatus=_status("condition-clinical", "resolved" if abated else "active"),
            verificationStatus=_status("condition-ver-status", "confirmed"),
            category=[concept(hl7("condition-category", "problem-list-item", "Problem List Item"))],
            code=concept(problem.snomed, problem.icd10, text=problem.text),
            subject=self.patient,
            encounter=visit.reference,
            onsetDateTime=onset or visit.day,
            recordedDate=visit.start.isoformat(),
            recorder=visit.clinician,
            **dates,
        )

    def allergy(
        self,
        visit: Visit,
        allergen: Coding,
        reaction: Coding,
        *,
        severity: str = "mild",
        criticality: str = "low",
        kind: str = "medication",
        onset: str = "",
    ) -> None:
        """A confirmed allergy; `kind` is medication, food or environment."""
        self.add(
            "AllergyIntolerance",
            visit.labels,
            **_asked(self, visit, allergen),
            type="allergy",
            category=[kind],
            criticality=criticality,
            reaction=[{"manifestation": [concept(reaction)], "severity": severity}],
            **({"onsetDateTime": onset} if onset else {}),
        )

    def no_known_allergies(self, visit: Visit) -> None:
        """The statement that the patient was asked and has no allergy."""
        self.add("AllergyIntolerance", visit.labels, **_asked(self, visit, NO_KNOWN_ALLERGY))

    def vaccine(self, when: str, vaccine: Coding, dose: int | None = None) -> None:
        """A vaccination given at the clinic on the day `when`, at ten in the morning."""
        given = local_time(f"{when} 10:00").isoformat()
        protocol = {"protocolApplied": [{"doseNumberPositiveInt": dose}]} if dose else {}
        self.add("Immunization", (), **_immunization(self, vaccine, given), **protocol)

    def medication(
        self,
        visit: Visit,
        drug: Coding,
        directions: str,
        *,
        stopped: str = "",
        why_stopped: str = "",
    ) -> None:
        """A prescription written at the visit; no longer valid from the day `stopped`."""
        validity = {"start": visit.day} | ({"end": stopped} if stopped else {})
        self.add(
            "MedicationRequest",
            visit.labels,
            status="stopped" if stopped else "active",
            **({"statusReason": {"text": why_stopped}} if why_stopped else {}),
            intent="order",
            medicationCodeableConcept=concept(drug),
            subject=self.patient,
            encounter=visit.reference,
            authoredOn=visit.start.isoformat(),
            requester=visit.clinician,
            dosageInstruction=[{"text": directions}],
            dispenseRequest={"validityPeriod": validity},
        )

    def lab_panel(
        self,
        visit: Visit,
        panel: Panel,
        values: Mapping[str, Result],
        *,
        status: str = "final",
        minutes: int = 20,
        issued: timedelta = _LAB_DELAY,
        conclusion: str = "",
        corrected: str = "",
        labels: tuple[Coding, ...] = (),
    ) -> None:
        """A report and one result for each value, in the order of the panel.

        The specimen is taken `minutes` after the visit starts; the report leaves `issued` later.
        `corrected` names the value that replaces one reported before; the others are final.
        """
        taken = visit.start + timedelta(minutes=minutes)
        labels = tuple(dict.fromkeys(visit.labels + labels))
        timing = _timing(self, visit, taken, taken + issued)
        results = _results(self.person, panel, values, taken)
        statuses = ["corrected" if key == corrected else status for key, _ in results]
        report: Json = {
            "status": "corrected" if corrected else status,
            "category": [concept(panel.report_category)],
            "code": concept(panel.code, text=panel.name),
            "result": [
                self.add("Observation", labels, status=each, **fields, **timing)
                for (_, fields), each in zip(results, statuses, strict=True)
            ],
        }
        ending = {"conclusion": conclusion} if conclusion else {}
        self.add("DiagnosticReport", labels, **report, **timing, **ending)


def _asked(record: Record, visit: Visit, code: Coding) -> Json:
    return {
        "clinicalStatus": _status("allergyintolerance-clinical", "active"),
        "verificationStatus": _status("allergyintolerance-verification", "confirmed"),
        "code": concept(code),
        "patient": record.patient,
        "encounter": visit.reference,
        "recordedDate": visit.start.isoformat(),
        "recorder": visit.clinician,
    }


def _immunization(record: Record, vaccine: Coding, given: str) -> Json:
    return {
        "status": "completed",
        "vaccineCode": concept(vaccine),
        "patient": record.patient,
        "occurrenceDateTime": given,
        "recorded": given,
        "primarySource": True,
        "performer": [{"actor": record.organization}],
    }


def _timing(record: Record, visit: Visit, taken: datetime, issued: datetime) -> Json:
    return {
        "subject": record.patient,
        "encounter": visit.reference,
        "effectiveDateTime": taken.isoformat(),
        "issued": issued.isoformat(),
        "performer": [record.organization],
    }


def _results(
    person: Person, panel: Panel, values: Mapping[str, Result], taken: datetime
) -> list[tuple[str, Json]]:
    age = person.age_on(taken.date())
    specimen = f"{person.mrn}/{taken.isoformat()}"
    known = with_derived(with_unremarkable(values, panel.analytes, specimen), age, person.gender)
    return [
        (key, laboratory_fields(panel, ANALYTES[key], known[key], age, person.gender))
        for key in panel.analytes
        if key in known
    ]


def _status(system: str, code: str) -> Json:
    return {"coding": [{"system": TERMINOLOGY + system, "code": code}]}
