"""Carrying an erasure out: the tombstone, what keys still open, the keys, the rows.

Each step can be repeated, so that whatever interrupts it, the same command finishes it. The log
refuses what would be sealed with those keys from the tombstone on (docs/adr/0023).
"""

import contextlib
from dataclasses import dataclass
from uuid import uuid4

import asyncpg

from adapters.keys import BASE_CLASS, DataKey, KeyDestroyed
from adapters.objects import ObjectMissing
from adapters.postgres.holdings import Holdings
from adapters.postgres.sealing import Sealer
from adapters.postgres.tenant import SET_TENANT
from api.erasing.certificate import Certificate, certificate, kept
from api.erasing.planning import Home, Plan, Planner, Wanted
from api.house import House
from api.rebuilding import Moved, rebuild_models
from domain.audit import (
    EVERYTHING,
    CarryOutErasure,
    ChartErased,
    EraseChart,
    ErasureCarriedOut,
    Keeping,
    NothingToErase,
    ReopenChart,
    keeping_of,
)
from domain.kernel.context import Actor
from domain.kernel.event import Recorded, event_types
from domain.kernel.perform import Receipt, Request
from projections.catalogue import PROJECTIONS

MOST_KEYS = 1_000
"""Keys that one tombstone names: an event has at most 64 KiB."""
MOST_ROUNDS = 5
OF_PERSONS = {
    name for name, kind in event_types().items() if kind.key_class in ("person", "identity")
}
FORGET = "SELECT log_forget($1, $2, $3::uuid[], $4::bytea[], $5::bytea[])"


class StillFiling(Exception):
    """Somebody goes on filing in this chart. Stop the import that does, and erase again."""


@dataclass(slots=True)
class Done:
    """What was carried out so far."""

    keys: int = 0
    objects: int = 0
    reservations: int = 0
    models: tuple[str, ...] = ()


async def erase(
    house: House, wanted: Wanted, basis: str, who: Actor, moved: Moved, years: int = 0
) -> Certificate:
    """Erase, or finish an erasure that was interrupted. `moved` is told (step, done, of so many).

    Raises NotFound, UnderHold, TooYoung, NoKeyOfItsOwn, NothingToErase, and StillFiling.
    """
    carrier = Carrier(house, who, moved)
    planner, done = Planner(house, who.tenant), Done()
    await _check_kin(house, who.tenant, wanted.chart)
    plan = await planner.plan(wanted)
    for _ in range(MOST_ROUNDS):
        await carrier.order(wanted, plan, basis, years)
        tombstones = await carrier.tombstones(wanted.chart, wanted.told)
        if not tombstones:
            raise NothingToErase()
        await carrier.delete(plan, tombstones[-1].position, done)
        await carrier.destroy(tombstones, done)
        again = await planner.plan(wanted)
        if not again.keys:
            break
        plan = again
    else:
        raise StillFiling(wanted.chart)
    await carrier.rebuild(plan, tombstones, done)
    await carrier.conclude(wanted, plan, tombstones, done)
    return await certificate(house, who.tenant, wanted.chart)


async def reopen(house: House, chart: str, scope: str, who: Actor) -> Receipt:
    """Let facts of an erased scope be filed again. Raises NothingErased."""
    wish = ReopenChart(chart=chart, scope=scope, reason=who.reason or "")
    receipt = await house.do(Request(command=wish, actor=who, key=str(uuid4())))
    carrier = Carrier(house, who, lambda *_: None)
    gone = {key for one in await carrier.tombstones(chart, scope) for key in keys_of(one)}
    newest = {place.key_class: place for place in await house.keys.places(who.tenant, chart)}
    for key_class, place in newest.items():  # of each class the last epoch
        if place.destroyed and place.id in gone:
            await house.keys.open_epoch(who.tenant, chart, key_class)
    return receipt


async def _check_kin(house: House, tenant: str, chart: str) -> None:
    """A hold on one chart of a patient holds those that were merged with it. Raises UnderHold."""
    for kin in await Holdings(house.auditor, house.keys, tenant).kin(chart):
        (await keeping(house, tenant, kin)).check_free()


async def keeping(house: House, tenant: str, chart: str) -> Keeping:
    """What is to be kept and what was erased of a chart."""
    state = Keeping.initial(keeping_of(chart))
    for recorded in await kept(house, tenant, chart):
        state = state.evolve(recorded.event)
    return state


def keys_of(tombstone: Recorded) -> tuple[str, ...]:
    """The keys that a tombstone names."""
    return tombstone.event.keys if isinstance(tombstone.event, ChartErased) else ()


def _erases(recorded: Recorded, scope: str) -> bool:
    """Whether it is a tombstone of this scope."""
    return isinstance(recorded.event, ChartErased) and recorded.event.scope == scope


