"""Keeping and erasing: legal holds, retention, and the erasure of what a chart holds.

One stream per chart, sealed under the organisation's key, so that it outlives the chart: a hold and
an erasure are decided against each other, and the tombstone can be read when the chart is gone.

An erasure destroys keys: the events stay, as proof, and nobody opens them again. GDPR article 17;
45 CFR 164.316(b)(2)(i); ASTM E2147-18; 42 CFR 2.16.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from domain.kernel.command import ORGANISATION, Command, Filed, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.refusal import NotFound, Refusal
from domain.kernel.rule import may, operator

AUDIT: Final = "audit"
"""The class of what says who did what; it is kept when everything else of a chart is erased."""
EVERYTHING: Final = "everything"
"""Every class of a chart but AUDIT."""
RETENTION_YEARS: Final = {AUDIT: 10}
"""How long a class is kept at least after its newest event; a deployment may ask for more."""


class HoldPlaced(Event, name="audit.hold-placed", version=1, key_class="audit"):
    """Nothing of the chart is erased while this hold stands.

    `matter` is what it is known by (a docket, an investigation), `basis` the duty to keep.
    """

    matter: str
    basis: str


class HoldLifted(Event, name="audit.hold-lifted", version=1, key_class="audit"):
    """The duty to keep on account of this matter is over."""

    matter: str
    reason: str


class ChartErased(Event, name="audit.chart-erased", version=1, key_class="audit"):
    """The tombstone: from now on nothing opens that these keys sealed, and nothing is added.

    `scope` is what was erased: EVERYTHING, AUDIT, a sensitivity code, or an item's id. `keys` are
    compartments and items of the key tree, `owners` whose they are, `objects` counts the received
    files that go along.
    """

    scope: str
    basis: str
    reason: str
    keys: tuple[str, ...]
    owners: tuple[str, ...] = ()
    objects: int = 0

    @property
    def destroys(self) -> tuple[str, ...]:
        """The keys that are destroyed by this event."""
        return self.keys


class ErasureCarriedOut(Event, name="audit.erasure-carried-out", version=1, key_class="audit"):
    """Keys, received bytes, reservations and read models of the erased are gone.

    `tombstones` counts those of this scope that are carried out, from the first; `events` are all
    that the chart has, `account_kept` says that its person has other charts or acts for others,
    `left` counts earlier statements of what was erased that have no such label.
    """

    scope: str
    tombstones: int
    events: int
    account_kept: bool
    keys: int
    objects: int
    reservations: int
    models: tuple[str, ...]
    left: int = 0


class ChartReopened(Event, name="audit.chart-reopened", version=1, key_class="audit"):
    """Facts of the erased scope may be filed again, under keys of a new epoch."""

    scope: str
    reason: str


class UnderHold(Refusal):
    """A legal hold forbids the erasure. Have it lifted by whoever placed it, then try again."""

    matter: str


class ErasureUnderWay(Refusal):
    """Something of this chart is being erased: a hold would protect it no more. Try again later."""


class TooYoung(Refusal):
    """This must be kept for longer by the rules of retention. Try again after that day."""

    until: date


class NoKeyOfItsOwn(Refusal):
    """This entry has no key of its own. Withdraw it, or erase the chart or a sensitivity class."""


class NothingToErase(Refusal):
    """There is nothing of this in this chart. Look for another class, or another chart."""


class NothingErased(Refusal):
    """Nothing of this was erased in this chart, so that there is nothing to open again."""


hold = may("audit.hold", operator)
erase = may("audit.erase", operator)


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is to be kept of a chart, and what was erased: the holds in force, the tombstones.

    `carried_out` counts, for each scope, the tombstones whose erasure is complete.
    """

    id: str
    holds: frozenset[str] = frozenset()
    erased: tuple[ChartErased, ...] = ()
    carried_out: tuple[tuple[str, int], ...] = ()
    unclear: bool = False

    @classmethod
    def initial(cls, stream: str) -> "Keeping":
        """No hold, nothing erased."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Keeping":
        """What is to be kept after an event; what cannot be read may be a hold."""
        match event:
            case HoldPlaced():
                return replace(self, holds=self.holds | {event.matter})
            case HoldLifted():
                return replace(self, holds=self.holds - {event.matter})
            case ChartErased():
                return replace(self, erased=(*self.erased, event))
            case ErasureCarriedOut():
                others = tuple(one for one in self.carried_out if one[0] != event.scope)
                done = (event.scope, event.tombstones)
                return replace(self, carried_out=(*others, done))
            case Unknown() | Erased():
                return replace(self, unclear=True)
        return self

    @property
    def under_way(self) -> frozenset[str]:
        """The scopes of which a tombstone is not carried out."""
        done = dict(self.carried_out)
        counts = Counter(tombstone.scope for tombstone in self.erased)
        return frozenset(scope for scope, count in counts.items() if count > done.get(scope, 0))

    def check_free(self) -> None:
        """Raises UnderHold."""
        if self.holds:
            raise UnderHold(matter=min(self.holds))
        if self.unclear:
            raise UnderHold(matter="unreadable")


def keeping_of(chart: str) -> str:
    """The stream about a chart's holds and erasures."""
    return str(uuid5(NAMESPACE_URL, f"anamnesis:keeping/{chart}"))


