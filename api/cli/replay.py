"""`anamnesis replay`: part of the log, event by event, for an operator with a reason."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import click
import msgspec

from adapters.postgres.trail import Trail
from api.cli.place import house_at, named_operator, only_tenant, operator_actor, placed
from api.cli.selecting import meant, selecting
from api.house import House
from api.selected import positions_of, put_on_record
from domain.audit import Selection
from domain.kernel.context import Actor
from domain.kernel.event import Erased, Recorded, Unknown

PAGE = 500


@click.command()
@click.option("--tenant", help="Whose log; may be left out where there is one.")
@selecting
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@named_operator
@placed
def replay(
    tenant: str | None,
    selection: Selection,
    as_json: bool,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """Show events in the order of the log. The replay itself is an event, written first."""
    if selection == Selection():
        raise click.UsageError("say what to replay: --chart, --actor, --stream, --since, --until")

    async def show() -> None:
        async with house_at(folder) as house:
            chosen = await only_tenant(house, tenant)
            about = await meant(house, chosen, selection)
            who = operator_actor(chosen, operator, reason)
            async for event in replayed(house, about, who):
                click.echo(as_line(event) if as_json else as_words(event))

    asyncio.run(show())


async def replayed(house: House, selection: Selection, who: Actor) -> AsyncIterator[Recorded]:
    """The selected events in order, after the replay is on record."""
    positions = await positions_of(house, selection, who)
    await put_on_record(house, selection.text, positions, who, selection.chart)
    trail = Trail(house.auditor, house.keys, who.tenant)
    for start in range(0, len(positions), PAGE):
        for event in await trail.events(positions[start : start + PAGE]):
            yield event


def as_line(recorded: Recorded) -> str:
    """One JSON object: position, stream version, time, header, context, event."""
    fact = recorded.event
    body: object = fact
    if isinstance(fact, Erased):
        body = {"erased": True}
    elif isinstance(fact, Unknown):
        body = {"unknown": True}
    shown = {
        "position": recorded.position,
        "version": recorded.version,
        "committed_at": recorded.committed_at,
        "header": recorded.header,
        "context": recorded.context,
        "event": body,
    }
    return msgspec.json.encode(shown).decode()


def as_words(recorded: Recorded) -> str:
    """A line for people: when, what, who, why; facts are in --json only."""
    stated, header = recorded.context, recorded.header
    about = f" chart {header.chart}" if header.chart else ""
    why = f" ({stated.reason})" if stated.reason else ""
    return (
        f"{recorded.position:>8}  {recorded.committed_at:%Y-%m-%d %H:%M:%S}  {header.type}{about}"
        f"  by {stated.actor_kind} {stated.actor}, {stated.basis}, {stated.purpose}{why}"
    )
