"""What a compliance officer may ask: the trail, and a record as it was known at a position."""

import asyncio
from datetime import datetime, timedelta

from adapters.postgres.trail import Trail
from api.house import House
from api.looks import Looks
from api.permits import Permits
from api.retryable import retryable
from domain import audit, registry
from domain.kernel.event import Recorded
from domain.kernel.readmodel import Page, Select
from domain.registry import Chart
from projections.catalogue import PROJECTIONS
from projections.kernel.past import Past
from schema.kernel.context import TrailQuery

TRAIL = "audit"
_PAST = tuple(projection for projection in PROJECTIONS if not projection.everything)
_MERGING = frozenset(
    kind.type_name for kind in (registry.ChartMerged, registry.ChartAbsorbed, registry.MergeUndone)
)
_PAST_TYPES = frozenset(name for projection in _PAST for name in projection.types)


class Officer:
    """Reads of the log itself, each ruled and on record like any other."""

    def __init__(self, house: House, tenant: str, permits: Permits, looks: Looks) -> None:
        self._house = house
        self._tenant = tenant
        self._permits = permits
        self._looks = looks
        self._trail = Trail(house.auditor, house.keys, tenant)
        self._turn = asyncio.Lock()
        self._past: dict[tuple[tuple[str, ...], int], Past] = {}

    async def trail(self, query: TrailQuery) -> tuple[tuple[Recorded, ...], bool]:
        """Events of the trail and whether more follow. Raises NotFound."""
        rule = audit.view_trail
        permit = await self._permits.of_organization(rule, query.chart)
        await self._head()
        selection = audit.Selection(
            chart=query.chart, actor=query.actor, since=query.since, until=query.until
        )
        events, more = await self._trail.newest(selection, query.first, query.before)
        seen = [event.header.event for event in events]
        self._looks.saw(query.chart, permit.basis, rule.name, "audit.trail", seen)
        return tuple(events), more

    async def position_at(self, chart: str, at: datetime | None) -> int:
        """The last position committed by then. Raises NotFound."""
        await self._permits.of_organization(audit.view_past, chart)
        head = await self._head()
        if at is None:
            return head
        beyond = audit.Selection(since=at + timedelta(microseconds=1))
        later = await self._trail.positions(beyond, limit=1)
        return later[0] - 1 if later else head

    async def others_at(self, chart: str, as_of: int) -> tuple[str, ...]:
        """The other charts that merges made one patient's with this one by then."""
        known: dict[str, Chart] = {}
        waiting = [chart]
        while waiting:
            ident = waiting.pop()
            state = Chart.initial(ident)
            chosen = audit.Selection(chart=ident, upto=as_of)
            positions = await self._trail.positions(chosen, types=_MERGING)
            for recorded in await self._trail.events(positions):
                state = state.evolve(recorded.event)
            known[ident] = state
            kin = state.absorbed | ({state.into} if state.into else set())
            waiting.extend(kin - known.keys())
        return tuple(sorted(known.keys() - {chart}))

    async def page(self, select: Select, as_of: int) -> Page:
        """A page of a panel as of a position, folded from the log. Raises NotFound."""
        rule = audit.view_past
        permit = await self._permits.of_organization(rule, select.chart)
        page = (await self._folded(select.charts, as_of)).page(select)
        for chart in select.charts:
            seen = [row.id for row in page.rows if row.chart == chart]
            if seen or chart == select.chart:
                panel = select.panel.name
                self._looks.saw(chart, permit.basis, rule.name, panel, seen, as_of)
        return page

    async def _folded(self, charts: tuple[str, ...], as_of: int) -> Past:
        """The charts' past as of a position; loaded once, whichever panel asks first."""
        async with self._turn:
            if (charts, as_of) not in self._past:
                found: list[int] = []
                for chart in charts:
                    chosen = audit.Selection(chart=chart, upto=as_of)
                    found += await self._trail.positions(chosen, types=_PAST_TYPES)
                self._past[charts, as_of] = Past(_PAST, await self._trail.events(found))
            return self._past[charts, as_of]

    async def _head(self) -> int:
        """The log's last position, reached by the trail: what is found there then is complete."""
        head = await self._trail.head()
        with retryable():
            await self._house.progress.reach(self._tenant, head, (TRAIL,))
        return head
