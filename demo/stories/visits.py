"""Visits and their kinds: the moments of care that a chart is made of."""

from dataclasses import dataclass
from datetime import datetime

from demo.stories.clinics import Json
from demo.stories.codes import Coding, snomed

_AMBULATORY = ("AMB", "ambulatory")
_EMERGENCY = ("EMER", "emergency")
_INPATIENT = ("IMP", "inpatient encounter")
_VIRTUAL = ("VR", "virtual")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of visit: its v3-ActCode class, its SNOMED CT type and its usual length."""

    encounter_class: tuple[str, str]
    type: Coding
    minutes: int


CHECKUP = Kind(
    _AMBULATORY, snomed("185349003", "Encounter for check up (procedure)", "Check-up"), 40
)
FOLLOW_UP = Kind(
    _AMBULATORY, snomed("390906007", "Follow-up encounter (procedure)", "Follow-up"), 25
)
PROBLEM_VISIT = Kind(
    _AMBULATORY, snomed("185347001", "Encounter for problem (procedure)", "Visit"), 25
)
VIDEO = Kind(
    _VIRTUAL,
    snomed("448337001", "Telemedicine consultation with patient (procedure)", "Video visit"),
    20,
)
EMERGENCY = Kind(
    _EMERGENCY, snomed("50849002", "Emergency room admission (procedure)", "Emergency room"), 300
)
HOSPITAL_STAY = Kind(
    _INPATIENT, snomed("32485007", "Hospital admission (procedure)", "Hospital stay"), 2880
)
FIRST_PRENATAL = Kind(_AMBULATORY, snomed("424441002", "Prenatal initial visit (procedure)"), 50)
PRENATAL = Kind(_AMBULATORY, snomed("424619006", "Prenatal visit (procedure)"), 20)
WELL_CHILD = Kind(_AMBULATORY, snomed("410620009", "Well child visit (procedure)"), 30)
CONTRACEPTION = Kind(_AMBULATORY, snomed("389095005", "Contraception care (regime/therapy)"), 30)


@dataclass(frozen=True, slots=True)
class Visit:
    """A moment of care; all that is recorded in it carries its sensitivity labels."""

    reference: Json
    clinician: Json
    start: datetime
    labels: tuple[Coding, ...] = ()

    @property
    def day(self) -> str:
        """The ISO date of the visit."""
        return self.start.date().isoformat()
