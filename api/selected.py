"""What somebody selects of the log, complete up to its head, and that they did: on record first."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import uuid4

from adapters.postgres.trail import Trail
from api.house import House
from domain import audit
from domain.audit import RecordReplay, Selection
from domain.kernel.context import Actor
from domain.kernel.perform import Request

TRAIL_SECONDS = 60
"""How long it may take until the trail has the log's last event."""


async def positions_of(
    house: House, selection: Selection, who: Actor, types: Collection[str] | None = None
) -> list[int]:
    """The positions of what is selected; of these types only, if given. Raises PositionTimeout."""
    trail = Trail(house.auditor, house.keys, who.tenant)
    head = await trail.head()
    await house.progress.reach(who.tenant, head, ["audit"], seconds=TRAIL_SECONDS)
    bounded = replace(selection, upto=min(head, selection.upto or head))
    return await trail.positions(bounded, types=types)


async def put_on_record(
    house: House, what: str, positions: Sequence[int], who: Actor, chart: str | None = None
) -> None:
    """That somebody is about to see these events."""
    wish = RecordReplay(
        trail=audit.trail_of(who, house.log.now()),
        selection=what,
        count=len(positions),
        chart=chart,
        first=positions[0] if positions else None,
        last=positions[-1] if positions else None,
    )
    await house.do(Request(command=wish, actor=who, key=str(uuid4())))
