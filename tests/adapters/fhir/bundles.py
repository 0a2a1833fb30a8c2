"""Small FHIR resources and bundles, as JSON objects and files."""

import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SOURCE = "urn:example:hospital"
PATIENT = "urn:uuid:p1"


def concept(code: str, system: str = "http://loinc.org", text: str | None = None) -> Json:
    """A CodeableConcept with one coding."""
    return {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}


def patient(**members: Any) -> Json:
    """A Patient that references find under PATIENT."""
    return {"resourceType": "Patient", "id": "p1", **members}


def observation(id: str, *, category: str = "vital-signs", **members: Any) -> Json:
    """A final Observation of the patient."""
    return {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "category": [
            concept(category, "http://terminology.hl7.org/CodeSystem/observation-category")
        ],
        "code": concept("8867-4"),
        "subject": {"reference": PATIENT},
        **members,
    }


def report(id: str, *results: str, **members: Any) -> Json:
    """A final DiagnosticReport of the patient with references to these ids."""
    return {
        "resourceType": "DiagnosticReport",
        "id": id,
        "status": "final",
        "code": concept("24323-8"),
        "subject": {"reference": PATIENT},
        "result": [{"reference": f"urn:uuid:{one}"} for one in results],
        **members,
    }


def of_patient(kind: str, id: str, **members: Any) -> Json:
    """Any other resource whose subject is the patient."""
    subject = "patient" if kind in ("AllergyIntolerance", "Immunization") else "subject"
    return {"resourceType": kind, "id": id, subject: {"reference": PATIENT}, **members}


def bundle(*resources: Json, type: str = "transaction") -> Json:
    """A bundle whose full URLs are the ids as urn:uuid."""
    entries: list[Json] = [
        {"fullUrl": f"urn:uuid:{one['id']}", "resource": one} if "id" in one else {"resource": one}
        for one in resources
    ]
    return {"resourceType": "Bundle", "type": type, "entry": entries}


def write(folder: Path, content: Json | str | bytes, name: str = "bundle.json") -> Path:
    """A file of this content; text and bytes are written as they are."""
    path = folder / name
    if isinstance(content, dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
