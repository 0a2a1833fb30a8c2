"""Steps: replay, verification, rebuild: what the log keeps."""

import asyncio

import asyncpg

from api.cli.rebuild import rebuilt
from api.cli.replay import replayed
from api.verifying import verification
from demo.people import ORGANIZATIONS
from demo.walk.reading import RECORD
from demo.walk.world import World, hold
from domain.audit import AccessRefused, AuditReplayed, ListViewed, Selection
from domain.kernel.context import Actor
from domain.kernel.event import Recorded
from projections.catalogue import PROJECTIONS


async def replay_on_record(world: World) -> str:
    """An operator replays Rosa's chart in order; the replay itself is an event before it."""
    chart = world.demo.stored.charts["rosa"]
    before = await world.head("riverside")
    operator = Actor(
        tenant="riverside", id="walker", kind="operator", client="demo", reason="the walk"
    )
    shown: list[Recorded] = []
    noted_first = False
    async for event in replayed(world.demo.house, Selection(chart=chart), operator):
        if not shown:
            noted_first = await world.head("riverside") > before
        shown.append(event)
    positions = [event.position for event in shown]
    hold(len(shown) > 100, f"only {len(shown)} events")
    hold(positions == sorted(set(positions)), "not in the order of the log")
    hold(all(chart in _about(event) for event in shown), "events of another chart")
    hold(noted_first, "events were shown before the replay was on record")
    noted = [e for e in await world.since("riverside", before) if _is_replay(e)]
    hold(len(noted) == 1, f"{len(noted)} replays on record")
    hold(noted[0].context.reason == "the walk", "the reason is not on record")
    return f"{len(shown)} events; the replay is on record with operator and reason"


def _about(recorded: Recorded) -> tuple[str | None, ...]:
    """The charts of an event; a refusal and the manifest of a list name theirs in the body."""
    match recorded.event:
        case AccessRefused(chart=chart):
            return (chart,)
        case ListViewed(entries=entries):
            return tuple(entry.chart for entry in entries)
    return (recorded.header.chart,)


def _is_replay(event: Recorded) -> bool:
    return isinstance(event.event, AuditReplayed)


async def log_verifies(world: World) -> str:
    """Every leaf and the root of both logs are as written."""
    said = []
    for tenant in ORGANIZATIONS:
        answer = await verification(world.demo.house, tenant)
        hold(answer.ok, f"{tenant}: wrong at {answer.first_wrong}")
        hold(answer.events == await world.head(tenant), f"{tenant}: not every event was checked")
        said.append(f"{tenant} {answer.events} events, root {answer.root[:12]}")
    return "; ".join(said)


async def tampering_named(world: World) -> str:
    """One byte of one body changed by the superuser: verify names exactly that position."""
    position = max(1, await world.head("lakeside") // 2)
    body = await world.owner.fetchval(
        "SELECT body FROM event WHERE tenant = 'lakeside' AND position = $1", position
    )
    await _overwrite(world.owner, position, body[:-1] + bytes([body[-1] ^ 1]))
    try:
        answer = await verification(world.demo.house, "lakeside")
    finally:
        await _overwrite(world.owner, position, body)
    hold(not answer.ok, "the change was not seen")
    first = answer.first_wrong
    hold(first is not None and first.position == position, f"named {first}")
    healed = await verification(world.demo.house, "lakeside")
    hold(healed.ok, "the log does not verify after the byte was put back")
    return f"position {position} named"


async def _overwrite(owner: asyncpg.Connection, position: int, body: bytes) -> None:
    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute(
            "UPDATE event SET body = $2 WHERE tenant = 'lakeside' AND position = $1",
            position,
            body,
        )


async def rebuild_same_rows(world: World) -> str:
    """Every read model rebuilt from the log shows the same record, and reads go on meanwhile."""
    before = (await world.ask("rosa", RECORD)).data
    rows = 0
    for which in PROJECTIONS:
        rebuilding = asyncio.create_task(
            rebuilt(world.demo.house, which, lambda _done, _total: None)
        )
        while not rebuilding.done():
            during = await world.ask("rosa", RECORD)
            hold(during.status == 200 and during.data == before, f"{which.name}: a read failed")
        outcome = await rebuilding
        hold(outcome.poisoned == 0, f"{which.name}: {outcome.poisoned} events set aside")
        rows += sum(outcome.rows.values())
    after = (await world.ask("rosa", RECORD)).data
    hold(after == before, "the rebuilt record differs")
    return f"{len(PROJECTIONS)} read models, {rows} rows, no failed read"


async def events_immutable(world: World) -> str:
    """UPDATE, DELETE and TRUNCATE of events are refused, for the owner of the database too."""
    refused = 0
    for statement in (
        "UPDATE event SET type = type WHERE false",
        "DELETE FROM event WHERE false",
        "TRUNCATE event",
    ):
        attempt = world.owner.transaction()
        await attempt.start()
        try:
            await world.owner.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            refused += 1
        finally:
            await attempt.rollback()
    hold(refused == 3, f"only {refused} of 3 refused")
    return "3 of 3 refused"
