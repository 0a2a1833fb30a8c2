"""`anamnesis heads`: the newest signed head of every log, and the keys to check it with."""

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import msgspec

from api.cli.place import placed, settings_at
from api.house import House, open_house
from api.signing import head_file, head_key


@dataclass(frozen=True, slots=True)
class Told:
    """A log's newest head as this machine signed it; no note where it has signed none."""

    tenant: str
    key: str
    note: str | None


@click.command()
@click.option("--tenant", help="Only this tenant; all of them unless given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per tenant.")
@placed
def heads(tenant: str | None, as_json: bool, folder: Path) -> None:
    """Print each log's verifier key and the newest head that this machine has signed.

    Key and head are a verifier key and a checkpoint of C2SP (signed-note, tlog-checkpoint), which
    tools of others read. Give them to whoever is to hold you to your log.
    """

    async def run() -> list[Told]:
        with settings_at(folder) as settings:
            async with open_house(settings) as house:
                known = await house.tenants()
                if tenant is not None and tenant not in known:
                    raise click.UsageError(f"there is no log of tenant {tenant}")
                return [await _told(house, one) for one in ([tenant] if tenant else known)]

    for told in asyncio.run(run()):
        if as_json:
            click.echo(msgspec.json.encode(asdict(told)))
        else:
            click.echo(f"key  {told.key}\n")
            click.echo(told.note or f"{told.tenant}: no head was signed on this machine\n")


async def _told(house: House, tenant: str) -> Told:
    key = await head_key(house.keys, house.settings, tenant)
    kept = await asyncio.to_thread(head_file(house.settings, key, tenant).load)
    return Told(tenant, key.verifier().text, None if kept is None else str(kept.note))
