"""One operation of one caller: ruled reads, commands, and the audit before the answer.

The order of every read is rule, rows, ids into `Looks`; `settle` commits the looks, and only then
may the answer leave. Positions and ids go out as opaque tokens of the tenant.
"""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from adapters.keys.refused import KeyRefused
from adapters.postgres.documents import document
from adapters.postgres.progress import PositionTimeout as NotReached
from adapters.postgres.reads import ReadTransaction
from adapters.postgres.trail import Trail
from adapters.postgres.writer import LogUnavailable
from api.graphql import AuditUnavailable, PositionInvalid, PositionTimeout
from api.house import House
from api.looks import Looks
from api.opaque import OpaqueIds, TokenInvalid
from domain import audit
from domain.kernel.command import Command
from domain.kernel.context import Actor, Authority, Subject
from domain.kernel.event import Recorded
from domain.kernel.log import Appended
from domain.kernel.perform import Receipt, Request
from domain.kernel.readmodel import Page, Panel, Row, Select
from domain.kernel.refusal import NotFound, Unavailable
from domain.kernel.rule import Asking, Permit, Rule
from projections.catalogue import PERMISSIONS, PROJECTIONS
from projections.identity import ACCOUNT, AccountRow
from projections.kernel.past import Past
from schema.kernel.context import TrailQuery
from schema.kernel.paging import CursorInvalid

TRAIL = "audit"
_ALL = tuple(projection.name for projection in PROJECTIONS)
_PAST = tuple(projection for projection in PROJECTIONS if not projection.everything)


