"""`anamnesis verify`: every leaf, the root, clear columns, versions and keys, recomputed."""

import asyncio
from dataclasses import asdict
from pathlib import Path

import click
import msgspec

from adapters.postgres.verification import TenantUnknown
from adapters.proofs.anchors import Anchor, AnchorUnreadable, anchors_in
from api.cli.place import placed, settings_at
from api.cli.progressing import progress_bar
from api.house import House, open_house
from api.signing import signed_anchors, taken_heads
from api.verifying import verification


@click.command()
@click.option("--tenant", help="Only this tenant; all of them unless given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per tenant on stdout.")
@click.option(
    "--anchors",
    "anchored",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file of roots kept outside (`anamnesis anchor`), which the log must still have.",
)
@click.option(
    "--heads",
    "copies",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    help="A file of signed heads that was taken outside (ANAMNESIS_HEADS_FILE); may be repeated.",
)
@placed
def verify(
    tenant: str | None,
    as_json: bool,
    anchored: Path | None,
    copies: tuple[Path, ...],
    folder: Path,
) -> None:
    """Check the whole log; exit 1 and name the first wrong position when something is wrong.

    The log must still begin with what this machine signed last. No log at all is wrong, too.
    """

    try:
        anchors = anchors_in(anchored.read_text("utf-8")) if anchored else []
        heads = [path.read_text("utf-8") for path in copies]
    except AnchorUnreadable as error:
        raise click.UsageError(f"{type(error).__doc__} [{error}]") from error
    except (OSError, UnicodeError) as error:
        raise click.UsageError(f"a file cannot be read: {type(error).__name__}") from error

    async def run() -> bool:
        with settings_at(folder) as settings:
            async with open_house(settings) as house:
                known = await house.tenants()
                taken = taken_heads(settings, *heads)
                held_to = {*taken, *(one.tenant for one in anchors)}
                chosen = [tenant] if tenant else sorted({*known, *held_to})
                checked = []
                for name in chosen:
                    if name not in known:
                        checked.append(_gone(name, name in held_to, as_json))
                        continue
                    held = [*anchors, *await signed_anchors(house, name, taken)]
                    checked.append(await _one(house, name, as_json, held))
                return bool(checked) and all(checked)

    raise SystemExit(0 if asyncio.run(run()) else 1)


def _gone(tenant: str, was_there: bool, as_json: bool) -> bool:
    """False for a log that heads outside speak of and that is not there. Raises a usage error."""
    if not was_there:
        raise click.UsageError(f"there is no log of tenant {tenant}")
    if as_json:
        click.echo(msgspec.json.encode({"tenant": tenant, "events": 0, "gone": True, "ok": False}))
    else:
        click.echo(f"{tenant}: WRONG: heads of this log were signed, and there is no log")
    return False


async def _one(house: House, tenant: str, as_json: bool, anchors: list[Anchor]) -> bool:
    try:
        with progress_bar(f"verifying {tenant}") as moved:
            answer = await verification(house, tenant, anchors, moved)
    except TenantUnknown as error:
        raise click.UsageError(f"there is no log of tenant {tenant}") from error
    if as_json:
        click.echo(msgspec.json.encode({**asdict(answer), "ok": answer.ok}))
        return answer.ok
    rate = answer.events / answer.seconds if answer.seconds else 0
    click.echo(f"{tenant}: {answer.events} events in {answer.seconds:.2f} s ({rate:,.0f}/s)")
    click.echo(f"  root {answer.root}")
    if answer.first_wrong is not None:
        first = answer.first_wrong
        click.echo(f"  WRONG at position {first.position}: {first.code} ({first.detail})")
        click.echo(f"  {len(answer.wrongs)} findings in all; --json lists them")
    else:
        click.echo("  every leaf, the root, clear columns, versions and keys are as written")
    if answer.erased_keys:
        click.echo(
            f"  {answer.erased_keys} keys were destroyed by erasures; their events are proven"
        )
    if answer.erased_later:
        click.echo(f"  {len(answer.erased_later)} erasures are later than this copy of the log")
    return answer.ok
