"""Erasing again what a restored backup brought back: tombstones, reservations, received bytes.

The key store remembers what was erased after the backup. Its orders name events that the restored
log does not have; each gets a tombstone in this log, and the store's order is signed anew for it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping

from adapters.keys import BASE_CLASS, KeyDestroyed, KeyRecord
from adapters.postgres.holdings import Holdings
from api.erasing.carrying import Carrier, Done
from api.erasing.planning import Plan, Wanted
from api.house import House
from api.rebuilding import Moved
from domain.kernel.context import Actor
from domain.records import ResourceSetAside

PART = "part"
"""The scope of what was erased of a chart that lives on; which part, nobody knows any more."""
BASIS = "an erasure that is later than the backup"
OF_PERSONS = frozenset({"person", "identity"})


async def erase_again(
    house: House, who: Actor, groups: Mapping[str, Collection[str]], moved: Moved
) -> int:
    """Carry erasures out once more, of these keys by their charts; how many charts they concern.

    Whoever decided them asked for holds and retention then.
    """
    carrier, tenant = Carrier(house, who, moved), who.tenant
    objects = await _brought_back(house, tenant)
    for chart, group in groups.items():
        wanted, plan = await planned(house, tenant, chart, group)
        plan.objects, objects = objects, set()
        done = Done()
        await carrier.order(wanted, plan, BASIS, 0, again=True)
        tombstones = await carrier.tombstones(chart, wanted.told)
        await carrier.delete(plan, tombstones[-1].position, done)
        await carrier.destroy(tombstones, done)
        await carrier.conclude(wanted, plan, tombstones, done)
    return len(groups)


async def planned(
    house: House, tenant: str, chart: str, keys: Collection[str]
) -> tuple[Wanted, Plan]:
    """All of a chart, where its base class is gone; else a part, and the chart lives on."""
    records = await house.keys.records(tenant, keys)
    group = [records[key] for key in keys]
    holdings = Holdings(house.auditor, house.keys, tenant)
    held = [one async for portion in holdings.of_chart(chart) for one in portion]
    aside = await holdings.sealed_with(ResourceSetAside.type_name, set(keys))
    above = await house.keys.records(tenant, {one.key for one in held})
    sealed = [
        one
        for one in held
        if one.key in above and not {one.key, above[one.key].parent}.isdisjoint(keys)
    ]
    plan = Plan(
        keys=set(keys),
        streams={one.stream for one in aside},
        commands={one.command for one in (*aside, *sealed)},
        types={one.type for one in held},
        events=len(held),
        owners=(chart,),
    )
    whole = any(
        one.kind == "compartment" and one.owner == chart and one.key_class == BASE_CLASS
        for one in group
    )
    if not whole:
        return Wanted(chart=chart, scope=PART), plan
    others = {one.owner for one in group} - {tenant, chart}
    plan.owners = (chart, *sorted(others))
    plan.streams |= {*plan.owners, *(one.stream for one in held)}
    plan.commands |= {one.command for one in held}
    return Wanted(chart=chart), plan


async def by_chart(house: House, tenant: str, keys: Collection[str]) -> dict[str, list[str]]:
    """The keys by the chart of the erasure that destroyed them."""
    kept = await house.keys.kept(tenant, keys)
    records = await house.keys.records(tenant, keys)
    orders: defaultdict[str, list[str]] = defaultdict(list)
    for key, found in kept.items():
        if found is not None and found.tombstone is not None:
            orders[found.tombstone.event_id].append(key)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for group in orders.values():
        groups[_chart_of(tenant, [records[key] for key in group])] += group
    return dict(groups)


def _chart_of(tenant: str, records: Collection[KeyRecord]) -> str:
    """Whose chart it was: persons, accounts and what was the organisation's went along with it."""
    of_charts = [
        one.owner for one in records if one.owner != tenant and one.key_class not in OF_PERSONS
    ]
    return min(of_charts or [one.owner for one in records])


async def _brought_back(house: House, tenant: str) -> set[str]:
    """Received bytes that nobody can open any more."""
    sealed: defaultdict[str, set[str]] = defaultdict(set)
    async for ident in house.objects.inventory.all_of(tenant):
        sealed[await house.objects.inventory.key_of(tenant, ident) or ""].add(ident)
    found = await house.keys.by_ids(tenant, sealed.keys())
    gone = [idents for key, idents in sealed.items() if isinstance(found[key], KeyDestroyed)]
    return set().union(*gone)
