"""One operation of one caller: ruled reads, commands, and the audit before the answer.

The order of every read is rule, rows, ids into `Looks`; `settle` commits the looks, and only then
may the answer leave. Positions and ids go out as opaque tokens of the tenant.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from api.desk import Desk
from api.entries import Entries
from api.graphql import AuditUnavailable, PositionInvalid
from api.house import House
from api.looks import Looks
from api.officer import Officer
from api.opaque import OpaqueIds, TokenInvalid
from api.panelreads import PanelReads
from api.permits import Permits
from api.retryable import retryable
from domain.kernel.command import Command
from domain.kernel.context import Actor, Authority
from domain.kernel.log import Appended, Conflict, Known
from domain.kernel.perform import Receipt, Request
from domain.kernel.readmodel import ListedChart, Listing, Page, Panel, Row, Select
from domain.kernel.refusal import NotFound
from domain.kernel.rule import Rule
from projections.catalogue import PERMISSIONS, PROJECTIONS
from projections.identity import ACCOUNT, AccountRow

_ALL = tuple(projection.name for projection in PROJECTIONS)


class Paging(Protocol):
    """A page's turn among the pages of all requests: left when it is read."""

    async def __aenter__(self) -> "Paging": ...

    async def __aexit__(self, *raised: object) -> None: ...

    async def rows(self, count: int) -> None:
        """So many rows were read."""


class AtOnce:
    """The turn of a page where nobody else is served."""

    async def __aenter__(self) -> "AtOnce":
        return self

    async def __aexit__(self, *_raised: object) -> None:
        """Nothing was held."""

    async def rows(self, count: int) -> None:
        """Nobody waits."""


class Operation:
    """The context of one GraphQL operation; implements SchemaContext and OperationContext."""

    def __init__(
        self,
        house: House,
        actor: Actor,
        ids: OpaqueIds,
        correlation: str,
        turn: Callable[[], Paging] = AtOnce,
    ) -> None:
        """`turn` is what each page is read in."""
        self._house, self._turn, self._actor = house, turn, actor
        self._looks = Looks(actor, "", correlation)
        self._permits = Permits(house, actor, self._looks)
        self.entries = Entries(house, actor, self._permits, self._looks, self.do)
        self.officer = Officer(house, actor.tenant, self._permits, self._looks)
        self._panels = PanelReads(house, actor, self._permits, self._looks)
        self.desk = Desk(house, actor, self._permits, self._looks, self._panels, self.do)
        self._position = 0
        self.changes = False
        self.ids, self.correlation = ids, correlation
        self.tenant, self.account = actor.tenant, actor.id

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
        row = await self._panels.document(ACCOUNT, self.account)
        return row.display_name if isinstance(row, AccountRow) else ""

    async def opened(self, rule: Rule, chart: str | None) -> tuple[str, ...]:
        """The charts to read as one with this one or as one's own; a refusal is on record."""
        with contextlib.suppress(NotFound):
            return await self._permits.together(rule, chart)
        return ()

    async def read(self, select: Select, as_of: int | None = None) -> Page:
        """A page of a panel, now or as of a position; cheaper operations may go first."""
        async with self._turn() as turn:
            page = await (
                self._panels.page(select) if as_of is None else self.officer.page(select, as_of)
            )
            if page.rows:
                await turn.rows(len(page.rows))
        return page

    async def first_rows(self, panel: Panel, charts: Sequence[str]) -> dict[str, Row]:
        """The newest row of each chart whose panel is open and not set aside."""
        return await self._panels.first_rows(panel, charts)

    async def listed(
        self, panel: Panel, charts: Sequence[str], listing: Listing
    ) -> tuple[tuple[ListedChart, ...], bool]:
        """A page of the charts whose panel is open and not set aside, the newest row first."""
        return await self._panels.listed(panel, charts, listing)

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
            # The reads are over: their transaction ends while the looks are committed.
            _, answers = await asyncio.gather(
                self._panels.close(), asyncio.gather(*map(self._house.log.append, appends))
            )
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
