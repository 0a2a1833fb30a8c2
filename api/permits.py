"""The rules as one operation asks them: permissions are read once, refusals are put on record."""

import asyncio
from collections.abc import Sequence

from api.house import House
from api.looks import Looks
from api.retryable import retryable
from domain.kernel.context import Actor, Authority, Subject
from domain.kernel.refusal import NotFound
from domain.kernel.rule import Asking, Permit, Rule

SetAside = frozenset[tuple[str, str]]
"""Charts with the projection whose rows of them are not to be shown."""


class Permits:
    """The permits of one actor.

    Methods raise NotFound where the rule refuses, PositionTimeout where permissions lag behind.
    """

    def __init__(self, house: House, actor: Actor, looks: Looks) -> None:
        self._house = house
        self._actor = actor
        self._looks = looks
        self._known: dict[str | None, tuple[Authority, SetAside]] = {}
        self._turn = asyncio.Lock()

    async def own(self, rule: Rule) -> Authority:
        """The actor's own permissions."""
        authority, _ = await self._authority(None)
        self._ask(rule, Subject(person=authority.person), authority)
        return authority

    async def of_chart(self, rule: Rule, chart: str) -> tuple[Permit, SetAside]:
        """The permit about a chart, and what is set aside for it."""
        authority, set_aside = await self._authority(chart)
        return self._ask(rule, Subject(chart=chart), authority), set_aside

    async def together(self, rule: Rule, chart: str | None) -> tuple[str, ...]:
        """The charts that are read as one with this one and are open, the survivor first.

        Without a chart, the actor's own ones; none where there are none. Raises NotFound where
        there are some and none is open.
        """
        authority, _ = await self._about(chart)
        if len(authority.kin) > 1:
            permits, _ = await self.of_charts(rule, authority.kin)
            if permits:
                return tuple(permits)
        if chart is None and not authority.kin:
            return ()
        asked = chart or authority.kin[0]
        self._ask(rule, Subject(chart=asked), authority)
        return (asked,)

    async def of_charts(
        self, rule: Rule, charts: Sequence[str]
    ) -> tuple[dict[str, Permit], SetAside]:
        """The permits about several charts; those that the rule refuses are left out, unnoted.

        For lists, where nobody asked for any one of the charts. Also what is set aside for them.
        """
        authority, aside = await self._authority(None)
        asked = {chart: self._permit(rule, Subject(chart=chart), authority) for chart in charts}
        return {chart: permit for chart, permit in asked.items() if permit is not None}, aside

    async def of_organization(self, rule: Rule, chart: str | None) -> Permit:
        """The permit of somebody who acts for the organisation, whatever the chart."""
        authority, _ = await self._authority(None)
        return self._ask(rule, Subject(chart=chart), authority)

    def _ask(self, rule: Rule, subject: Subject, authority: Authority) -> Permit:
        permit = self._permit(rule, subject, authority)
        if permit is None:
            self._looks.refused(subject.chart, rule.name)
            raise NotFound()
        return permit

    def _permit(self, rule: Rule, subject: Subject, authority: Authority) -> Permit | None:
        now = self._house.log.now()
        asking = Asking(actor=self._actor, subject=subject, authority=authority, now=now)
        return rule.permit(asking)

    async def _authority(self, chart: str | None) -> tuple[Authority, SetAside]:
        """What is known of all charts answers for each of them, but for its kin."""
        return self._known.get(None) or await self._about(chart)

    async def _about(self, chart: str | None) -> tuple[Authority, SetAside]:
        async with self._turn:
            # Fields that are resolved at the same time ask once.
            if chart not in self._known:
                with retryable():
                    self._known[chart] = await self._house.authorities.read_with_quarantine(
                        self._actor, Subject(chart=chart)
                    )
        return self._known[chart]
