"""What the answer to an operation proves that somebody saw, was refused, or changed.

Shares nothing with the product: it knows the published schema, the guides, and HTTP.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

# docs/permissions.md names the reads, schema/schema.graphql the fields.
READS = {
    "patient": "registry.demographics",
    "conditions": "records.conditions",
    "allergies": "records.allergies",
    "medications": "prescriptions.medications",
    "immunizations": "records.immunizations",
    "labReports": "results.reports",
    "observations": "records.observations",
    "visits": "care.visits",
    "proxies": "consent.proxies",
    "procedures": "records.procedures",
    "documents": "records.documents",
    "notes": "records.notes",
    "carePlans": "records.care-plans",
    "goals": "records.goals",
    "devices": "records.devices",
    "provenance": "records.provenance",
    "imagingStudies": "records.imaging-studies",
    "familyHistories": "records.family-histories",
    "flags": "records.flags",
    "relatedPersons": "records.related-persons",
    "filledForms": "records.answers",
    "risks": "records.risks",
    "careTeams": "care.teams",
    "orders": "care.orders",
    "pendingOrders": "care.orders",
    "policies": "coverage.policies",
    "claims": "coverage.claims",
}
OF_AN_ENTRY = {"history": "records.history", "reachedBy": "records.reach"}
"""Reads of one entry by its id: what is on record is the entry itself, in its chart."""
WITH_ENTRIES = ("conditions", "allergies", "immunizations", "visits")
"""Panels whose ids are those of entries."""
TRAIL = "audit.trail"
UNKNOWN = "no id at all"
DENIED = "kernel.not_found"
COMMANDS = {
    "grantProxyAccess": "consent.grant-proxy-access",
    "withdrawProxyAccess": "consent.withdraw-proxy-access",
}
Json = dict[str, Any]
Fields = dict[str, tuple[str, str | None, dict[str, str]]]
"""Alias -> what was asked (a field of the schema), about which chart, which panel by alias."""
Plan = tuple[str, str, str, Fields, bool]
"""Person, document, name, fields, and whether the client hangs up."""


@dataclass(slots=True)
class Seen:
    """What one operation shows of one chart: which reads, and the ids, in their order."""

    reads: set[str] = field(default_factory=set)
    ids: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Asked:
    """An operation and what its answer proves: looks and refusals by chart, changes by position.

    `in_doubt` is one whose client hung up: what it saw may be on record, or not.
    """

    person: str
    document: str
    name: str
    looks: dict[str | None, Seen] = field(default_factory=dict)
    refused: set[str | None] = field(default_factory=set)
    denied: list[tuple[str, str]] = field(default_factory=list)
    positions: list[tuple[str, str]] = field(default_factory=list)
    in_doubt: bool = False

    @property
    def recorded_as(self) -> str:
        """The name in the trail: the operation's, or else its document's hash."""
        return self.name or sha256(self.document.encode()).hexdigest()


@dataclass(slots=True)
class Known:
    """What answers told so far: accounts, open and own charts, all charts, persons, cursors."""

    accounts: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    open: dict[str, list[str]] = field(default_factory=dict)
    charts: list[str] = field(default_factory=list)
    persons: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    entries: dict[str, str] = field(default_factory=dict)
    """The chart of every entry that was shown."""


def understand(known: Known, asked: Asked, told: Json, fields: Fields) -> None:
    """Note what an answer proves."""
    data = told.get("data") or {}
    codes = {tuple(error["path"]): error["extensions"]["code"] for error in told.get("errors", [])}
    for alias, (kind, chart, panels) in fields.items():
        value = data.get(alias)
        if kind in COMMANDS:
            _changed(asked, kind, chart, value)
        elif kind == "me":
            _listed(asked, value["records"])
        elif kind == "worklist":
            _worked(asked, value, codes.get((alias,)))
        elif kind in OF_AN_ENTRY:
            _told(asked, kind, str(chart), known.entries.get(str(chart)), value)
        elif value is None:
            denied = kind in ("record", "own") or codes.get((alias,)) == DENIED
            # A person without a chart of their own asks for nobody's.
            if denied and not (kind == "own" and chart is None):
                asked.refused.add(chart)
        elif kind == "auditTrail":
            seen = asked.looks.setdefault(chart, Seen())
            seen.reads.add(TRAIL)
            seen.ids.update(dict.fromkeys(edge["node"]["id"] for edge in value["edges"]))
        else:
            shown = {name: (value[name], codes.get((alias, name))) for name in panels}
            _opened(known, asked, chart, panels, shown)


def _changed(asked: Asked, kind: str, chart: str | None, value: Json) -> None:
    if value["__typename"] == "NotFoundProblem":
        asked.denied.append((COMMANDS[kind], str(chart)))
    elif value["__typename"] == "ProxyAccessChanged" and value["position"] is not None:
        asked.positions.append((value["position"], str(chart)))


def _told(asked: Asked, kind: str, entry: str, chart: str | None, value: Json | None) -> None:
    """`entry` is what was asked about, `chart` where it was seen before; None for nowhere."""
    if value is None:
        asked.refused.add(chart or UNKNOWN)
        return
    seen = asked.looks.setdefault(chart, Seen())
    seen.reads.add(OF_AN_ENTRY[kind])
    seen.ids[entry] = None


def _worked(asked: Asked, value: Json | None, code: str | None) -> None:
    if value is None:
        if code == DENIED:
            asked.refused.add(None)
        return
    _listed(asked, value)
    for edge in value["edges"]:
        visit = edge["node"]["lastVisit"]
        if visit is not None:
            seen = asked.looks.setdefault(edge["node"]["chart"], Seen())
            seen.reads.add(READS["visits"])
            seen.ids[visit["id"]] = None


def _listed(asked: Asked, value: Json) -> None:
    for edge in value["edges"]:
        patient = edge["node"]["patient"]
        if patient is not None:
            seen = asked.looks.setdefault(edge["node"]["chart"], Seen())
            seen.reads.add(READS["patient"])
            seen.ids[patient["id"]] = None


def _opened(
    known: Known,
    asked: Asked,
    chart: str | None,
    panels: dict[str, str],
    shown: dict[str, tuple[Json | None, str | None]],
) -> None:
    for alias, panel in panels.items():
        value, code = shown[alias]
        if code == DENIED:
            asked.refused.add(chart)
        if code is not None:
            continue
        seen = asked.looks.setdefault(chart, Seen())
        seen.reads.add(READS[panel])
        if value is not None and panel == "patient":
            seen.ids[value["id"]] = None
        elif value is not None:
            seen.ids.update(dict.fromkeys(edge["node"]["id"] for edge in value["edges"]))
            if panel in WITH_ENTRIES and chart is not None:
                known.entries.update((edge["node"]["id"], chart) for edge in value["edges"])
            known.cursors += [edge["cursor"] for edge in value["edges"][-1:]]
