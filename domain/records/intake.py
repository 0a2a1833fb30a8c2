"""What was received and could not be filed: set aside with its reason, repaired or dismissed.

One stream per received resource, known by its system, type and id there, so that a later version
that can be filed closes what an earlier one left open.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.refusal import NotFound, Refusal
from domain.kernel.rule import may, operator, role, system
from domain.kernel.values import Source


class ResourceSetAside(Event, name="records.resource-set-aside", version=1, item_key=True):
    """A received resource was not filed; `original` says where its bytes lie.

    `reason` is a code of the importer, `at` the JSON path of member names where it went wrong,
    `index` its place in what it came with, from 0, `url` its full URL there, by which others point
    at it. The file's name may name a patient: it is not kept. It has a key
    of its own: whose it is may be known only later, and that patient's erasure then takes it, too.
    """

    reason: str
    original: Source
    at: str | None = None
    index: int | None = None
    url: str | None = None


class ResourceRepaired(Event, name="records.resource-repaired", version=1):
    """What was set aside has been filed: as it was, corrected, or in a later version."""

    how: str


class ResourceDismissed(Event, name="records.resource-dismissed", version=1):
    """Staff decided that what was set aside will not be filed."""

    reason: str


class StillSetAside(Refusal):
    """The resource still cannot be filed. Correct it where `at` points, and try again."""

    reason: str
    at: str | None = None


set_aside = may("records.set-aside", operator, system)
view_set_aside = may("records.view-set-aside", role("health-information"), operator)
repair = may("records.repair", role("health-information"), operator, system)
dismiss = may("records.dismiss", role("health-information"), operator)


@dataclass(frozen=True, slots=True)
class Aside:
    """A received resource as far as it is set aside; `last` is what was set aside last."""

    id: str
    last: ResourceSetAside | None = None
    open: bool = False

    @classmethod
    def initial(cls, stream: str) -> "Aside":
        """Never set aside."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Aside":
        """The resource after an event."""
        match event:
            case ResourceSetAside():
                return replace(self, last=event, open=True)
            case ResourceRepaired() | ResourceDismissed():
                return replace(self, open=False)
        return self


class SetResourceAside(Command[Aside], name="records.set-resource-aside", rule=set_aside):
    """Keep what cannot be filed; `key` is its id at the source, `chart` whose it is if known."""

    key: str
    reason: str
    original: Source
    at: str | None = None
    index: int | None = None
    url: str | None = None
    chart: str | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The resource of this source id."""
        return (_resource(self.key, self.chart),)

    def decide(self, state: Aside, _now: datetime) -> Iterator[Event]:
        """Nothing for the same bytes and reason, dismissed or not."""
        found = ResourceSetAside(
            reason=self.reason,
            original=self.original,
            at=self.at,
            index=self.index,
            url=self.url,
        )
        if state.last is None or _told(state.last) != _told(found):
            yield found


class RepairResource(Command[Aside], name="records.repair-resource", rule=repair):
    """Note that what was set aside is filed now.

    It is named by its `key` at the source, or by its id here; `given` is the SHA-256 of the bytes
    that replaced the received ones.
    """

    how: str
    key: str = ""
    resource: str | None = None
    given: str | None = None
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The resource."""
        if self.resource is not None:
            return (Stream(fold=Aside, id=self.resource),)
        return (_resource(self.key),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def decide(self, state: Aside, _now: datetime) -> Iterator[Event]:
        """Nothing where nothing is open. Raises NotFound for what was never set aside."""
        if state.last is None:
            raise NotFound()
        if state.open:
            yield ResourceRepaired(how=self.how)


class DismissResource(Command[Aside], name="records.dismiss-resource", rule=dismiss):
    """Decide that what was set aside will not be filed; it stays traceable."""

    resource: str
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The resource."""
        return (Stream(fold=Aside, id=self.resource),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def decide(self, state: Aside, _now: datetime) -> Iterator[Event]:
        """Nothing where nothing is open. Raises NotFound for what was never set aside."""
        if state.last is None:
            raise NotFound()
        if state.open:
            yield ResourceDismissed(reason=self.reason)


def _resource(key: str, chart: str | None = None) -> Stream:
    return Stream(fold=Aside, reserved=Reserved("records.set-aside", key), chart=chart)


def _told(event: ResourceSetAside) -> tuple[str, str | None, str | None]:
    return event.reason, event.at, event.original.digest
