"""`anamnesis erase|hold|lift-hold|reopen CHART`: what is destroyed for good, what must be kept."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from api.app import ids_of
from api.cli.charts import given_chart, revealed
from api.cli.place import house_at, named_operator, only_tenant, operator_actor, placed
from api.cli.progressing import progress_bar
from api.cli.registry import act, chart_argument, perform
from api.erasing import Wanted, certified
from api.erasing import erase as erased
from api.erasing import reopen as reopened
from api.house import House
from domain.audit import AUDIT, EVERYTHING, LiftHold, PlaceHold
from domain.kernel.refusal import NotFound


@click.command()
@click.argument("chart", callback=given_chart)
@click.option(
    "--class",
    "scope",
    default=EVERYTHING,
    show_default=True,
    help="A sensitivity code such as HIV, or `audit`: who looked, once its time is over.",
)
@click.option("--item", help="One entry (record_...) alone: a report, document or note.")
@click.option("--basis", required=True, help="The law or decision that demands it.")
@click.option(
    "--certificate",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the signed certificate here; it is printed in any case.",
)
@click.option("--yes", is_flag=True, help="Do not ask once more.")
@click.option("--tenant", help="Whose log; may be left out where there is one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@named_operator
@placed
def erase(chart: str, yes: bool, certificate: Path | None, as_json: bool, **named: Any) -> None:
    """Erase CHART: destroy the keys, so that nobody opens what they sealed, here or in a backup.

    What says who did what is kept by law, and events stay as proof. Nothing is undone. Where it was
    interrupted, the same command finishes it. Refused while a legal hold stands.
    """
    if not yes:
        click.confirm(f"Erase {named['item'] or named['scope']} of {chart} for good?", abort=True)
    told, note = asyncio.run(_erase(chart, named))
    if as_json:
        click.echo(msgspec.json.encode({**told, "certificate": note}))
    else:
        click.echo(note)
    if certificate is not None:
        try:
            certificate.write_text(note, "utf-8")
        except OSError as error:
            words = f"the certificate cannot be written there: {type(error).__name__}"
            raise click.ClickException(words) from error


async def _erase(chart: str, named: dict[str, Any]) -> tuple[dict[str, Any], str]:
    async with house_at(named["folder"]) as house:
        tenant = await only_tenant(house, named["tenant"])
        who = operator_actor(tenant, named["operator"], named["reason"])
        item = None if named["item"] is None else await _item(house, tenant, named["item"])
        wanted = Wanted(chart=await revealed(house, tenant, chart), scope=named["scope"], item=item)
        years = _years(house.settings.retention, wanted)
        with progress_bar("erasing") as moved:
            done = await erased(house, wanted, named["basis"], who, _steps(moved), years)
        note = await certified(house, done)
        told = {"keys": done.keys, "objects": done.objects, "remains": done.remains}
        return told, str(note)


async def _item(house: House, tenant: str, record: str) -> str:
    try:
        return (await ids_of(house, tenant)).reveal("record", record)
    except NotFound:
        raise click.UsageError("an entry is record_...") from None


def _years(retention: Mapping[str, int], wanted: Wanted) -> int:
    """How long the deployment keeps what is meant; a part for no less than everything."""
    own = 0 if wanted.item is not None else retention.get(wanted.scope, 0)
    return own if wanted.scope == AUDIT else max(own, retention.get(EVERYTHING, 0))


def _steps(moved: Callable[[int, int], None]) -> Callable[[str, int, int], None]:
    """One bar for all steps."""
    return lambda _step, done, total: moved(done, total)


@click.command()
@chart_argument("chart")
@click.option("--matter", required=True, help="What it is known by: a docket, an investigation.")
@click.option("--basis", required=True, help="The duty to keep.")
@act
def hold(chart: str, matter: str, basis: str, **named: Any) -> None:
    """Forbid to erase anything of CHART until the hold of this matter is lifted."""
    perform(lambda one: PlaceHold(chart=one, matter=matter, basis=basis), chart, **named)


@click.command(name="lift-hold")
@chart_argument("chart")
@click.option("--matter", required=True, help="What it was placed for.")
@act
def lift_hold(chart: str, matter: str, **named: Any) -> None:
    """End the hold of a matter on CHART; others stand."""
    perform(lambda one: LiftHold(chart=one, matter=matter, reason=named["reason"]), chart, **named)


@click.command()
@click.argument("chart", callback=given_chart)
@click.option("--class", "scope", default=EVERYTHING, show_default=True, help="What was erased.")
@click.option("--tenant", help="Whose log; may be left out where there is one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@named_operator
@placed
def reopen(
    chart: str,
    scope: str,
    tenant: str | None,
    as_json: bool,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """Let new facts be filed in CHART after an erasure; what was erased stays erased."""

    async def run() -> int | None:
        async with house_at(folder) as house:
            chosen = await only_tenant(house, tenant)
            who = operator_actor(chosen, operator, reason)
            receipt = await reopened(house, await revealed(house, chosen, chart), scope, who)
            return receipt.last

    position = asyncio.run(run())
    click.echo(
        msgspec.json.encode({"position": position})
        if as_json
        else f"open again, at position {position}"
    )


KEEPING = (erase, hold, lift_hold, reopen)
