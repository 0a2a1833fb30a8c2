"""Single entries of records for one caller: their past, whom they reached, what staff change."""

from collections.abc import Awaitable, Callable
from typing import Any

from api.amendments import CORRECTING, command_of
from api.histories import Histories
from api.house import House
from api.inbound.fhir import HouseIntake
from api.looks import Looks
from api.permits import Permits
from domain.kernel.command import Command
from domain.kernel.context import Actor
from domain.kernel.perform import Receipt
from schema.kernel.context import Amendment, Reach, Version


class Entries:
    """Implements the schema's Entries; `do` performs a command of the operation."""

    def __init__(
        self,
        house: House,
        actor: Actor,
        permits: Permits,
        looks: Looks,
        do: Callable[[Command[Any], str], Awaitable[Receipt]],
    ) -> None:
        self._histories = Histories(house, actor.tenant, permits, looks)
        self._intake = HouseIntake(house, actor)
        self._permits = permits
        self._do = do

    async def history(self, record: str) -> tuple[Version, ...]:
        """Every version of an item, newest first. Raises NotFound."""
        return await self._histories.versions(record)

    async def reached(self, record: str) -> Reach:
        """Who saw an item. Raises NotFound."""
        return await self._histories.reach(record)

    async def amend(self, amendment: Amendment, key: str) -> tuple[Receipt, Reach]:
        """Correct, relabel or withdraw an item; and who had seen it. Raises a Refusal.

        The rule is asked before the resource is looked at: whoever may not, learns nothing of it.
        """
        item = await self._histories.item(amendment.record)
        rule = CORRECTING.get(item.capability) if item else None
        if item is not None and rule is not None:
            await self._permits.of_organization(rule, item.chart)
        wish = await command_of(item, amendment, self._intake)
        receipt = await self._do(wish, key)
        return receipt, await self._histories.reached(item) if item else Reach((), ())
