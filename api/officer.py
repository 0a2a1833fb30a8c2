"""What a compliance officer may ask: the trail, and a record as it was known at a position."""

import asyncio
from datetime import datetime, timedelta

from adapters.postgres.trail import Trail
from api.house import House
from api.looks import Looks
from api.permits import Permits
from api.retryable import retryable
from domain import audit
from domain.kernel.event import Recorded
from domain.kernel.readmodel import Page, Select
from projections.catalogue import PROJECTIONS
from projections.kernel.past import Past
from schema.kernel.context import TrailQuery

TRAIL = "audit"
_PAST = tuple(projection for projection in PROJECTIONS if not projection.everything)
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
        self._past: dict[tuple[str, int], Past] = {}

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

    async def page(self, select: Select, as_of: int) -> Page:
        """A page of a panel as of a position, folded from the log. Raises NotFound."""
        rule = audit.view_past
        permit = await self._permits.of_organization(rule, select.chart)
        page = (await self._folded(select.chart, as_of)).page(select)
        seen = [row.id for row in page.rows]
        self._looks.saw(select.chart, permit.basis, rule.name, select.panel.name, seen, as_of)
        return page

    async def _folded(self, chart: str, as_of: int) -> Past:
        """The chart's past as of a position; loaded once, whichever panel asks first."""
        async with self._turn:
            if (chart, as_of) not in self._past:
                chosen = audit.Selection(chart=chart, upto=as_of)
                positions = await self._trail.positions(chosen, types=_PAST_TYPES)
                self._past[chart, as_of] = Past(_PAST, await self._trail.events(positions))
            return self._past[chart, as_of]

    async def _head(self) -> int:
        """The log's last position, reached by the trail: what is found there then is complete."""
        head = await self._trail.head()
        with retryable():
            await self._house.progress.reach(self._tenant, head, (TRAIL,))
        return head
