"""Items: what a source states again and again, as its newest statement, its labels and its end.

A stream per item; its events state the whole content. What staff said of the labels outlives later
statements of the source, and what was withdrawn stays withdrawn until the source states something
else. FHIR R4 `entered-in-error`; HL7 DS4P.
"""

from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar, cast, runtime_checkable

from domain.kernel.command import Filed, Stream
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.labels import STAFF, Label
from domain.kernel.refusal import NotFound, RecordErased, Refusal
from domain.kernel.values import Source

T = TypeVar("T")


@runtime_checkable
class Statement(Protocol):
    """An event that states an item's whole content."""

    @property
    def content(self) -> object:
        """The content."""

    @property
    def labels(self) -> tuple[Label, ...]:
        """Its sensitivity labels."""

    @property
    def source(self) -> Source | None:
        """Who stated it."""


@runtime_checkable
class Withdrawal(Protocol):
    """An event that ends an item: it should never have been in this chart."""

    @property
    def withdrawn(self) -> str:
        """The id of the item."""


class InThisChart(Refusal):
    """The entry is in this chart already. Choose the chart that it belongs to."""


class UnknownChart(Refusal):
    """There is no chart of this id. Choose the chart that the entry belongs to."""


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """An item as it stands. What was `erased` of it stays so: nothing is stated of it any more."""

    id: str
    content: T | None = None
    labels: tuple[Label, ...] = ()
    source: Source | None = None
    withdrawn: bool = False
    erased: bool = False

    @classmethod
    def initial(cls, stream: str) -> "Item[T]":
        """Not stated."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Item[T]":
        """The item after an event."""
        if isinstance(event, Erased):
            return replace(self, erased=True)
        if isinstance(event, Withdrawal):
            return replace(self, withdrawn=True)
        if not isinstance(event, Statement):
            return self
        return replace(
            self,
            content=cast(T, event.content),
            labels=event.labels,
            source=event.source,
            withdrawn=False,
        )

    def news(self, content: T, labels: tuple[Label, ...]) -> tuple[Label, ...] | None:
        """The labels with which `content` is to be stated; None where it says nothing new.

        Raises RecordErased.
        """
        if self.erased:
            raise RecordErased()
        kept = self.labels if any(label.rule == STAFF for label in self.labels) else labels
        same = content == self.content
        return None if same and (self.withdrawn or kept == self.labels) else kept

    def present(self) -> T:
        """The content. Raises NotFound where it was never stated or is withdrawn."""
        if self.content is None or self.withdrawn:
            raise NotFound()
        return self.content

    def states(self, content: T) -> bool:
        """Whether it says so now: what was withdrawn says nothing."""
        return self.content == content and not self.withdrawn


Leaving = tuple[Item[T], Item[T], Filed]
"""What a withdrawal that files elsewhere sees: the item here, there, and the chart there."""


def with_target(here: Stream, there: Stream) -> tuple[Stream, ...]:
    """The item here and there, and the chart there: nothing is filed in one never opened."""
    return here, there, Stream(fold=Filed, id=there.chart, chart=there.chart)


def leaving(
    state: Item[T] | Leaving[T],
) -> tuple[Item[T], Item[T] | None]:
    """The item to withdraw and the one to file in its place, None for nowhere.

    Raises InThisChart and UnknownChart.
    """
    if isinstance(state, Item):
        return state, None
    here, there, chart = state
    if here.id == there.id:
        raise InThisChart()
    if not chart.known:
        raise UnknownChart()
    return here, there


def relabelled(codes: tuple[str, ...]) -> tuple[Label, ...]:
    """The labels as staff decided them; no codes means that nothing about it is sensitive."""
    return tuple(Label(code, STAFF) for code in sorted(set(codes))) or (Label("", STAFF),)
