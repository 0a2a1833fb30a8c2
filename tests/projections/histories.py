"""Random histories: what may happen to a chart and to those who belong to it, from one seed.

A history is drawn from every registered event type that a projection opens, so a type that is
added is drawn too. Some events are sealed under a key that is destroyed before anything is
projected, some are of a newer version than this release knows, some cannot be projected.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

from adapters.postgres.rows import check_values
from domain.kernel.event import Event
from domain.kernel.log import Draft
from domain.kernel.readmodel import Projection
from projections.catalogue import PROJECTIONS
from tests.contracts.samples import BY_NAME, FIRST, SECOND
from tests.projections.recorded import recorded
from tests.strategies import drawn

WITHOUT_CHART = ("directory.", "identity.", "registry.chart-linked")
OWN = {name for name, value in BY_NAME.items() if value == FIRST} - {"chart", "person"}
IDS = {name for name, value in BY_NAME.items() if value in (FIRST, SECOND)}
ERASED, NEWER, POISONED = 0.12, 0.04, 0.01
STREAMS = 2
"""Streams of a history per capability: few, so that events meet."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a history; `shredded` when its own key is destroyed at once."""

    event: Event
    stream: str
    chart: str | None
    shredded: bool

    def draft(self, shredder: str) -> Draft:
        """As it is appended; `shredder` owns the keys that are destroyed."""
        owner = shredder if self.shredded else self.chart or self.stream
        return Draft(stream=self.stream, event=self.event, chart=self.chart, owner=owner)


@dataclass(frozen=True, slots=True)
class History:
    """What happened, in order; the seed alone gives it again."""

    seed: str
    chart: str
    poisoned: bool
    happenings: tuple[Happening, ...]

    @property
    def ids(self) -> Iterator[str]:
        """Every id of its own by which a row can be known."""
        yield self.chart
        yield from {happening.stream for happening in self.happenings}

    def __str__(self) -> str:
        """For the one who looks into a difference."""
        told = (
            f"  {h.event.type_name} v{h.event.type_version} in {h.stream}"
            f"{' erased' * h.shredded}: {h.event}"
            for h in self.happenings
        )
        return "\n".join((f"history {self.seed} of chart {self.chart}", *told))


def history(seed: str) -> History:
    """One to three events for each projection, in any order."""
    random = Random(seed)
    chart = fresh(random)
    poisoned = random.random() < POISONED
    kinds = [
        kind
        for known in PROJECTIONS
        for kind in random.choices(known.opens, k=random.randint(1, 3))
    ]
    random.shuffle(kinds)
    streams: dict[str, list[str]] = {}
    happenings = []
    for kind in kinds:
        capability = kind.type_name.partition(".")[0]
        own = streams.setdefault(capability, [fresh(random) for _ in range(STREAMS)])
        stream = chart if kind.type_name.startswith("registry.chart-o") else random.choice(own)
        happenings.append(_happening(kind, stream, chart, random, poisoned))
    return History(seed, chart, poisoned, tuple(happenings))


def fresh(random: Random) -> str:
    """A random UUID of a seeded generator."""
    return str(UUID(int=random.getrandbits(128), version=4))


def _happening(
    kind: type[Event], stream: str, chart: str, random: Random, poisoned: bool
) -> Happening:
    def ident(name: str) -> str | None:
        if poisoned and random.random() < 0.1:
            return "a\0b"
        if name == "merged" and random.random() < 0.5:
            return chart
        if name in OWN:
            return stream
        return (chart if name == "chart" else fresh(random)) if name in IDS else None

    event = drawn(kind, random, ident)
    about = None if kind.type_name.startswith(WITHOUT_CHART) else chart
    if about is None or not poisoned:
        event = _projectable(event, random)
    if random.random() < NEWER:
        event = newer(kind)
    return Happening(event, stream, about, random.random() < ERASED)


def _projectable(event: Event, random: Random) -> Event:
    """The event with ids wherever one of its projections puts a text into an id's column."""
    for known in _projections_of(type(event)):
        try:
            check_values(known.project(recorded(event)))
        except ValueError:
            texts = {name: fresh(random) for name, value in _texts(event)}
            return replace(event, **texts)
    return event


def _texts(event: Event) -> Iterator[tuple[str, str]]:
    for name in event.__dataclass_fields__:
        value = getattr(event, name)
        if isinstance(value, str):
            yield name, value


def _projections_of(kind: type[Event]) -> Iterator[Projection]:
    return (known for known in PROJECTIONS if kind in known.opens)


@dataclass(frozen=True)
class Newer:
    """An event of a version that this release does not know."""

    unheard_of: str = "of"


def newer(kind: type[Event]) -> Any:
    """The same name, in the next version and with other fields."""
    members = {name: getattr(kind, name) for name in ("type_name", "key_class", "item_key")}
    members |= {
        "category": "",
        "type_version": kind.type_version + 1,
        "withdraws_access": kind.withdraws_access,
        "sealed_alone": kind.item_key,
        "destroys": (),
    }
    return type("Newer", (Newer,), members)()
