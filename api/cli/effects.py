"""`anamnesis effects`: what waits for a decision; once more, given up, held back, let go."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import asyncpg
import click
import msgspec

from adapters.dispatch import Effects, Stuck
from api.cli.place import named_operator, only_tenant, operator_actor, placed, settings_at
from api.dispatch import written
from api.house import House, open_house
from domain.audit import DecideEffect, SwitchDispatch, trail_of
from domain.kernel.context import Actor
from domain.kernel.perform import Request

T = TypeVar("T")
Act = Callable[[House, Effects, str], Awaitable[T]]
_TENANT = click.option("--tenant", help="Whose log; may be left out where there is one.")


@click.group()
def effects() -> None:
    """What should have followed from events and is stuck: parked in doubt, or failed for good."""


@effects.command(name="list")
@_TENANT
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each on stdout.")
@placed
def list_(tenant: str | None, as_json: bool, folder: Path) -> None:
    """List what is parked or dead, oldest first."""

    async def stuck(_house: House, table: Effects, chosen: str) -> list[Stuck]:
        return await table.stuck(chosen)

    for one in asyncio.run(_with(folder, tenant, stuck)):
        line = f"{one.id}  {one.state:6} {one.name}: {one.error}, {one.attempts} attempts"
        click.echo(msgspec.json.encode(asdict(one)) if as_json else line)


@effects.command()
@click.argument("effect")
@click.option("--drop", is_flag=True, help="Give it up instead.")
@_TENANT
@named_operator
@placed
def retry(
    effect: str, drop: bool, tenant: str | None, operator: str, reason: str, folder: Path
) -> None:
    """Do EFFECT once more, or give it up."""

    async def decided(house: House, table: Effects, chosen: str) -> bool:
        who = operator_actor(chosen, operator, reason)
        wish = DecideEffect(
            trail=trail_of(who, house.log.now()),
            effect=effect,
            decision="drop" if drop else "retry",
            reason=reason,
        )
        if effect not in {one.id for one in await table.stuck(chosen)}:
            raise click.UsageError("no such effect waits for a decision; see `effects list`")
        await _noted(house, wish, who)
        return await table.decide(chosen, effect, again=not drop)

    asyncio.run(_with(folder, tenant, decided))
    click.echo(f"{effect} is {'given up' if drop else 'due again'}")


@effects.command()
@_TENANT
@named_operator
@placed
def pause(tenant: str | None, operator: str, reason: str, folder: Path) -> None:
    """Hold back what follows from events; it is written down, and waits."""
    asyncio.run(_switched(folder, tenant, (operator, reason), paused=True, drop_due=False))
    click.echo("held back")


@effects.command()
@click.option("--drop-due", is_flag=True, help="Give up what is due by now: it was done already.")
@_TENANT
@named_operator
@placed
def resume(drop_due: bool, tenant: str | None, operator: str, reason: str, folder: Path) -> None:
    """Carry out again what was held back.

    After a restore, what is due was perhaps done after the backup: --drop-due gives it up.
    """
    named = (operator, reason)
    dropped = asyncio.run(_switched(folder, tenant, named, paused=False, drop_due=drop_due))
    click.echo(f"carried out again; {dropped} given up")


async def _switched(
    folder: Path, tenant: str | None, named: tuple[str, str], *, paused: bool, drop_due: bool
) -> int:
    async def switch(house: House, table: Effects, chosen: str) -> int:
        who = operator_actor(chosen, *named)
        trail = trail_of(who, house.log.now())
        dropped = 0
        if drop_due:
            await written(house, chosen)
            dropped = await table.due(chosen)
        wish = SwitchDispatch(trail=trail, paused=paused, reason=named[1], dropped=dropped)
        await _noted(house, wish, who)
        return await table.pause(chosen, paused=paused, drop_due=drop_due)

    return await _with(folder, tenant, switch)


async def _noted(house: House, wish: DecideEffect | SwitchDispatch, who: Actor) -> None:
    await house.do(Request(command=wish, actor=who, key=str(uuid4())))


async def _with(folder: Path, tenant: str | None, act: Act[T]) -> T:
    with settings_at(folder) as settings:
        async with open_house(settings) as house:
            chosen = await only_tenant(house, tenant)
            dsn = settings.role_dsn("worker")
            async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as pool:
                return await act(house, Effects(pool), chosen)
