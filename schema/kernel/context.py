"""What resolvers may ask of the outside: one ruled read or one command, and opaque ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from domain.kernel.command import Command
from domain.kernel.context import Authority
from domain.kernel.event import Recorded
from domain.kernel.perform import Receipt
from domain.kernel.readmodel import ListedChart, Listing, Page, Panel, Row, Select
from domain.kernel.rule import Rule
from domain.kernel.values import Source
from domain.records import RepairResource
from domain.registry import Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailQuery:
    """Which events of the trail, newest first; `before` is the position after the page."""

    chart: str | None
    actor: str | None
    since: datetime | None
    until: datetime | None
    first: int
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A received resource that is set aside: why, and where it came from."""

    id: str
    reason: str
    position: int
    since: datetime
    original: Source
    version: int
    at: str | None
    index: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """What one statement changed: the field, and what it said before and after, in words."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A statement of an item, or its end; `what` is `stated`, `changed`, `relabelled`, `withdrawn`.

    `changes` are empty where nothing changed or where the content is not this patient's.
    """

    event: str
    version: int
    what: str
    at: datetime
    occurred: str
    by: str
    reason: str | None
    source: str | None
    labels: tuple[str, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What staff want to change of an item: one of resource (FHIR JSON), codes, and withdrawal."""

    record: str
    reason: str
    expected_version: int | None = None
    resource: str | None = None
    codes: tuple[str, ...] | None = None
    refile_to: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """Who saw an item: the accounts and the applications, by id."""

    people: tuple[str, ...]
    applications: tuple[str, ...]


class Ids(Protocol):
    """Opaque ids, cursors and position tokens of one tenant."""

    def hide(self, kind: str, ident: str) -> str:
        """An opaque id, meaningful in this tenant only."""

    def reveal(self, kind: str, opaque: str) -> str:
        """What an opaque id stands for. Raises NotFound for one that is not ours."""

    def to_cursor(self, place: str) -> str:
        """An opaque cursor."""

    def from_cursor(self, cursor: str) -> str:
        """The place that a cursor stands for. Raises CursorInvalid."""

    def position_token(self, position: int) -> str:
        """An opaque token of a log position."""


class Entries(Protocol):
    """Single entries of a record: their past, whom they reached, and what staff change."""

    async def history(self, record: str) -> tuple[Version, ...]:
        """Every version of an item, newest first. Raises NotFound."""

    async def reached(self, record: str) -> Reach:
        """Who saw an item. Raises NotFound."""

    async def amend(self, amendment: Amendment, key: str) -> tuple[Receipt, Reach]:
        """Correct, relabel or withdraw an item; and who had seen it. Raises a Refusal."""


class Desk(Protocol):
    """What waits for the organisation's staff: proposals of matching, and what is set aside."""

    async def proposals(self, first: int, before: int | None) -> tuple[tuple[Proposal, ...], bool]:
        """Open proposals of matching, newest first, and whether more follow. Raises NotFound."""

    async def set_aside(
        self, first: int, before: int | None, reason: str | None
    ) -> tuple[tuple[Aside, ...], bool]:
        """Received resources that are set aside, and whether more follow. Raises NotFound."""

    async def repair(self, wish: RepairResource, content: bytes | None, key: str) -> Receipt:
        """File a resource that is set aside from its kept bytes or from `content`, and close it.

        Raises NotFound, StaleVersion and StillSetAside.
        """


class Officer(Protocol):
    """What compliance reads: the trail, and what a record showed in the past."""

    async def trail(self, query: TrailQuery) -> tuple[tuple[Recorded, ...], bool]:
        """Events of the trail and whether more follow. Raises NotFound."""

    async def position_at(self, chart: str, at: datetime | None) -> int:
        """The last position committed by then. Raises NotFound."""

    async def others_at(self, chart: str, position: int) -> tuple[str, ...]:
        """The other charts that were one patient's by merges with this one at a position."""


class SchemaContext(Protocol):
    """One operation of one caller. Whatever it reads is in the log before the answer leaves."""

    @property
    def tenant(self) -> str:
        """The organisation whose log this is."""

    @property
    def ids(self) -> Ids:
        """The tenant's opaque ids."""

    @property
    def entries(self) -> Entries:
        """Single entries of records."""

    @property
    def desk(self) -> Desk:
        """What waits for the organisation's staff."""

    @property
    def officer(self) -> Officer:
        """What compliance reads."""

    def now(self) -> datetime:
        """The clock."""

    @property
    def account(self) -> str:
        """The signed-in account."""

    async def authority(self, rule: Rule) -> Authority:
        """The caller's own permissions. Raises NotFound where the rule refuses."""

    async def display_name(self, rule: Rule) -> str:
        """The caller's own display name. Raises NotFound where the rule refuses."""

    async def opened(self, rule: Rule, chart: str | None) -> tuple[str, ...]:
        """The charts that the rule opens of those that are one patient's by merges with this one.

        Without a chart, of the caller's own. The survivor comes first; none where the rule
        refuses, and that is put on record.
        """

    async def read(self, select: Select, as_of: int | None = None) -> Page:
        """A page of a panel, now or as of a position. Raises NotFound and Unavailable."""

    async def first_rows(self, panel: Panel, charts: Sequence[str]) -> dict[str, Row]:
        """The newest row of each chart, for lists of charts.

        Charts whose panel is closed to the caller or set aside are left out, without a refusal.
        """

    async def listed(
        self, panel: Panel, charts: Sequence[str], listing: Listing
    ) -> tuple[tuple[ListedChart, ...], bool]:
        """A page of charts by the panel's newest row, and whether more follow.

        Charts whose panel is closed to the caller or set aside are left out, without a refusal.
        """

    async def do(self, command: Command[Any], key: str) -> Receipt:
        """Perform a command under an idempotency key. Raises its Refusal."""