def keeping_stream(chart: str) -> Stream:
    """That stream, to be read or written."""
    return Stream(fold=Keeping, id=keeping_of(chart), chart=chart, owner=ORGANISATION)


class PlaceHold(Command[tuple[Keeping, Filed]], name="audit.place-hold", rule=hold):
    """Forbid any erasure in a chart on account of a matter."""

    chart: str
    matter: str
    basis: str

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What is to be kept of the chart, and the chart, which must be there."""
        chart = Stream(fold=Filed, id=self.chart, chart=self.chart)
        return keeping_stream(self.chart), chart

    def subject(self, _state: tuple[Keeping, Filed]) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: tuple[Keeping, Filed], _now: datetime) -> Iterator[Event]:
        """Nothing where this matter holds it already. Raises NotFound and ErasureUnderWay."""
        keeping, chart = state
        if not chart.known:
            raise NotFound()
        if keeping.under_way:
            raise ErasureUnderWay()
        if self.matter not in keeping.holds:
            yield HoldPlaced(matter=self.matter, basis=self.basis)


@dataclass(frozen=True, kw_only=True)
class _OfKeeping:
    """A wish about what is to be kept of a chart."""

    chart: str

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What is to be kept of the chart."""
        return (keeping_stream(self.chart),)

    def subject(self, _state: Keeping) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)


class LiftHold(_OfKeeping, Command[Keeping], name="audit.lift-hold", rule=hold):
    """End the hold of a matter; others stand."""

    matter: str
    reason: str

    def decide(self, state: Keeping, _now: datetime) -> Iterator[Event]:
        """Nothing where no such hold stands."""
        if self.matter in state.holds:
            yield HoldLifted(matter=self.matter, reason=self.reason)


class EraseChart(_OfKeeping, Command[Keeping], name="audit.erase-chart", rule=erase):
    """Destroy keys of a chart; `newest` is the time of the last event that they sealed.

    `years` is how long the deployment keeps this scope; it may not be less than RETENTION_YEARS.
    With `again` it was decided before: the log is a copy from before that.
    """

    scope: str
    basis: str
    reason: str
    keys: tuple[str, ...]
    owners: tuple[str, ...] = ()
    objects: int = 0
    newest: datetime | None = None
    years: int = 0
    again: bool = False

    def decide(self, state: Keeping, now: datetime) -> Iterator[Event]:
        """Nothing where all these keys are destroyed. Raises UnderHold and TooYoung."""
        if not self.again and self.scope not in state.under_way:
            self._check(state, now)
        gone = {key for tombstone in state.erased for key in tombstone.keys}
        keys = tuple(key for key in self.keys if key not in gone)
        if keys:
            yield ChartErased(
                scope=self.scope,
                basis=self.basis,
                reason=self.reason,
                keys=keys,
                owners=self.owners,
                objects=self.objects,
            )

    def _check(self, state: Keeping, now: datetime) -> None:
        state.check_free()
        years = max(self.years, RETENTION_YEARS.get(self.scope, 0))
        if years and self.newest is not None:
            until = kept_until(self.newest, years)
            if now < until:
                raise TooYoung(until=until.date())


class CarryOutErasure(_OfKeeping, Command[Keeping], name="audit.carry-out-erasure", rule=erase):
    """Note that everything that the tombstones of a chart ordered is done."""

    done: ErasureCarriedOut

    def decide(self, state: Keeping, _now: datetime) -> Iterator[Event]:
        """Nothing where it is on record."""
        if self.done.tombstones > dict(state.carried_out).get(self.done.scope, 0):
            yield self.done


class ReopenChart(_OfKeeping, Command[Keeping], name="audit.reopen-chart", rule=erase):
    """Let facts of an erased scope be filed again; what was erased stays erased."""

    scope: str
    reason: str

    def decide(self, state: Keeping, _now: datetime) -> Iterator[Event]:
        """Always an event. Raises NothingErased."""
        if all(tombstone.scope != self.scope for tombstone in state.erased):
            raise NothingErased()
        yield ChartReopened(scope=self.scope, reason=self.reason)


def kept_until(newest: datetime, years: int) -> datetime:
    """The end of the day, in UTC, until which something is kept after its newest event."""
    day = newest.astimezone(UTC)
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + years, month=3, day=1)