class Carrier:
    """The steps, for one operator."""

    def __init__(self, house: House, who: Actor, moved: Moved) -> None:
        self._house = house
        self._who = who
        self._tenant = who.tenant
        self._moved = moved

    async def order(
        self, wanted: Wanted, plan: Plan, basis: str, years: int, *, again: bool = False
    ) -> None:
        """The tombstones of these keys."""
        keys = sorted(plan.keys)
        for low in range(0, max(len(keys), 1), MOST_KEYS):
            await self._do(
                EraseChart(
                    chart=wanted.chart,
                    scope=wanted.told,
                    basis=basis,
                    reason=self._who.reason or "",
                    keys=tuple(keys[low : low + MOST_KEYS]),
                    owners=plan.owners,
                    objects=len(plan.objects) if low == 0 else 0,
                    newest=plan.newest,
                    years=years,
                    again=again,
                )
            )

    async def tombstones(self, chart: str, scope: str) -> list[Recorded]:
        """Those of a chart and a scope, oldest first."""
        events = await kept(self._house, self._tenant, chart)
        return [one for one in events if _erases(one, scope)]

    async def delete(self, plan: Plan, tombstone: int, done: Done) -> None:
        """What is found only while the keys still open it: received bytes and reservations.

        Bytes that something else names get a key there first.
        """
        for ident, home in sorted(plan.rehomed.items()):
            await self._rehome(ident, home)
        for count, ident in enumerate(sorted(plan.objects), 1):
            done.objects += await self._house.objects.delete(self._tenant, ident)
            self._moved("objects", count, len(plan.objects))
        sealer = Sealer(self._house.keys)
        commands = [bytes.fromhex(one) for one in sorted(plan.commands)]
        hashes = [await sealer.reservation_key(self._tenant, one) for one in plan.reserved]
        connection = await asyncpg.connect(self._house.settings.role_dsn("worker"))
        try:
            async with connection.transaction():
                await connection.execute(SET_TENANT, self._tenant)
                done.reservations += await connection.fetchval(
                    FORGET, self._tenant, tombstone, sorted(plan.streams), hashes, commands
                )
        finally:
            await connection.close()

    async def _rehome(self, ident: str, home: Home) -> None:
        keys, tenant = self._house.keys, self._tenant

        async def find(key: str) -> DataKey:
            return await keys.by_id(tenant, key)

        key_class = await keys.class_of(tenant, BASE_CLASS, home.category)
        with contextlib.suppress(KeyDestroyed, ObjectMissing):
            key = await keys.item(tenant, home.chart, key_class)
            await self._house.objects.rehome(tenant, ident, find, key)

    async def destroy(self, tombstones: list[Recorded], done: Done) -> None:
        """Every key that a tombstone names, and all below it."""
        orders = [
            (key, recorded.header.event, recorded.position)
            for recorded in tombstones
            for key in keys_of(recorded)
        ]
        for count, order in enumerate(orders, 1):
            await self._house.keys.destroy(self._tenant, *order)
            self._moved("keys", count, len(orders))
        done.keys = len(orders)

    async def rebuild(self, plan: Plan, tombstones: list[Recorded], done: Done) -> None:
        """The read models of what was erased: their old files are gone, not only their rows."""
        types = plan.types | (OF_PERSONS if _takes_persons(tombstones) else set())
        concerned = [one for one in PROJECTIONS if not types.isdisjoint(one.types)]
        await rebuild_models(self._house, concerned, self._moved)
        done.models = tuple(one.name for one in concerned)

    async def conclude(
        self, wanted: Wanted, plan: Plan, tombstones: list[Recorded], done: Done
    ) -> None:
        """On record that it is done; what a run before this one did stands in the tombstones."""
        erased = [one.event for one in tombstones if isinstance(one.event, ChartErased)]
        whole = wanted.item is None and wanted.scope == EVERYTHING
        event = ErasureCarriedOut(
            scope=wanted.told,
            tombstones=len(tombstones),
            events=plan.events,
            account_kept=whole and not _takes_persons(tombstones),
            keys=done.keys,
            objects=sum(tombstone.objects for tombstone in erased),
            reservations=done.reservations,
            models=done.models,
            left=plan.left,
        )
        await self._do(CarryOutErasure(chart=wanted.chart, done=event))

    async def _do(self, command: EraseChart | CarryOutErasure) -> None:
        await self._house.do(Request(command=command, actor=self._who, key=str(uuid4())))


def _takes_persons(tombstones: list[Recorded]) -> bool:
    """Whether the chart's person goes along, as the tombstones say."""
    return any(
        isinstance(one.event, ChartErased) and len(one.event.owners) > 1 for one in tombstones
    )
