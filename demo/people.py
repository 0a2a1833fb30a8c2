"""Who can be in the demo: two organisations, and people with an account in one of them."""

from dataclasses import dataclass
from typing import Final

ORGANIZATIONS: Final = {
    "riverside": "Riverside Family Health",
    "lakeside": "Lakeside Pediatrics & Women's Health",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account.

    `story` names the patient whose chart is theirs, `clinician` the key of a clinician of the
    organisation, `staff_role` a role of somebody who sees no patients.
    """

    key: str
    name: str
    role: str
    tenant: str
    story: str | None = None
    clinician: str | None = None
    staff_role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A grant: who may act for whom, within which scopes."""

    patient: str
    grantee: str
    kind: str
    scopes: tuple[str, ...]


def _patient(key: str, name: str, tenant: str = "riverside", role: str = "patient") -> Person:
    return Person(key=key, name=name, role=role, tenant=tenant, story=key)


PEOPLE: Final = (
    _patient("rosa", "Rosa Delgado"),
    _patient("omar", "Omar Haddad"),
    _patient("jun", "Jun Chen"),
    _patient("mei", "Mei Chen", role="patient and proxy of her father Jun"),
    _patient("tess", "Tess Morgan"),
    _patient("laura", "Laura Morgan", role="patient and proxy of her daughter Tess"),
    _patient("walter", "Walter Novak"),
    _patient("amara", "Amara Okoye"),
    _patient("henry", "Henry Park"),
    _patient("grace", "Grace Thompson"),
    _patient("daniel", "Daniel Reyes"),
    Person(
        key="adeyemi",
        name="Dr Ngozi Adeyemi",
        role="clinician",
        tenant="riverside",
        clinician="family",
    ),
    Person(
        key="sam", name="Sam Ortiz", role="front desk", tenant="riverside", staff_role="front-desk"
    ),
    Person(
        key="priya",
        name="Priya Raman",
        role="compliance",
        tenant="riverside",
        staff_role="compliance",
    ),
    Person(key="ellen", name="Ellen Park", role="proxy of her husband Henry", tenant="riverside"),
    Person(
        key="nora",
        name="Nora Whitfield",
        role="health information management",
        tenant="riverside",
        staff_role="health-information",
    ),
    _patient("noor", "Noor Rahman", "lakeside"),
    Person(key="aoife", name="Aoife Byrne", role="proxy of her son Liam", tenant="lakeside"),
    Person(
        key="lindgren",
        name="Dr Maya Lindgren",
        role="clinician",
        tenant="lakeside",
        clinician="children",
    ),
    Person(
        key="june", name="June Park", role="front desk", tenant="lakeside", staff_role="front-desk"
    ),
    Person(
        key="marcus",
        name="Marcus Bell",
        role="compliance",
        tenant="lakeside",
        staff_role="compliance",
    ),
)

EVERYTHING: Final = ("messaging", "prescriptions", "records", "results", "scheduling")
# At fifteen a parent keeps appointments and messages, not the record itself.
TEEN: Final = ("messaging", "scheduling")
PROXIES: Final = (
    Proxy(patient="jun", grantee="mei", kind="caregiver", scopes=EVERYTHING),
    Proxy(patient="tess", grantee="laura", kind="parent", scopes=TEEN),
    Proxy(patient="henry", grantee="ellen", kind="caregiver", scopes=EVERYTHING),
    Proxy(patient="liam", grantee="aoife", kind="parent", scopes=EVERYTHING),
)
