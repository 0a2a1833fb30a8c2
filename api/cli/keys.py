"""`anamnesis keys`: wrap keys anew, while everything goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import click
import msgspec

from adapters.keys import Rotation
from api.cli.place import named_operator, operator_actor, placed, settings_at
from api.cli.progressing import progress_bar
from api.house import House, open_house
from api.keystore import move_in, open_store, root_of
from domain.audit import RecordRotation, trail_of
from domain.kernel.perform import Request

Turn = Callable[[Rotation, str], Awaitable[int]]


@click.group()
def keys() -> None:
    """Wrap keys anew: the bodies stay as they are, and nothing is restarted."""


@keys.command(name="rotate-tenant")
@click.option("--finish", is_flag=True, help="No new version: wrap what an interrupted run left.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@named_operator
@placed
def rotate_tenant(finish: bool, as_json: bool, operator: str, reason: str, folder: Path) -> None:
    """Give every tenant's key a new version, and wrap what lies below by it."""

    async def turn(rotation: Rotation, tenant: str) -> int:
        return await rotation.tenant(tenant, lambda _count: None, new=not finish)

    _say(asyncio.run(_rotated(folder, (operator, reason), "tenant", turn)), as_json)


@keys.command(name="rotate-root")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@named_operator
@placed
def rotate_root(as_json: bool, operator: str, reason: str, folder: Path) -> None:
    """Make a new root key and wrap every tenant's key by it. Put the new root into escrow.

    The old root's file is kept under a name of its own: destroy it together with the copies of the
    key store that it opens. Interrupted, the same command goes on.
    """

    async def turn(rotation: Rotation, tenant: str) -> int:
        return await rotation.root(tenant, lambda _count: None)

    _say(asyncio.run(_rotated(folder, (operator, reason), "root", turn)), as_json)


@keys.command(name="move-in")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@placed
def move_in_(file: Path, as_json: bool, folder: Path) -> None:
    """Put the keys of FILE, a key store or its backup, into the PostgreSQL of ANAMNESIS_KEYS_DSN.

    While nothing serves. What is there stays, what either destroyed is destroyed; interrupted, the
    same command goes on. Shred FILE afterwards: it is a copy of every key.
    """
    with settings_at(folder) as settings:
        moved = asyncio.run(move_in(settings, file))
    if as_json:
        click.echo(msgspec.json.encode({"moved": moved}))
    else:
        click.echo(f"{moved} keys were put into the store; shred {file.name} now")


async def _rotated(
    folder: Path, named: tuple[str, str], what: str, turn: Turn
) -> dict[str, object]:
    with settings_at(folder) as settings:
        root = root_of(settings)
        if what == "root":
            root.begin()
        store = open_store(settings)
        try:
            async with open_house(settings) as house:
                wrapped = await _each(house, Rotation(root, store), named, what, turn)
                retired = root.conclude(house.log.now()) if what == "root" else None
        finally:
            await store.close()
    return {"wrapped": wrapped, "retired": None if retired is None else retired.name}


async def _each(
    house: House, rotation: Rotation, named: tuple[str, str], what: str, turn: Turn
) -> dict[str, int]:
    """Each tenant's turn, on record before the next one's."""
    wrapped, known = {}, await house.tenants()
    with progress_bar(f"wrapping {what} keys") as moved:
        for number, tenant in enumerate(known, 1):
            wrapped[tenant] = await turn(rotation, tenant)
            who = operator_actor(tenant, *named)
            wish = RecordRotation(
                trail=trail_of(who, house.log.now()),
                what=what,
                keys=wrapped[tenant],
                reason=named[1],
            )
            await house.do(Request(command=wish, actor=who, key=str(uuid4())))
            moved(number, len(known))
    return wrapped


def _say(told: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(told))
        return
    wrapped = told["wrapped"]
    if isinstance(wrapped, dict):
        for tenant, count in wrapped.items():
            click.echo(f"{tenant}: {count} keys are wrapped anew")
    if told["retired"]:
        click.echo(f"the old root is kept as {told['retired']}; put the new one into escrow")
