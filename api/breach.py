"""Whom to tell of a breach: the charts that somebody saw, and what was shown of them.

What 45 CFR 164.404(c) and 164.408 ask for: whose information, of which types, when, and how to
reach them. It is worked out from looks on record alone, so it is as complete as these are.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import uuid4

from adapters.postgres.trail import Trail
from api.house import House
from api.looks import Looks
from api.permits import Permits
from api.selected import positions_of, put_on_record
from domain import audit
from domain.audit import AuditReplayed, ListViewed, RecordsViewed, Selection
from domain.kernel.command import Stream
from domain.kernel.context import Actor
from domain.kernel.event import Recorded
from domain.kernel.log import fold
from domain.registry import Chart, Demographics
from projections import registry

OPERATION: Final = "audit breach"
PORTION: Final = 500
TYPES: Final = frozenset(kind.type_name for kind in (RecordsViewed, ListViewed, AuditReplayed))
FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "registry.demographics": "names, birth date, sex, languages, telephone and e-mail,"
        " addresses, identifiers",
        "registry.deaths": "time of death",
        "consent.proxies": "names of proxies, relationship, scopes, dates",
        "care.visits": "kind, reasons, time and place of visits, practitioners",
        "care.teams": "members of care teams and their roles",
        "care.orders": "what was ordered, when, by whom, why",
        "records.conditions": "diagnoses, status, onset, end",
        "records.allergies": "substances, reactions, severity, status",
        "records.immunizations": "vaccines, dates, lots",
        "records.observations": "measurements, values, ranges, dates",
        "records.notes": "notes, their titles, dates and authors",
        "records.procedures": "procedures, dates, reasons",
        "records.documents": "documents, their titles, dates and authors",
        "records.care-plans": "care plans, activities, dates",
        "records.goals": "goals, targets, status",
        "records.devices": "devices, identifiers, dates",
        "records.provenance": "who stated or changed entries, and when",
        "records.imaging-studies": "imaging studies, modality, body site, dates",
        "records.family-histories": "relatives and their conditions",
        "records.flags": "warnings about the patient",
        "records.related-persons": "names, relationship and contacts of relatives",
        "records.answers": "forms that were filled in, and their answers",
        "records.risks": "predicted outcomes and their probability",
        "results.reports": "laboratory reports, values, ranges, interpretation, dates",
        "results.analytes": "values of one analyte over time",
        "prescriptions.medications": "medications, directions, dates, prescribers",
        "coverage.policies": "insurers, policy and member numbers, dates",
        "coverage.claims": "claims, services, amounts, dates",
        "records.history": "versions of an entry and who changed what",
        "records.reach": "who saw an entry",
        "audit.trail": "who did what to the record, and when",
    }
)
"""What each named read shows; a type of information of the notice."""
Moved = Callable[[int, int], None]


@dataclass(slots=True)
class Affected:
    """A chart that was seen: `looks` at `records`, by these named reads, then."""

    chart: str
    first: datetime
    last: datetime
    looks: int = 0
    panels: set[str] = field(default_factory=set)
    records: set[str] = field(default_factory=set)
    demographics: Demographics | None = None
    """As known now; None where nothing is known, as of the erased."""

    @property
    def fields(self) -> list[str]:
        """What was shown, in words."""
        return [FIELDS.get(panel, panel) for panel in sorted(self.panels)]


@dataclass(slots=True)
class Breach:
    """The charts, the one that was seen last first; and looks that name no chart."""

    affected: list[Affected]
    looks: int
    elsewhere: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """Whose looks are meant: every part that is given narrows it."""

    selection: Selection
    session: str | None = None
    client: str | None = None

    def __contains__(self, recorded: Recorded) -> bool:
        context = recorded.context
        return self.session in (None, context.session) and self.client in (None, context.client)

    @property
    def text(self) -> str:
        """For the log."""
        named = {"session": self.session, "client": self.client}
        words = [f"{name}={value}" for name, value in named.items() if value is not None]
        return " ".join(["breach", self.selection.text, *words])


async def breach(house: House, suspect: Suspect, who: Actor, moved: Moved) -> Breach:
    """Work it out, and put on record that it was: first the question, then whose names it gave.

    `moved` is told (events looked at, events). Raises NotFound for somebody who may not.
    """
    looks = Looks(who, OPERATION, str(uuid4()))
    permit = await Permits(house, who, looks).of_organization(audit.view_trail, None)
    positions = await positions_of(house, suspect.selection, who, TYPES)
    await put_on_record(house, suspect.text, positions, who, suspect.selection.chart)
    trail = Trail(house.auditor, house.keys, who.tenant)
    found, done = Breach([], 0, {}), 0
    charts: dict[str, Affected] = {}
    for start in range(0, len(positions), PORTION):
        events = await trail.events(positions[start : start + PORTION])
        for recorded in events:
            if recorded in suspect:
                _add(found, charts, recorded, suspect.selection.chart)
        done += len(events)
        moved(done, len(positions))
    found.affected = sorted(charts.values(), key=lambda one: (one.last, one.chart), reverse=True)
    panel = registry.demographics
    async for one in _named(house, who.tenant, found.affected):
        looks.listed(one.chart, permit.basis, audit.view_trail.name, panel.name, [one.chart])
    for append in looks.appends(house.log.now()):
        await house.log.append(append)
    return found


def _add(found: Breach, charts: dict[str, Affected], recorded: Recorded, only: str | None) -> None:
    found.looks += 1
    seen = False
    for chart, panels, records in _shown(recorded):
        seen = True
        if only in (None, chart):
            at = recorded.committed_at
            one = charts.setdefault(chart, Affected(chart, at, at))
            one.first, one.last = min(one.first, at), max(one.last, at)
            one.looks += 1
            one.panels.update(panels)
            one.records.update(records)
    if not seen:
        what = getattr(recorded.event, "panels", None) or (recorded.header.type,)
        for name in what:
            found.elsewhere[name] = found.elsewhere.get(name, 0) + 1


def _shown(recorded: Recorded) -> Iterator[tuple[str, Sequence[str], Sequence[str]]]:
    """Chart, named reads and records of each chart that an event says was shown."""
    match recorded.event:
        case RecordsViewed(chart=str() as chart, panels=panels, records=records):
            yield chart, panels, records
        case ListViewed(panels=panels, entries=entries):
            for entry in entries:
                yield entry.chart, panels, entry.records
        case _ if recorded.header.chart is not None:
            # A replay shows the trail; of a look whose body is erased nobody knows what it showed.
            shown = isinstance(recorded.event, AuditReplayed)
            yield recorded.header.chart, ("audit.trail",) if shown else (), ()


async def _named(house: House, tenant: str, charts: Sequence[Affected]) -> AsyncIterator[Affected]:
    """Each chart, with what is known of it now; those of which nothing is are left out."""
    for start in range(0, len(charts), PORTION):
        few = charts[start : start + PORTION]
        streams = [Stream(fold=Chart, id=one.chart, chart=one.chart) for one in few]
        recall = await house.log.recall(tenant, b"", b"", streams)
        for one, stream, loaded in zip(few, streams, recall.streams, strict=True):
            state = fold(stream, loaded)
            if isinstance(state, Chart) and state.demographics is not None:
                one.demographics = state.demographics
                yield one
