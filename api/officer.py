"""What a compliance officer may ask: the trail, and a record as it was known at a position."""

from datetime import datetime, timedelta

from adapters.postgres.progress import PositionTimeout as NotReached
from adapters.postgres.trail import Trail
from api.graphql import PositionTimeout
from api.house import House
from api.looks import Looks
from api.permits import Permits
from domain import audit
from domain.kernel.event import Recorded
from domain.kernel.readmodel import Page, Select
from projections.catalogue import PROJECTIONS
from projections.kernel.past import Past
from schema.kernel.context import TrailQuery

TRAIL = "audit"
_PAST = tuple(projection for projection in PROJECTIONS if not projection.everything)


class Officer:
    """Reads of the log itself, each ruled and on record like any other."""

    def __init__(self, house: House, tenant: str, permits: Permits, looks: Looks) -> None:
        self._house = house
        self._tenant = tenant
        self._permits = permits
        self._looks = looks
        self._trail = Trail(house.auditor, house.keys, tenant)
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
        if (select.chart, as_of) not in self._past:
            chosen = audit.Selection(chart=select.chart, upto=as_of)
            positions = await self._trail.positions(chosen)
            events = await self._trail.events(positions)
            self._past[select.chart, as_of] = Past(_PAST, events)
        page = self._past[select.chart, as_of].page(select)
        seen = [row.id for row in page.rows]
        self._looks.saw(select.chart, permit.basis, rule.name, select.panel.name, seen, as_of)
        return page

    async def _head(self) -> int:
        """The log's last position, reached by the trail: what is found there then is complete."""
        head = await self._trail.head()
        try:
            await self._house.progress.reach(self._tenant, head, (TRAIL,))
        except NotReached as error:
            raise PositionTimeout() from error
        return head