class Operation:
    """The context of one GraphQL operation; implements SchemaContext and OperationContext."""

    def __init__(self, house: House, actor: Actor, ids: OpaqueIds, correlation: str) -> None:
        self._house = house
        self._actor = actor
        self._ids = ids
        self._looks = Looks(actor, "", correlation)
        self._reads = ReadTransaction(house.api, house.keys, actor.tenant, actor.id)
        self._trail = Trail(house.auditor, house.keys, actor.tenant)
        self._known: dict[str | None, tuple[Authority, frozenset[str]]] = {}
        self._past: dict[tuple[str, int], Past] = {}
        self._position = 0
        self.correlation = correlation
        self.tenant = actor.tenant
        self.account = actor.id

    def begin(self, operation: str) -> None:
        """The name under which the looks of this operation are on record."""
        self._looks.operation = operation

    async def authority(self, rule: Rule) -> Authority:
        """The caller's own permissions."""
        authority, _ = await self._authority(None)
        self._permit(rule, Subject(person=authority.person), authority)
        return authority

    async def display_name(self, rule: Rule) -> str:
        """The caller's own display name; about nobody else, so it leaves no trace."""
        await self.authority(rule)
        house = self._house
        row = await document(house.api, house.keys, self.tenant, ACCOUNT, self.account)
        return row.display_name if isinstance(row, AccountRow) else ""

    async def may_open(self, panel: Panel, chart: str) -> bool:
        """Whether the panel's rule permits; a refusal is put on record."""
        with contextlib.suppress(NotFound):
            await self._permitted(panel.rule, chart)
            return True
        return False

    async def read(self, select: Select, as_of: int | None = None) -> Page:
        """A page of a panel, now or as of a position."""
        panel = select.panel
        if as_of is not None:
            return await self._read_past(select, as_of)
        permit, set_aside = await self._permitted(panel.rule, select.chart)
        if panel.projection in set_aside:
            raise Unavailable()
        try:
            page = await self._reads.page(select)
        except KeyRefused as error:
            raise Unavailable() from error
        self._saw(select, permit, panel.rule, page, None)
        return page

    def _saw(
        self, select: Select, permit: Permit, rule: Rule, page: Page, as_of: int | None
    ) -> None:
        seen = [row.id for row in page.rows]
        self._looks.saw(select.chart, permit.basis, rule.name, select.panel.name, seen, as_of)

    async def _read_past(self, select: Select, as_of: int) -> Page:
        permit = await self._organization_permit(audit.view_past, select.chart)
        if (select.chart, as_of) not in self._past:
            chosen = audit.Selection(chart=select.chart, upto=as_of)
            positions = await self._trail.positions(chosen)
            events = await self._trail.events(positions)
            self._past[select.chart, as_of] = Past(_PAST, events)
        page = self._past[select.chart, as_of].page(select)
        self._saw(select, permit, audit.view_past, page, as_of)
        return page

    async def first_rows(self, panel: Panel, charts: Sequence[str]) -> dict[str, Row]:
        """The newest row of each chart, for lists of charts."""
        authority, _ = await self._authority(None)
        permits = {
            chart: self._permit(panel.rule, Subject(chart=chart), authority) for chart in charts
        }
        try:
            rows = await self._reads.first_rows(panel.table, charts)
        except KeyRefused as error:
            raise Unavailable() from error
        for chart, row in rows.items():
            basis = permits[chart].basis
            self._looks.saw(chart, basis, panel.rule.name, panel.name, [row.id])
        return rows

    async def trail(self, query: TrailQuery) -> tuple[tuple[Recorded, ...], bool]:
        """Events of the trail and whether more follow."""
        permit = await self._organization_permit(audit.view_trail, query.chart)
        await self._trail_head()
        selection = audit.Selection(
            chart=query.chart, actor=query.actor, since=query.since, until=query.until
        )
        events, more = await self._trail.newest(selection, query.first, query.before)
        seen = [event.header.event for event in events]
        rule = audit.view_trail.name
        self._looks.saw(query.chart, permit.basis, rule, "audit.trail", seen)
        return tuple(events), more

    async def position_at(self, chart: str, at: datetime | None) -> int:
        """The last position committed by then."""
        await self._organization_permit(audit.view_past, chart)
        head = await self._trail_head()
        if at is None:
            return head
        beyond = audit.Selection(since=at + timedelta(microseconds=1))
        later = await self._trail.positions(beyond, limit=1)
        return later[0] - 1 if later else head

    async def _trail_head(self) -> int:
        """The log's last position, reached by the trail: what is found there then is complete."""
        head = await self._trail.head()
        await self._reach(head, (TRAIL,))
        return head

    async def do(self, command: Command[Any], key: str) -> Receipt:
        """Perform a command; one that takes access away answers when that is in force."""
        request = Request(command=command, actor=self._actor, key=key, correlation=self.correlation)
        receipt = await self._house.do(request)
        if receipt.last is not None:
            self._position = max(self._position, receipt.last)
            await self._reach(receipt.last, PERMISSIONS)
        return receipt

    async def _permitted(self, rule: Rule, chart: str) -> tuple[Permit, frozenset[str]]:
        authority, set_aside = await self._authority(chart)
        return self._permit(rule, Subject(chart=chart), authority), set_aside

    async def _organization_permit(self, rule: Rule, chart: str | None) -> Permit:
        authority, _ = await self._authority(None)
        return self._permit(rule, Subject(chart=chart), authority)

    def _permit(self, rule: Rule, subject: Subject, authority: Authority) -> Permit:
        now = self._house.log.now()
        asking = Asking(actor=self._actor, subject=subject, authority=authority, now=now)
        permit = rule.permit(asking)
        if permit is None:
            self._looks.refused(subject.chart, rule.name)
            raise NotFound()
        return permit

    async def _authority(self, chart: str | None) -> tuple[Authority, frozenset[str]]:
        if chart not in self._known:
            try:
                self._known[chart] = await self._house.authorities.read_with_quarantine(
                    self._actor, Subject(chart=chart)
                )
            except NotReached as error:
                raise AuditUnavailable() from error
        return self._known[chart]

    def hide(self, kind: str, ident: str) -> str:
        """An opaque id."""
        return self._ids.hide(kind, ident)

    def reveal(self, kind: str, opaque: str) -> str:
        """What an opaque id stands for."""
        return self._ids.reveal(kind, opaque)

    def to_cursor(self, place: str) -> str:
        """An opaque cursor."""
        return self._ids.seal("cursor", place)

    def from_cursor(self, cursor: str) -> str:
        """The place that a cursor stands for."""
        try:
            return self._ids.unseal("cursor", cursor)
        except TokenInvalid:
            raise CursorInvalid() from None

    def position_token(self, position: int) -> str:
        """An opaque token of a log position."""
        return self._ids.seal("position", str(position))

    async def wait_for(self, position_token: str) -> None:
        """Wait until reads include what the token stands for."""
        try:
            position = int(self._ids.unseal("position", position_token))
        except (TokenInvalid, ValueError):
            raise PositionInvalid from None
        await self._reach(position, _ALL)

    async def _reach(self, position: int, projections: Sequence[str]) -> None:
        try:
            await self._house.progress.reach(self.tenant, position, projections)
        except NotReached as error:
            raise PositionTimeout() from error

    async def settle(self) -> Mapping[str, object]:
        """Commit the looks; nothing leaves without them."""
        appends = self._looks.appends(self._house.log.now())
        try:
            for append in appends:
                answer = await self._house.log.append(append)
                if not isinstance(answer, Appended):
                    raise AuditUnavailable()
        except LogUnavailable as error:
            raise AuditUnavailable() from error
        if self._position == 0:
            return {}
        return {"position": self.position_token(self._position)}

    async def close(self) -> None:
        """End the read transaction."""
        await self._reads.close()
