"""One operation of one caller: ruled reads, commands, and the audit before the answer.

The order of every read is rule, rows, ids into `Looks`; `settle` commits the looks, and only then
may the answer leave. Positions and ids go out as opaque tokens of the tenant.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.postgres.documents import document
from api.amendments import CORRECTING, command_of
from api.graphql import AuditUnavailable, PositionInvalid
from api.histories import Histories
from api.house import House
from api.inbound.fhir import HouseIntake
from api.looks import Looks
from api.officer import Officer
from api.opaque import OpaqueIds, TokenInvalid
from api.panelreads import PanelReads
from api.permits import Permits
from api.repairs import Repairs
from api.retryable import retryable
from domain.kernel.command import Command
from domain.kernel.context import Actor, Authority
from domain.kernel.event import Recorded
from domain.kernel.log import Appended, Conflict, Known
from domain.kernel.perform import Receipt, Request
from domain.kernel.readmodel import Page, Panel, Row, Select
from domain.kernel.refusal import NotFound
from domain.kernel.rule import Rule
from domain.records import RepairResource
from projections.catalogue import PERMISSIONS, PROJECTIONS
from projections.identity import ACCOUNT, AccountRow
from schema.kernel.context import Amendment, Aside, Reach, TrailQuery, Version

Pace = Callable[[], Awaitable[None]]
_ALL = tuple(projection.name for projection in PROJECTIONS)


async def unhurried() -> None:
    """The pace where nobody else is served."""


class Operation:
    """The context of one GraphQL operation; implements SchemaContext and OperationContext."""

    def __init__(
        self, house: House, actor: Actor, ids: OpaqueIds, correlation: str, pace: Pace = unhurried
    ) -> None:
        self._house = house
        self._pace = pace
        self._actor = actor
        self._looks = Looks(actor, "", correlation)
        self._permits = Permits(house, actor, self._looks)
        self._histories = Histories(house, actor.tenant, self._permits, self._looks)
        self._officer = Officer(house, actor.tenant, self._permits, self._looks)
        self._repairs = Repairs(house, actor, self._permits, self._looks)
        self._panels = PanelReads(house, actor, self._permits, self._looks)
        self._position = 0
        self.changes = False
        self.ids = ids
        self.correlation = correlation
        self.tenant = actor.tenant
        self.account = actor.id

    def begin(self, operation: str) -> None:
        """The name under which the looks of this operation are on record."""
        self._looks.operation = operation

    def now(self) -> datetime:
        """The clock."""
        return self._house.log.now()

    async def authority(self, rule: Rule) -> Authority:
        """The caller's own permissions."""
        return await self._permits.own(rule)

    async def display_name(self, rule: Rule) -> str:
        """The caller's own display name; about nobody else, so it leaves no trace."""
        await self._permits.own(rule)
        house = self._house
        row = await document(house.api, house.keys, self.tenant, ACCOUNT, self.account)
        return row.display_name if isinstance(row, AccountRow) else ""

    async def may_open(self, rule: Rule, chart: str) -> bool:
        """Whether the rule permits; a refusal is put on record."""
        with contextlib.suppress(NotFound):
            await self._permits.of_chart(rule, chart)
            return True
        return False

    async def read(self, select: Select, as_of: int | None = None) -> Page:
        """A page of a panel, now or as of a position; cheaper operations may go first."""
        await self._pace()
        return await (
            self._panels.page(select) if as_of is None else self._officer.page(select, as_of)
        )

    async def first_rows(self, panel: Panel, charts: Sequence[str]) -> dict[str, Row]:
        """The newest row of each chart whose panel is open and not set aside."""
        return await self._panels.first_rows(panel, charts)

    async def trail(self, query: TrailQuery) -> tuple[tuple[Recorded, ...], bool]:
        """Events of the trail and whether more follow."""
        return await self._officer.trail(query)

    async def history(self, record: str) -> tuple[Version, ...]:
        """Every version of an item, newest first."""
        return await self._histories.versions(record)

    async def reached(self, record: str) -> Reach:
        """Who saw an item."""
        return await self._histories.reach(record)

    async def amend(self, amendment: Amendment, key: str) -> tuple[Receipt, Reach]:
        """Correct, relabel or withdraw an item; and who had seen it."""
        item = await self._histories.item(amendment.record)
        rule = CORRECTING.get(item.capability) if item else None
        if item is not None and rule is not None:
            await self._permits.of_organization(rule, item.chart)
        wish = await command_of(item, amendment, HouseIntake(self._house, self._actor))
        receipt = await self.do(wish, key)
        return receipt, await self._histories.reached(item) if item else Reach((), ())

    async def position_at(self, chart: str, at: datetime | None) -> int:
        """The last position committed by then."""
        return await self._officer.position_at(chart, at)

    async def do(self, command: Command[Any], key: str) -> Receipt:
        """Perform a command; one that takes access away answers when that is in force."""
        self.changes = True
        request = Request(command=command, actor=self._actor, key=key, correlation=self.correlation)
        with retryable():
            receipt = await self._house.do(request)
        if receipt.last is not None:
            self._position = max(self._position, receipt.last)
            await self._reach(receipt.last, PERMISSIONS)
        return receipt

    async def set_aside(
        self, first: int, before: int | None, reason: str | None
    ) -> tuple[tuple[Aside, ...], bool]:
        """Received resources that are set aside, and whether more follow."""
        return await self._repairs.page(first, before, reason)

    async def repair(self, wish: RepairResource, content: bytes | None, key: str) -> Receipt:
        """File a resource that is set aside; the caller's command closes it."""
        self.changes = True
        with retryable():
            closing = await self._repairs.file(wish, content)
        return await self.do(closing, key)

    async def wait_for(self, position_token: str) -> None:
        """Wait until reads include what the token stands for."""
        try:
            position = self.ids.position(position_token)
        except TokenInvalid:
            raise PositionInvalid from None
        await self._reach(position, _ALL)

    async def _reach(self, position: int, projections: Sequence[str]) -> None:
        with retryable():
            await self._house.progress.reach(self.tenant, position, projections)

    async def settle(self) -> Mapping[str, object]:
        """Commit the looks; nothing leaves without them."""
        appends = self._looks.appends(self.now())
        with retryable():
            answers = await asyncio.gather(*map(self._house.log.append, appends))
        if not all(map(_durable, answers)):
            raise AuditUnavailable()
        if self._position == 0:
            return {}
        return {"position": self.ids.position_token(self._position)}

    def tag(self, encoded: bytes) -> str:
        """The keyed hash of an answer to this account."""
        return self.ids.tag(self.account, encoded)

    async def close(self) -> None:
        """End the read transaction."""
        await self._panels.close()


def _durable(answer: Appended | Conflict | Known) -> bool:
    """Known is the first answer to looks that were sent again after a lost connection."""
    return isinstance(answer, Appended) or (isinstance(answer, Known) and answer.same_request)
