"""The two organisations of the stories, their clinicians and their local clock."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from demo.stories.codes import Coding, hl7

NAMESPACE: Final = uuid.UUID("6f1c1d7e-52f5-5b0b-9a61-0c7d8a4e2b19")
NPI: Final = "http://hl7.org/fhir/sid/us-npi"
_TAXONOMY: Final = "http://nucc.org/provider-taxonomy"
_NPI_LUHN_PREFIX: Final = "80840"

Json = dict[str, object]


def stable_id(name: str) -> str:
    """The UUID (version 5) that a name has in every run."""
    return str(uuid.uuid5(NAMESPACE, name))


def npi(stem: str) -> str:
    """A ten-digit identifier from nine digits and the Luhn check digit of 45 CFR 162.406."""
    total = 0
    for place, character in enumerate(reversed(_NPI_LUHN_PREFIX + stem)):
        digit = int(character) * (2 if place % 2 == 0 else 1)
        total += digit // 10 + digit % 10
    return stem + str(-total % 10)


def local_time(text: str) -> datetime:
    """A wall-clock time of the US eastern zone, `2026-11-12 09:30`, with its offset.

    Computed from the rule in force since 2007 (second Sunday of March to first Sunday of
    November), so that no time zone database is needed.
    """
    wall = datetime.fromisoformat(text)
    spring, autumn = _sunday(wall.year, 3, 8), _sunday(wall.year, 11, 1)
    hours = -4 if spring <= wall < autumn else -5
    return wall.replace(tzinfo=timezone(timedelta(hours=hours)))


def _sunday(year: int, month: int, first_day: int) -> datetime:
    start = datetime(year, month, first_day, 2)
    return start + timedelta(days=(6 - start.weekday()) % 7)


@dataclass(frozen=True, slots=True)
class Clinician:
    """Who sees patients; `stem` is the first nine digits of the NPI."""

    key: str
    given: str
    family: str
    suffix: str
    stem: str
    specialty: Coding


@dataclass(frozen=True, slots=True)
class Clinic:
    """A tenant: its organisation, its medical record numbers and its clinicians."""

    tenant: str
    name: str
    stem: str
    mrn_system: str
    phone: str
    street: str
    city: str
    postal_code: str
    clinicians: Mapping[str, Clinician]

    def organization(self) -> Json:
        """The FHIR Organization, the same in every bundle."""
        return {
            "resourceType": "Organization",
            "id": stable_id(f"{self.tenant}/organization"),
            "identifier": [{"system": NPI, "value": npi(self.stem)}],
            "active": True,
            "type": [
                {"coding": [hl7("organization-type", "prov", "Healthcare Provider").fhir]},
            ],
            "name": self.name,
            "telecom": [{"system": "phone", "value": self.phone, "use": "work"}],
            "address": [address(self.street, self.city, self.postal_code)],
        }

    def practitioner(self, key: str) -> Json:
        """The FHIR Practitioner of that key, the same in every bundle."""
        who = self.clinicians[key]
        return {
            "resourceType": "Practitioner",
            "id": stable_id(f"{self.tenant}/practitioner/{key}"),
            "identifier": [{"system": NPI, "value": npi(who.stem)}],
            "active": True,
            "name": [
                {
                    "use": "official",
                    "text": f"{who.given} {who.family}, {who.suffix}",
                    "family": who.family,
                    "given": [who.given],
                    "suffix": [who.suffix],
                }
            ],
            "qualification": [
                {"code": {"coding": [who.specialty.fhir], "text": who.specialty.display}}
            ],
        }


def address(street: str, city: str, postal_code: str) -> Json:
    """A FHIR address in the state of both clinics."""
    return {
        "use": "home",
        "line": [street],
        "city": city,
        "state": "OH",
        "postalCode": postal_code,
        "country": "US",
    }


def _clinicians(*rows: tuple[str, str, str, str, str, str, str]) -> dict[str, Clinician]:
    return {
        key: Clinician(key, given, family, suffix, stem, Coding(_TAXONOMY, code, display))
        for key, given, family, suffix, stem, code, display in rows
    }


RIVERSIDE: Final = Clinic(
    tenant="riverside",
    name="Riverside Family Health",
    stem="198765432",
    mrn_system="urn:oid:2.16.840.1.113883.19.5.1",
    phone="+1-937-555-0100",
    street="400 Riverside Avenue",
    city="Riverside",
    postal_code="45424",
    clinicians=_clinicians(
        ("family", "Ngozi", "Adeyemi", "MD", "123456001", "207Q00000X", "Family Medicine"),
        (
            "nurse",
            "Paul",
            "Kowalczyk",
            "NP",
            "123456002",
            "363LF0000X",
            "Nurse Practitioner, Family",
        ),
        ("heart", "Samuel", "Whitfield", "MD", "123456003", "207RC0000X", "Cardiovascular Disease"),
        ("emergency", "Carla", "Mendes", "MD", "123456004", "207P00000X", "Emergency Medicine"),
        (
            "obstetrics",
            "Elena",
            "Marquez",
            "MD",
            "123456005",
            "207V00000X",
            "Obstetrics & Gynecology",
        ),
        ("eyes", "Kenji", "Watanabe", "MD", "123456006", "207W00000X", "Ophthalmology"),
        ("lungs", "Peter", "Lindqvist", "MD", "123456007", "207RP1001X", "Pulmonary Disease"),
        ("mind", "Hannah", "Brooks", "MD", "123456008", "2084P0800X", "Psychiatry"),
        ("cancer", "Ruth", "Abelson", "MD", "123456009", "207RX0202X", "Medical Oncology"),
        ("teens", "Imani", "Foster", "MD", "123456010", "2080A0000X", "Adolescent Medicine"),
        ("hearing", "Marta", "Jensen", "AuD", "123456011", "231H00000X", "Audiologist"),
    ),
)
LAKESIDE: Final = Clinic(
    tenant="lakeside",
    name="Lakeside Pediatrics & Women's Health",
    stem="187654321",
    mrn_system="urn:oid:2.16.840.1.113883.19.5.2",
    phone="+1-419-555-0100",
    street="12 Harbor Street",
    city="Lakeside",
    postal_code="43440",
    clinicians=_clinicians(
        ("children", "Maya", "Lindgren", "MD", "134567001", "208000000X", "Pediatrics"),
        ("allergy", "Owen", "Castellano", "MD", "134567002", "207K00000X", "Allergy & Immunology"),
        (
            "women",
            "Fatima",
            "Siddiqui",
            "MD",
            "134567003",
            "207V00000X",
            "Obstetrics & Gynecology",
        ),
    ),
)
