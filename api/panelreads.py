"""Reads of panels: the rule of every chart, the rows, and what was seen into the looks."""

from collections.abc import Sequence
from dataclasses import replace

from adapters.keys.refused import KeyRefused
from adapters.postgres.quarantine import set_aside
from adapters.postgres.reads import ReadTransaction
from api.house import House
from api.looks import Looks
from api.permits import Permits
from domain.kernel.context import Actor
from domain.kernel.readmodel import Page, Panel, Row, Select
from domain.kernel.refusal import Unavailable
from domain.kernel.rule import Permit


class PanelReads:
    """The panel reads of one operation, in one transaction."""

    def __init__(self, house: House, actor: Actor, permits: Permits, looks: Looks) -> None:
        self._house = house
        self._tenant = actor.tenant
        self._permits = permits
        self._looks = looks
        self._reads = ReadTransaction(house.reads, house.keys, actor.tenant, actor.id)

    async def page(self, select: Select) -> Page:
        """A page of a panel. Raises NotFound where the rule refuses, Unavailable."""
        permits = await self._permits_of(select)
        covered = replace(select, others=tuple(c for c in permits if c != select.chart))
        sensitive = all(permit.sensitive for permit in permits.values())
        try:
            page = await self._reads.page(covered, sensitive=sensitive)
        except KeyRefused as error:
            raise Unavailable() from error
        panel = select.panel
        for chart, permit in permits.items():
            seen = [r.id for row in page.rows for r in (row, *row.alike) if r.chart == chart]
            if seen or chart == select.chart:
                self._looks.saw(chart, permit.basis, panel.rule.name, panel.name, seen)
        return page

    async def _permits_of(self, select: Select) -> dict[str, Permit]:
        """The permit of each chart to read; other charts that are closed are left out.

        Raises Unavailable where one of them is set aside: half a record would look whole.
        """
        rule, projection = select.panel.rule, select.panel.projection
        permit, aside = await self._permits.of_chart(rule, select.chart)
        permits = {select.chart: permit}
        if select.others:
            permits |= await self._permits.of_charts(rule, select.others)
            hidden = await set_aside(self._house.api, self._tenant, projection, [*select.others])
            aside |= {projection} if hidden & permits.keys() else set()
        if projection in aside:
            raise Unavailable()
        return permits

    async def first_rows(self, panel: Panel, charts: Sequence[str]) -> dict[str, Row]:
        """The newest row of each chart whose panel is open and not set aside."""
        permits = await self._permits.of_charts(panel.rule, charts)
        hidden = await set_aside(self._house.api, self._tenant, panel.projection, list(permits))
        try:
            rows = await self._reads.first_rows(panel.table, [*permits.keys() - hidden])
        except KeyRefused as error:
            raise Unavailable() from error
        for chart, row in rows.items():
            basis = permits[chart].basis
            self._looks.saw(chart, basis, panel.rule.name, panel.name, [row.id])
        return rows

    async def close(self) -> None:
        """End the transaction."""
        await self._reads.close()
