"""Resources that wait for a later owner: kept as received, counted by type, shown to nobody yet.

One stream per resource of a source, in its chart, or of the organisation where no patient is meant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Event
from domain.kernel.items import Item
from domain.kernel.labels import Label
from domain.kernel.values import Moment, Source
from domain.records.filing import file


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What is known of a resource without reading it: its type, its status and its date."""

    type: str
    status: str | None = None
    date: Moment | None = None
    digest: str | None = None


class ResourceKept(Event, name="records.resource-kept", version=1):
    """A resource of a type that nobody reads yet was kept with its received bytes."""

    item: str
    resource: Resource
    source: Source | None = None
    labels: tuple[Label, ...] = ()

    @property
    def content(self) -> Resource:
        """The resource."""
        return self.resource


class KeepResource(Command[Item[Resource]], name="records.keep-resource", rule=file):
    """Keep a resource of a source; `key` is its id there, `chart` whose it is, if anybody's."""

    chart: str | None
    key: str
    resource: Resource
    source: Source
    labels: tuple[Label, ...] = ()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The resource of this source id."""
        reserved = Reserved("records.kept", f"{self.chart or ''}|{self.key}")
        return (Stream(fold=Item, reserved=reserved, chart=self.chart),)

    @property
    def occurred(self) -> Moment | None:
        """Its date."""
        return self.resource.date

    def subject(self, _state: Item[Resource]) -> Subject:
        """The chart, or the organisation."""
        return Subject(chart=self.chart)

    def decide(self, state: Item[Resource], _now: datetime) -> Iterator[Event]:
        """An event when other bytes were received."""
        labels = state.news(self.resource, self.labels)
        if labels is not None:
            yield ResourceKept(
                item=state.id, resource=self.resource, source=self.source, labels=labels
            )
