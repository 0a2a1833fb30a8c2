"""`anamnesis repair [ID]`: what was set aside, listed, filed after all, or dismissed."""

import asyncio
from pathlib import Path

import click
import msgspec

from api.cli.place import house_at, named_operator, only_tenant, operator_actor, placed
from api.context import Operation
from api.house import House
from api.opaque import OpaqueIds
from domain.kernel.context import Actor
from domain.records import DismissResource, RepairResource
from schema.kernel.context import Aside

PAGE = 100


@click.command()
@click.argument("resource", required=False)
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The corrected FHIR JSON; without it the kept bytes are tried again.",
)
@click.option("--dismiss", is_flag=True, help="It will not be filed.")
@click.option("--why", "only", help="List only what was set aside for this reason code.")
@click.option("--tenant", help="Whose log; may be left out where there is one.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, a line for each resource.")
@named_operator
@placed
def repair(
    resource: str | None,
    file: Path | None,
    dismiss: bool,
    only: str | None,
    tenant: str | None,
    as_json: bool,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """List what could not be imported, or file one resource after all.

    Without ID: the list, newest first. With ID: its kept bytes go through the import again, or
    those of --file; --dismiss closes it without filing.
    """
    content = None if file is None else file.read_bytes()
    named = (operator, reason)
    if resource is None:
        for one in asyncio.run(_listed(folder, tenant, named, only)):
            click.echo(_json(one) if as_json else _line(one))
        return
    position = asyncio.run(_settled(folder, tenant, named, resource, content, dismiss=dismiss))
    told = {"id": resource, "settled": True, "position": position}
    done = f"{resource} is {'dismissed' if dismiss else 'filed'}."
    click.echo(msgspec.json.encode(told) if as_json else done)


async def _listed(
    folder: Path, tenant: str | None, named: tuple[str, str], only: str | None
) -> list[Aside]:
    async with house_at(folder) as house:
        operation = await _operation(house, tenant, named)
        await house.progress.reach_head(operation.tenant, ("aside",), seconds=60)
        found: list[Aside] = []
        more = True
        while more:
            before = found[-1].position if found else None
            page, more = await operation.desk.set_aside(PAGE, before, only)
            found += page
        await operation.settle()
        return found


async def _settled(
    folder: Path,
    tenant: str | None,
    named: tuple[str, str],
    resource: str,
    content: bytes | None,
    *,
    dismiss: bool,
) -> int | None:
    async with house_at(folder) as house:
        operation = await _operation(house, tenant, named)
        await house.progress.reach_head(operation.tenant, ("aside",), seconds=60)
        key = f"repair|{resource}|{named[1]}"
        if dismiss:
            receipt = await operation.do(DismissResource(resource=resource, reason=named[1]), key)
        else:
            wish = RepairResource(resource=resource, how=named[1])
            receipt = await operation.desk.repair(wish, content, key)
        await operation.settle()
        return receipt.last


async def _operation(house: House, tenant: str | None, named: tuple[str, str]) -> Operation:
    actor: Actor = operator_actor(await only_tenant(house, tenant), *named)
    ids = OpaqueIds(actor.tenant, await house.keys.tenant_secret(actor.tenant, "opaque-id"))
    operation = Operation(house, actor, ids, "cli")
    operation.begin("repair")
    return operation


def _line(one: Aside) -> str:
    where = f" at {one.at}" if one.at else ""
    return f"{one.id}  {one.original.type}: {one.reason}{where}  since {one.since:%Y-%m-%d %H:%M}"


def _json(one: Aside) -> bytes:
    return msgspec.json.encode(
        {
            "id": one.id,
            "type": one.original.type,
            "reason": one.reason,
            "at": one.at,
            "source": one.original.system,
            "identifier": one.original.id,
            "entry": one.index,
            "version": one.version,
            "since": one.since.isoformat(),
        }
    )
