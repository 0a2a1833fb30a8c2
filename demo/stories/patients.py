"""Who the people are: the FHIR Patient of a story, in the shape of the US Core profile."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from demo.stories.clinics import Clinic, Json, address
from demo.stories.codes import Coding, hl7

_US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/"
_OMB: Final = "urn:oid:2.16.840.1.113883.6.238"
_RACES: Final = {
    "white": ("2106-3", "White"),
    "black": ("2054-5", "Black or African American"),
    "asian": ("2028-9", "Asian"),
    "other": ("2131-1", "Other Race"),
}
_LANGUAGES: Final = {"en": "English", "es": "Spanish", "ar": "Arabic", "zh": "Chinese"}


@dataclass(frozen=True, slots=True)
class Relative:
    """Someone to call: `role` is a v3-RoleCode such as MTH or DAU."""

    given: str
    family: str
    role: str
    relation: str
    phone: str


@dataclass(frozen=True, slots=True)
class Person:
    """The demographics of a patient; `gender` is male or female, `born` an ISO date."""

    given: str
    family: str
    gender: str
    born: str
    mrn: str
    street: str
    phone: str
    language: str = "en"
    race: str = "white"
    hispanic: bool = False
    relative: Relative | None = None

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.given} {self.family}"

    def age_on(self, day: date) -> int:
        """Full years of age on a day."""
        born = date.fromisoformat(self.born)
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day))

    def resource(self, identity: str, clinic: Clinic, organization: Json) -> Json:
        """The FHIR Patient with that id, registered at that clinic."""
        found: Json = {
            "resourceType": "Patient",
            "id": identity,
            "extension": self._extensions(),
            "identifier": [
                {
                    "use": "usual",
                    "type": {"coding": [hl7("v2-0203", "MR", "Medical record number").fhir]},
                    "system": clinic.mrn_system,
                    "value": self.mrn,
                    "assigner": {"display": clinic.name},
                }
            ],
            "active": True,
            "name": [{"use": "official", "family": self.family, "given": [self.given]}],
            "telecom": self._telecom(),
            "gender": self.gender,
            "birthDate": self.born,
            "address": [address(self.street, clinic.city, clinic.postal_code)],
            "communication": [{"language": self._language(), "preferred": True}],
            "managingOrganization": organization,
        }
        if self.relative:
            found["contact"] = [_contact(self.relative)]
        return found

    def _telecom(self) -> list[Json]:
        mail = f"{self.given}.{self.family}@example.org".lower()
        return [
            {"system": "phone", "value": self.phone, "use": "mobile"},
            {"system": "email", "value": mail, "use": "home"},
        ]

    def _language(self) -> Json:
        shown = _LANGUAGES[self.language]
        return {"coding": [Coding("urn:ietf:bcp:47", self.language, shown).fhir], "text": shown}

    def _extensions(self) -> list[Json]:
        ethnicity = (
            ("2135-2", "Hispanic or Latino")
            if self.hispanic
            else ("2186-5", "Non Hispanic or Latino")
        )
        return [
            _omb_extension("us-core-race", *_RACES[self.race]),
            _omb_extension("us-core-ethnicity", *ethnicity),
            {"url": f"{_US_CORE}us-core-birthsex", "valueCode": self.gender[0].upper()},
        ]


def _omb_extension(profile: str, code: str, display: str) -> Json:
    return {
        "url": _US_CORE + profile,
        "extension": [
            {"url": "ombCategory", "valueCoding": Coding(_OMB, code, display).fhir},
            {"url": "text", "valueString": display},
        ],
    }


def _contact(relative: Relative) -> Json:
    role = hl7("v3-RoleCode", relative.role, relative.relation)
    return {
        "relationship": [{"coding": [role.fhir], "text": relative.relation}],
        "name": {"use": "official", "family": relative.family, "given": [relative.given]},
        "telecom": [{"system": "phone", "value": relative.phone, "use": "mobile"}],
    }
