"""The desk of the organisation's staff: what waits for them there, each ruled and on record."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import Any, cast

from adapters.postgres.sources import NEWEST, AsideFound
from api.house import House
from api.inbound.repair import file_again, set_aside
from api.looks import Looks
from api.panelreads import PanelReads
from api.permits import Permits
from api.retryable import retryable
from domain import records
from domain.kernel.command import Command
from domain.kernel.context import Actor
from domain.kernel.perform import Receipt
from domain.kernel.refusal import NotFound
from domain.records import RepairResource
from domain.registry import Proposal
from projections.kernel.aside import AsideRow
from schema.kernel.context import Aside

PANEL = "records.set-aside"


class Desk:
    """Implements the schema's Desk; `do` performs a command of the operation."""

    def __init__(
        self,
        house: House,
        actor: Actor,
        permits: Permits,
        looks: Looks,
        panels: PanelReads,
        do: Callable[[Command[Any], str], Awaitable[Receipt]],
    ) -> None:
        self._house, self._actor = house, actor
        self._permits, self._looks = permits, looks
        self._panels = panels
        self._do = do

    async def proposals(self, first: int, before: int | None) -> tuple[tuple[Proposal, ...], bool]:
        """Open proposals of matching, newest first, and whether more follow. Raises NotFound."""
        return await self._panels.proposals(first, before)

    async def set_aside(
        self, first: int, before: int | None, reason: str | None
    ) -> tuple[tuple[Aside, ...], bool]:
        """Set-aside resources, newest first, and whether more follow. Raises NotFound."""
        rule = records.view_set_aside
        permit = await self._permits.of_organization(rule, None)
        rows = await set_aside(
            self._house,
            self._actor.tenant,
            reason=reason,
            before=before or NEWEST,
            most=first + 1,
        )
        shown = [_aside(row) for row in rows[:first]]
        self._looks.saw(None, permit.basis, rule.name, PANEL, [one.id for one in shown])
        return tuple(shown), len(rows) > first

    async def repair(self, wish: RepairResource, content: bytes | None, key: str) -> Receipt:
        """File a resource that is set aside; the caller's command closes it.

        Raises NotFound where the rule refuses, StaleVersion and StillSetAside.
        """
        with retryable():
            closing = await self._filed(wish, content)
        return await self._do(closing, key)

    async def _filed(self, wish: RepairResource, content: bytes | None) -> RepairResource:
        """The command that closes it, once it is filed; one that is closed is not filed again."""
        await self._permits.of_organization(records.repair, None)
        given = sha256(content).hexdigest() if content is not None else None
        # Where nothing is open the command tells why.
        with suppress(NotFound):
            await file_again(self._house, self._actor, wish, content)
        return replace(wish, given=given)


def _aside(row: AsideFound) -> Aside:
    body = cast(AsideRow, row.body)
    return Aside(
        id=row.id,
        reason=row.reason,
        position=row.position,
        since=row.at,
        original=body.original,
        version=body.version,
        at=body.at,
        index=body.index,
    )
