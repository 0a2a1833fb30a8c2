"""`anamnesis correct|relabel|withdraw RECORD`: one entry of a record, by an operator."""

import asyncio
from pathlib import Path
from typing import TextIO
from uuid import uuid4

import click

from api.app import ids_of
from api.cli.place import house_at, named_operator, only_tenant, operator_actor, placed
from api.context import Operation
from domain.kernel.refusal import NotFound
from schema.kernel.context import Amendment

_TENANT = click.option("--tenant", help="Whose log; may be left out where there is one.")
_VERSION = click.option("--expected-version", type=int, help="Refuse where it is another one now.")


async def _amend(
    folder: Path, tenant: str | None, named: tuple[str, str], wish: Amendment, refile: str | None
) -> str:
    async with house_at(folder) as house:
        chosen = await only_tenant(house, tenant)
        ids = await ids_of(house, chosen)
        try:
            record = ids.reveal("record", wish.record)
            chart = None if refile is None else ids.reveal("chart", refile)
        except NotFound:
            raise click.UsageError("an entry is record_..., a chart is chart_...") from None
        operation = Operation(house, operator_actor(chosen, *named), ids, str(uuid4()))
        operation.begin("command line")
        whole = Amendment(
            record=record,
            reason=wish.reason,
            expected_version=wish.expected_version,
            resource=wish.resource,
            codes=wish.codes,
            refile_to=chart,
        )
        try:
            receipt, reach = await operation.entries.amend(whole, str(uuid4()))
        finally:
            await operation.settle()
            await operation.close()
        done = "nothing to change" if receipt.last is None else f"position {receipt.last}"
        return f"{done}; {len(reach.people)} accounts had seen it"


@click.command()
@click.argument("record")
@click.option("--resource", type=click.File("r", "utf-8"), required=True, help="FHIR R4 JSON.")
@_VERSION
@_TENANT
@named_operator
@placed
def correct(
    record: str,
    resource: TextIO,
    expected_version: int | None,
    tenant: str | None,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """Replace an entry by a corrected resource; the earlier one stays in its history."""
    wish = Amendment(
        record=record,
        reason=reason,
        expected_version=expected_version,
        resource=resource.read(),
    )
    click.echo(asyncio.run(_amend(folder, tenant, (operator, reason), wish, None)))


@click.command()
@click.argument("record")
@click.option("--label", "labels", multiple=True, help="A sensitivity code; none for no longer.")
@_VERSION
@_TENANT
@named_operator
@placed
def relabel(
    record: str,
    labels: tuple[str, ...],
    expected_version: int | None,
    tenant: str | None,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """Give an entry other sensitivity labels."""
    wish = Amendment(record=record, reason=reason, expected_version=expected_version, codes=labels)
    click.echo(asyncio.run(_amend(folder, tenant, (operator, reason), wish, None)))


@click.command()
@click.argument("record")
@click.option("--refile-to", help="The chart that it belongs to (chart_...).")
@_VERSION
@_TENANT
@named_operator
@placed
def withdraw(
    record: str,
    refile_to: str | None,
    expected_version: int | None,
    tenant: str | None,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """Take an entry out of a chart that it never belonged to."""
    wish = Amendment(record=record, reason=reason, expected_version=expected_version)
    click.echo(asyncio.run(_amend(folder, tenant, (operator, reason), wish, refile_to)))
