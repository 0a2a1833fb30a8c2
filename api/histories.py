"""One item of a record through time: its versions, who saw it, and what it is known by."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.postgres.trail import Trail
from api.house import House
from api.looks import Looks
from api.permits import Permits
from api.retryable import retryable
from domain import audit, care, coverage, prescriptions, records, results
from domain.audit import RecordsViewed, Selection
from domain.kernel.event import Event, Recorded
from domain.kernel.items import Statement, Withdrawal
from domain.kernel.labels import category
from domain.kernel.refusal import NotFound
from domain.kernel.rule import Permit, Rule
from domain.kernel.values import Source
from domain.results import Report
from projections.kernel.changes import changes
from projections.results import parts, row_ids
from schema.kernel.context import Change, Reach, Version
from schema.kernel.ids import NO_CHART

RULES: dict[str, Rule] = {
    "records": records.view,
    "results": results.view,
    "prescriptions": prescriptions.view,
    "care": care.view,
    "coverage": coverage.view,
}
PANEL = "records.history"


@dataclass(frozen=True, slots=True)
class Item:
    """An item as the log has it: its chart, its stream, its statements and its end, in order."""

    chart: str
    stream: str
    events: tuple[Recorded, ...]

    @property
    def capability(self) -> str:
        """Who owns it: the first word of its events' names."""
        return self.events[0].header.type.partition(".")[0]

    @property
    def source(self) -> Source | None:
        """Where it was stated last."""
        stated = [one.event.source for one in self.events if isinstance(one.event, Statement)]
        return stated[-1] if stated else None

    @property
    def content(self) -> object:
        """What was stated last."""
        stated = [one.event.content for one in self.events if isinstance(one.event, Statement)]
        return stated[-1] if stated else None

    @property
    def withdrawn(self) -> bool:
        """Whether it should never have been in this chart."""
        return isinstance(self.events[-1].event, Withdrawal)


class Histories:
    """Reads of single items in the log, each ruled like the item's panel and on record."""

    def __init__(self, house: House, tenant: str, permits: Permits, looks: Looks) -> None:
        self._house = house
        self._tenant = tenant
        self._permits = permits
        self._looks = looks
        self._trail = Trail(house.auditor, house.keys, tenant)

    async def item(self, record: str) -> Item | None:
        """The item of this id, for a command that asks its own rule; None where there is none."""
        head = await self._trail.head()
        with retryable():
            await self._house.progress.reach(self._tenant, head, ("audit",))
        positions = await self._trail.positions(Selection(stream=record))
        found = [
            one
            for one in await self._trail.events(positions)
            if isinstance(one.event, Statement | Withdrawal) and one.header.chart is not None
        ]
        if not found or found[0].header.type.partition(".")[0] not in RULES:
            return None
        return Item(str(found[0].header.chart), record, tuple(found))

    async def versions(self, record: str) -> tuple[Version, ...]:
        """Every version, newest first. Raises NotFound."""
        item = await self.item(record)
        rule = RULES[item.capability] if item else records.view
        # Whoever asks for an entry that there is none of is refused nobody's chart, on record.
        permit, _ = await self._permits.of_chart(rule, item.chart if item else NO_CHART)
        if item is None:
            raise NotFound()
        told = _versions(item, permit)
        if not told:
            # Open is the chart, but not this entry: for the caller it is absent, and asked for.
            self._looks.refused(item.chart, rule.name)
            raise NotFound()
        self._looks.saw(item.chart, permit.basis, rule.name, PANEL, [record])
        return told[::-1]

    async def reach(self, record: str) -> Reach:
        """Who saw the item, for compliance. Raises NotFound."""
        item = await self.item(record)
        rule = audit.view_trail
        permit = await self._permits.of_organization(rule, item.chart if item else NO_CHART)
        if item is None:
            self._looks.refused(NO_CHART, rule.name)
            raise NotFound()
        self._looks.saw(item.chart, permit.basis, rule.name, "records.reach", [record])
        return await self.reached(item)

    async def reached(self, item: Item) -> Reach:
        """The accounts and applications to which a row of the item was shown."""
        rows = _rows(item)
        positions = await self._trail.positions(
            Selection(chart=item.chart), types=[RecordsViewed.type_name]
        )
        looks = [
            one
            for one in await self._trail.events(positions)
            if isinstance(one.event, RecordsViewed) and rows.intersection(one.event.records)
        ]
        return Reach(
            tuple(sorted({one.context.actor for one in looks})),
            tuple(sorted({one.context.client for one in looks if one.context.client})),
        )


def _rows(item: Item) -> set[str]:
    found = {item.stream}
    for one in item.events:
        content = one.event.content if isinstance(one.event, Statement) else None
        if isinstance(content, Report):
            found |= row_ids(item.stream, content)
    return found


def _versions(item: Item, permit: Permit) -> tuple[Version, ...]:
    """Those that the permit covers; nothing where it does not cover the item as it stands.

    The content of an item that was withdrawn is another person's: it is told to staff only.
    """
    told, before = [], None
    withheld = item.withdrawn and permit.basis.kind != "role"
    covered = False
    for one in item.events:
        if isinstance(one.event, Statement):
            content = _covered(one.event, permit)
            covered = content is not None
            if content is None:
                continue
            told.append(_version(one, () if withheld else _changed(before, content)))
            before = content
        elif covered:
            told.append(_version(one, ()))
    return tuple(told) if covered else ()


def _covered(event: Statement, permit: Permit) -> object | None:
    """The content, or its part that is not sensitive; None where all of it is."""
    if permit.sensitive:
        return event.content
    if isinstance(event.content, Report):
        return parts(event.content).get("")
    return None if category(event.labels) else event.content


def _changed(before: object, after: object) -> Sequence[Change]:
    return () if before is None else [Change(*one) for one in changes(before, after)]


def _version(one: Recorded, changed: Sequence[Change]) -> Version:
    event, stated = one.event, one.context
    labels = event.labels if isinstance(event, Statement) else ()
    source = event.source if isinstance(event, Statement) else None
    return Version(
        event=one.header.event,
        version=one.version,
        what=_what(one, event),
        at=one.committed_at,
        occurred=stated.occurred,
        by="source" if source and not _staff(event) else "staff",
        reason=getattr(event, "reason", None) or None,
        source=source.system if source else None,
        labels=tuple(sorted({label.code for label in labels if label.code})),
        changes=tuple(changed),
    )


def _staff(event: object) -> bool:
    return bool(getattr(event, "reason", None))


def _what(one: Recorded, event: object) -> str:
    if isinstance(event, Withdrawal):
        return "withdrawn"
    if isinstance(event, Event) and event.type_name.endswith("-relabelled"):
        return "relabelled"
    return "stated" if one.version == 1 else "changed"
