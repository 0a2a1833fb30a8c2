"""Reads of panels: the rule of every chart, the rows, and what was seen into the looks."""

from collections.abc import Sequence
from dataclasses import replace

from adapters.keys.refused import KeyRefused, KeysAway
from adapters.postgres.desk import proposals
from adapters.postgres.reads import ReadTransaction
from api.house import House
from api.looks import Looks
from api.permits import Permits
from domain import registry
from domain.kernel.context import Actor
from domain.kernel.readmodel import ListedChart, Listing, Page, Panel, Row, Select, Table
from domain.kernel.refusal import Unavailable
from domain.kernel.rule import Permit
from domain.registry import Proposal
from projections.registry import MATCH


class PanelReads:
    """The panel reads of one operation, in one transaction.

    Methods raise NotFound where the rule refuses one chart, and Unavailable for rows that are set
    aside or do not open.
    """

    def __init__(self, house: House, actor: Actor, permits: Permits, looks: Looks) -> None:
        self._keys = house.keys
        self._tenant = actor.tenant
        self._permits = permits
        self._looks = looks
        self._reads = ReadTransaction(house.rows, house.keys, actor.tenant, actor.id)

    async def page(self, select: Select) -> Page:
        """A page of a panel, of one chart or of several charts of one patient."""
        permits = await self._permits_of(select)
        covered = select
        if select.others:
            covered = replace(select, others=tuple(c for c in permits if c != select.chart))
        sensitive = all(permit.sensitive for permit in permits.values())
        try:
            page = await self._reads.page(covered, sensitive=sensitive)
        except KeysAway:
            raise
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
            others, hidden = await self._permits.of_charts(rule, select.others)
            permits |= others
            aside |= hidden
        if any((chart, projection) in aside for chart in permits):
            raise Unavailable()
        return permits

    async def _open_to(self, panel: Panel, charts: Sequence[str]) -> dict[str, Permit]:
        """The permits of those charts whose panel is open and not set aside."""
        permits, aside = await self._permits.of_charts(panel.rule, charts)
        return {c: permit for c, permit in permits.items() if (c, panel.projection) not in aside}

    async def first_rows(self, panel: Panel, charts: Sequence[str]) -> dict[str, Row]:
        """The newest row of each chart whose panel is open and not set aside."""
        permits = await self._open_to(panel, charts)
        try:
            rows = await self._reads.first_rows(panel.table, [*permits])
        except KeysAway:
            raise
        except KeyRefused as error:
            raise Unavailable() from error
        for chart, row in rows.items():
            basis = permits[chart].basis
            self._looks.listed(chart, basis, panel.rule.name, panel.name, [row.id])
        return rows

    async def listed(
        self, panel: Panel, charts: Sequence[str], listing: Listing
    ) -> tuple[tuple[ListedChart, ...], bool]:
        """A page of the charts whose panel is open and not set aside, the newest row first."""
        permits = await self._open_to(panel, charts)
        sensitive = all(permit.sensitive for permit in permits.values())
        try:
            entries, more = await self._reads.listed(
                panel, [*permits], listing, sensitive=sensitive
            )
        except KeysAway:
            raise
        except KeyRefused as error:
            raise Unavailable() from error
        for entry in entries:
            seen = [] if entry.row is None else [entry.row.id]
            basis = permits[entry.chart].basis
            self._looks.listed(entry.chart, basis, panel.rule.name, panel.name, seen)
        return entries, more

    async def proposals(self, first: int, before: int | None) -> tuple[tuple[Proposal, ...], bool]:
        """Open proposals of matching, newest first, and whether more follow. Raises NotFound."""
        rule = registry.review
        permit = await self._permits.of_organization(rule, None)
        try:
            page = (first + 1, before)
            found = await proposals(self._reads, self._keys, self._tenant, MATCH, page)
        except KeysAway:
            raise
        except KeyRefused as error:
            raise Unavailable() from error
        ids = [proposal.id for proposal in found[:first]]
        self._looks.saw(None, permit.basis, rule.name, "registry.matches", ids)
        return tuple(found[:first]), len(found) > first

    async def document(self, table: Table, ident: str) -> object | None:
        """A document of the organisation by its key; whoever asks has asked the rule."""
        return await self._reads.document(table, ident)

    async def close(self) -> None:
        """End the transaction."""
        await self._reads.close()
