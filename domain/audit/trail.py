"""Looks at records, refusals, replays: what people did without changing a fact.

One stream per actor and UTC day, so that an actor's trail is read in one piece and nobody waits
for anybody: events are appended at any version. 45 CFR 164.312(b); ASTM E2147; IHE BALP.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import NAMESPACE_URL, uuid5

from domain.kernel.command import Command, Filed, Stream
from domain.kernel.context import Actor
from domain.kernel.event import Event
from domain.kernel.rule import may, operator, role


class RecordsViewed(Event, name="audit.records-viewed", version=1, key_class="audit"):
    """Somebody saw these records; written before the answer left.

    `chart` is whose they are (None for records of the organisation), `panels` the named reads,
    `records` the ids that were in the answer, `count` their number, `operation` the GraphQL
    operation or command.
    """

    chart: str | None
    operation: str
    panels: tuple[str, ...]
    records: tuple[str, ...]
    count: int
    outcome: str = "success"
    at_position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The part of one chart in a list: its records in the answer, and why they were open."""

    chart: str
    records: tuple[str, ...]
    basis: str
    reference: str | None = None


class ListViewed(Event, name="audit.list-viewed", version=1, key_class="audit"):
    """Somebody saw a list of several charts; one manifest, written before the answer left.

    `panels` are the named reads, `count` is the number of records over all entries. It is sealed
    under the audit key of the organisation, for it speaks of several people.
    """

    operation: str
    panels: tuple[str, ...]
    entries: tuple[Seen, ...]
    count: int
    outcome: str = "success"

    def of(self, chart: str) -> tuple[Seen, ...]:
        """What the list showed of one chart."""
        return tuple(entry for entry in self.entries if entry.chart == chart)


class AccessRefused(Event, name="audit.access-refused", version=1, key_class="audit"):
    """Somebody was refused: an absent and a forbidden record look the same to them."""

    operation: str
    chart: str | None = None


class AuditReplayed(Event, name="audit.audit-replayed", version=1, key_class="audit"):
    """Somebody replayed part of the log: what they asked for and how many events they saw."""

    selection: str
    count: int
    first: int | None = None
    last: int | None = None


view_trail = may("audit.view-trail", role("compliance"), operator)
view_past = may("audit.view-past", role("compliance"), operator)
replay = may("audit.replay", operator)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events: every given part narrows it. Times bound `committed_at`: since <= t < until.

    `upto` is the last position that counts.
    """

    chart: str | None = None
    actor: str | None = None
    stream: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    upto: int | None = None

    @property
    def text(self) -> str:
        """The given parts, as kept with the replay."""
        given = ((name, getattr(self, name)) for name in self.__dataclass_fields__)
        return " ".join(f"{name}={value}" for name, value in given if value is not None)


def trail_of(actor: Actor, now: datetime) -> str:
    """The audit stream of an actor and a UTC day."""
    return _trail(actor.tenant, actor.id, now.date().isoformat())


@lru_cache(maxsize=4_096)
def _trail(tenant: str, actor: str, day: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"anamnesis:audit/{tenant}/{actor}/{day}"))


def refused(actor: Actor, operation: str, chart: str | None, now: datetime) -> tuple[str, Event]:
    """The stream and the event of a refused access."""
    return trail_of(actor, now), AccessRefused(operation=operation, chart=chart)


@dataclass(frozen=True, kw_only=True)
class OnTrail:
    """A wish to note what an operator does, in their trail of today."""

    trail: str

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The operator's trail of today."""
        return (Stream(fold=Filed, id=self.trail, any_version=True),)


class RecordReplay(Command[Filed], name="audit.record-replay", rule=replay):
    """Note that an operator replayed part of the log, before it is shown."""

    trail: str
    selection: str
    count: int
    chart: str | None = None
    first: int | None = None
    last: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The operator's trail of today; a replay of one chart stands in that chart's trail too."""
        return (Stream(fold=Filed, id=self.trail, chart=self.chart, any_version=True),)

    def decide(self, _state: Filed, _now: datetime) -> Iterator[Event]:
        """Always an event: each replay counts."""
        yield AuditReplayed(
            selection=self.selection, count=self.count, first=self.first, last=self.last
        )
