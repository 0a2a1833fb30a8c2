"""Which keys an erasure destroys, and what must be deleted while they still open it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import NamedTuple

from adapters.keys import BASE_CLASS, DataKey, KeyRecord
from adapters.postgres.holdings import Held, Holdings, codes_of
from api.house import House
from domain.audit import AUDIT, EVERYTHING, NoKeyOfItsOwn
from domain.kernel.command import Reserved
from domain.kernel.refusal import NotFound
from projections.catalogue import PERMISSIONS

MODELS = ("audit", *PERMISSIONS)
"""What has to be read before anything is decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be erased of a chart: EVERYTHING, AUDIT, a sensitivity code, or an item."""

    chart: str
    scope: str = EVERYTHING
    item: str | None = None

    @property
    def told(self) -> str:
        """As the tombstone says it."""
        return self.item or self.scope


class Home(NamedTuple):
    """Where an object belongs, too."""

    chart: str
    category: str


@dataclass(slots=True)
class Plan:
    """What there is of it.

    `newest` is the time of the last event, `streams` those whose reservations go, `commands` those
    whose answers go, `owners` whose compartments go. `rehomed` are objects that something else
    names, which get a key there; `left` are earlier statements without the label.
    """

    keys: set[str] = field(default_factory=set)
    objects: set[str] = field(default_factory=set)
    streams: set[str] = field(default_factory=set)
    reserved: set[Reserved] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)
    rehomed: dict[str, Home] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)
    newest: datetime | None = None
    owners: tuple[str, ...] = ()
    events: int = 0
    left: int = 0


class Planner:
    """Looks at the log, the key store and the object store of one tenant; changes nothing."""

    def __init__(self, house: House, tenant: str) -> None:
        self._house = house
        self._tenant = tenant
        self._holdings = Holdings(house.auditor, house.keys, tenant)

    async def plan(self, wanted: Wanted) -> Plan:
        """Raises NotFound for a chart without events, and NoKeyOfItsOwn."""
        await self._house.progress.reach_head(self._tenant, MODELS, seconds=60)
        held = [one async for portion in self._holdings.of_chart(wanted.chart) for one in portion]
        if not held:
            raise NotFound()
        plan = Plan(events=len(held), types={one.type for one in held})
        chosen = await self._chosen(wanted, held, plan)
        plan.newest = max((one.at for one in chosen), default=None)
        plan.objects = {ident for one in chosen for ident in one.objects}
        # The same wish again is decided anew: what is erased stays so.
        plan.commands = {one.command for one in chosen}
        if wanted.item is None and wanted.scope != AUDIT:
            await self._set_aside(chosen, plan)
        if wanted.item is None and wanted.scope == EVERYTHING:
            await self._whole(held, plan)
        plan.rehomed = await _homes(self._holdings, held, chosen, plan.objects)
        plan.objects -= plan.rehomed.keys()
        await self._keys_of_objects(plan)
        return plan

    async def _chosen(self, wanted: Wanted, held: list[Held], plan: Plan) -> list[Held]:
        """The events that are erased; `plan` gets their keys and whose they are."""
        if wanted.item is not None:
            chosen = [one for one in held if one.stream == wanted.item]
            plan.keys = _keys_of_item(chosen)
            return chosen
        plan.owners = await self._owners(wanted)
        places = [
            place
            for owner in plan.owners
            for place in await self._house.keys.places(self._tenant, owner)
        ]
        plan.keys = {place.id for place in await self._in_scope(wanted.scope, places, held)}
        chosen = await self._sealed_below(held, plan.keys)
        if wanted.scope in (EVERYTHING, AUDIT):
            return chosen
        # What is sensitive now was stated before it was known to be.
        streams = {one.stream for one in chosen}
        earlier = [one for one in held if one.stream in streams and one not in chosen]
        plan.keys |= {one.key for one in earlier if one.alone}
        plan.left = sum(one.states and not one.alone for one in earlier)
        return [*chosen, *(one for one in earlier if one.alone)]

    async def _whole(self, held: list[Held], plan: Plan) -> None:
        """What goes with all of a chart: reservations, and the answers to commands."""
        others = [one for owner in plan.owners[1:] for one in await self._holdings.of_stream(owner)]
        plan.streams |= {*plan.owners, *(one.stream for one in held)}
        plan.types |= {one.type for one in others}
        plan.commands |= {one.command for one in (*held, *others)}
        numbers = {one.number for one in held if one.number is not None}
        plan.reserved = {Reserved("registry.person-of-chart", number) for number in numbers}

    async def _owners(self, wanted: Wanted) -> tuple[str, ...]:
        if wanted.scope != EVERYTHING:
            return (wanted.chart,)
        return (wanted.chart, *await self._holdings.alone_with(wanted.chart))

    async def _in_scope(
        self, scope: str, places: Collection[KeyRecord], held: Collection[Held]
    ) -> list[KeyRecord]:
        alive = [place for place in places if not place.destroyed]
        if scope == AUDIT:
            return [place for place in alive if place.key_class == AUDIT]
        if scope == EVERYTHING:
            return [place for place in alive if place.key_class != AUDIT]
        codes = {code for one in held for code in codes_of(one.category)}
        classes = {
            await self._house.keys.class_of(self._tenant, BASE_CLASS, category)
            for category in _categories(codes, scope)
        }
        return [place for place in alive if place.key_class in classes]

    async def _sealed_below(self, held: Collection[Held], keys: set[str]) -> list[Held]:
        """The events that these compartments seal, items below them included."""
        found = await self._house.keys.by_ids(self._tenant, {one.key for one in held})
        below = {
            ident
            for ident, key in found.items()
            if isinstance(key, DataKey) and not keys.isdisjoint({key.id, key.above})
        }
        return [one for one in held if one.key in below]

    async def _set_aside(self, chosen: Collection[Held], plan: Plan) -> None:
        """What had been set aside before anybody knew whose it was: under keys of its own."""
        sources = sorted({source for one in chosen for source in one.sources})
        reserved = [Reserved("records.set-aside", source) for source in sources]
        streams = await self._house.log.find_all(self._tenant, reserved) if reserved else {}
        for stream in set(streams.values()):
            for one in await self._holdings.of_stream(stream):
                if one.chart is None and one.alone:
                    plan.keys.add(one.key)
                    plan.objects |= one.objects
                    plan.types.add(one.type)
                    plan.commands.add(one.command)
            plan.streams.add(stream)

    async def _keys_of_objects(self, plan: Plan) -> None:
        """Keys that objects have of their own, unless what they lie below is destroyed anyway."""
        key_of = self._house.objects.inventory.key_of
        idents = {await key_of(self._tenant, ident) for ident in plan.objects} - {None}
        found = await self._house.keys.by_ids(self._tenant, {str(ident) for ident in idents})
        plan.keys |= {
            key.id
            for key in found.values()
            if isinstance(key, DataKey) and key.above is not None and key.above not in plan.keys
        }


def _keys_of_item(chosen: Collection[Held]) -> set[str]:
    """The keys of an item's events. Raises NotFound and NoKeyOfItsOwn."""
    if not chosen:
        raise NotFound()
    if any(one.states and not one.alone for one in chosen):
        raise NoKeyOfItsOwn()
    return {one.key for one in chosen if one.alone}


def _categories(codes: Collection[str], code: str) -> Iterator[str]:
    """Every category with this code that these codes can make up."""
    others = sorted({*codes} - {code})
    for count in range(len(others) + 1):
        for some in combinations(others, count):
            yield "+".join(sorted((code, *some)))


async def _homes(
    holdings: Holdings, held: Collection[Held], chosen: Collection[Held], objects: set[str]
) -> dict[str, Home]:
    """Objects that live on: other events of the chart, or the right chart of it, name them."""
    streams = {one.stream for one in chosen}
    others = [one for one in held if one.stream not in streams]
    for chart in {one.refiled for one in held if one.refiled is not None}:
        async for portion in holdings.of_chart(chart):
            others += portion
    return {
        ident: Home(one.chart, one.category)
        for one in others
        if one.chart is not None
        for ident in one.objects & objects
    }
