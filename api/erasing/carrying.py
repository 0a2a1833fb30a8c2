"""Carrying an erasure out: the tombstone, what keys still open, the keys, the rows.

Each step can be repeated, so that whatever interrupts it, the same command finishes it. The log
refuses what would be sealed with those keys from the tombstone on (docs/adr/0023).
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import asyncpg

from adapters.postgres.rebuild import Rebuild
from adapters.postgres.sealing import Sealer
from adapters.postgres.tenant import SET_TENANT
from api.erasing.certificate import Certificate, certificate
from api.erasing.planning import Plan, Planner, Wanted
from api.house import House
from domain.audit import (
    CarryOutErasure,
    ChartErased,
    EraseChart,
    Keeping,
    NothingToErase,
    ReopenChart,
    keeping_stream,
)
from domain.kernel.context import Actor
from domain.kernel.event import Recorded
from domain.kernel.perform import Receipt, Request
from projections.catalogue import PROJECTIONS

MOST_KEYS = 1_000
"""Keys that one tombstone names: an event has at most 64 KiB."""
MOST_ROUNDS = 5
FORGET = "SELECT log_forget($1, $2, $3::uuid[], $4::bytea[], $5::bytea[])"
Moved = Callable[[str, int, int], None]


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
    plan = await planner.plan(wanted)
    for _ in range(MOST_ROUNDS):
        await carrier.order(wanted, plan, basis, years)
        tombstones = await carrier.tombstones(wanted.chart)
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
    await carrier.rebuild(plan, done)
    await carrier.conclude(wanted, plan, len(tombstones), done)
    return await certificate(house, who.tenant, wanted.chart)


async def reopen(house: House, chart: str, scope: str, who: Actor) -> Receipt:
    """Let facts of an erased scope be filed again. Raises NothingErased."""
    wish = ReopenChart(chart=chart, scope=scope, reason=who.reason or "")
    receipt = await house.do(Request(command=wish, actor=who, key=str(uuid4())))
    newest = {
        place.key_class: place for place in await house.keys.places(who.tenant, chart)
    }  # in order of epochs
    for key_class, place in newest.items():
        if place.destroyed:
            await house.keys.open_epoch(who.tenant, chart, key_class)
    return receipt


class Carrier:
    """The steps, for one operator."""

    def __init__(self, house: House, who: Actor, moved: Moved) -> None:
        self._house = house
        self._who = who
        self._tenant = who.tenant
        self._moved = moved

    async def order(self, wanted: Wanted, plan: Plan, basis: str, years: int) -> None:
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
                    newest=plan.newest,
                    years=years,
                )
            )

    async def tombstones(self, chart: str) -> list[Recorded]:
        """Those of a chart, oldest first."""
        recall = await self._house.log.recall(self._tenant, b"", b"", [keeping_stream(chart)])
        events = recall.streams[0].events
        return [recorded for recorded in events if isinstance(recorded.event, ChartErased)]

    async def delete(self, plan: Plan, tombstone: int, done: Done) -> None:
        """What is found only while the keys still open it: received bytes and reservations."""
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

    async def destroy(self, tombstones: list[Recorded], done: Done) -> None:
        """Every key that a tombstone names, and all below it."""
        orders = [
            (key, recorded.header.event, recorded.position)
            for recorded in tombstones
            if isinstance(recorded.event, ChartErased)
            for key in recorded.event.keys
        ]
        for count, order in enumerate(orders, 1):
            await self._house.keys.destroy(self._tenant, *order)
            self._moved("keys", count, len(orders))
        done.keys = len(orders)

    async def rebuild(self, plan: Plan, done: Done) -> None:
        """The read models of what was erased: their old files are gone, not only their rows."""
        concerned = [one for one in PROJECTIONS if not plan.types.isdisjoint(one.types)]
        dsn = self._house.settings.role_dsn("projector")
        async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
            for count, projection in enumerate(concerned, 1):
                rebuild = Rebuild(pool, self._house.keys, projection, _silent, self._house.workers)
                await rebuild.run(await self._house.tenants())
                self._moved("read models", count, len(concerned))
        done.models = tuple(one.name for one in concerned)

    async def conclude(self, wanted: Wanted, plan: Plan, tombstones: int, done: Done) -> None:
        """On record that it is done."""
        await self._do(
            CarryOutErasure(
                chart=wanted.chart,
                scope=wanted.told,
                tombstones=tombstones,
                events=plan.events,
                account_kept=len(plan.owners) == 1 and wanted.item is None,
                keys=done.keys,
                objects=done.objects,
                reservations=done.reservations,
                models=done.models,
            )
        )

    async def _do(self, command: EraseChart | CarryOutErasure) -> None:
        await self._house.do(Request(command=command, actor=self._who, key=str(uuid4())))


async def unfinished(house: House, tenant: str, chart: str) -> bool:
    """Whether a tombstone of the chart is not carried out."""
    recall = await house.log.recall(tenant, b"", b"", [keeping_stream(chart)])
    state = Keeping.initial(recall.streams[0].id)
    for recorded in recall.streams[0].events:
        state = state.evolve(recorded.event)
    return len(state.erased) > state.carried_out


def _silent(_done: int, _total: int) -> None:
    """The steps are told, not their parts."""
