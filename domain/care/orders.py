"""Orders and referrals: what was asked for, and whether its answer has come.

One stream per order, found by its id at the source, so that a result that names it can answer it
whichever of the two arrives first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.care.encounters import report
from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.items import Item
from domain.kernel.labels import Label
from domain.kernel.values import Concept, Moment, Period, Source

# FHIR request-status values of an order that still is to be carried out.
OPEN = frozenset({"active", "on-hold", "draft"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is reported of an order (FHIR ServiceRequest); `requester` and performers by name."""

    concept: Concept
    status: str
    intent: str | None = None
    referral: bool = False
    categories: tuple[Concept, ...] = ()
    authored: Moment | None = None
    planned: Period | None = None
    requester: str | None = None
    performers: tuple[str, ...] = ()
    reasons: tuple[Concept, ...] = ()
    priority: str | None = None
    encounter: str | None = None


class OrderReported(Event, name="care.order-reported", version=1):
    """The authority reported an order, or changed it; `answered` says whether a result is here."""

    order_id: str
    order: Order
    source: Source | None = None
    labels: tuple[Label, ...] = ()
    answered: bool = False

    @property
    def content(self) -> Order:
        """The order."""
        return self.order


class OrderAnswered(Event, name="care.order-answered", version=1):
    """A result of the order arrived; `order` is what was ordered, where that was known by then."""

    order_id: str
    order: Order | None = None
    source: Source | None = None
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as last reported, and whether it has its answer."""

    item: Item[Order]
    answered: bool = False

    @classmethod
    def initial(cls, stream: str) -> "Placed":
        """Not reported."""
        return cls(Item.initial(stream))

    def evolve(self, event: Event | Erased | Unknown) -> "Placed":
        """The order after an event."""
        if isinstance(event, OrderAnswered):
            return replace(self, answered=True)
        return replace(self, item=self.item.evolve(event))


def waits(order: Order, *, answered: bool) -> bool:
    """Whether this is something the patient still waits for."""
    wanted = order.intent in (None, "order", "original-order", "reflex-order", "filler-order")
    return wanted and not answered and order.status in OPEN


class ReportOrder(Command[Placed], name="care.report-order", rule=report):
    """File an order of the authority; `key` is its id there."""

    chart: str
    key: str
    order: Order
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The order of this source id."""
        return (_order(self.chart, self.key),)

    @property
    def occurred(self) -> Moment | None:
        """When it was ordered."""
        return self.order.authored

    def subject(self, _state: Placed) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Placed, _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last report."""
        labels = state.item.news(self.order, self.labels)
        if labels is not None:
            yield OrderReported(
                order_id=state.item.id,
                order=self.order,
                source=self.source,
                labels=labels,
                answered=state.answered,
            )


class AnswerOrder(Command[Placed], name="care.answer-order", rule=report):
    """Note that a result of this order is here, also before the order itself."""

    chart: str
    key: str

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The order of this source id."""
        return (_order(self.chart, self.key),)

    def subject(self, _state: Placed) -> Subject:
        """The chart."""
        return Subject(chart=self.chart)

    def decide(self, state: Placed, _now: datetime) -> Iterator[Event]:
        """Nothing for the second result."""
        item = state.item
        if not state.answered:
            yield OrderAnswered(
                order_id=item.id, order=item.content, source=item.source, labels=item.labels
            )


def _order(chart: str, key: str) -> Stream:
    return Stream(fold=Placed, reserved=Reserved("care.order", f"{chart}|{key}"), chart=chart)
