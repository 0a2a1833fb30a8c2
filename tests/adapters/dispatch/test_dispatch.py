"""What follows from events: written once, carried out once, never by a replay."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from adapters.dispatch import Effects
from adapters.postgres.trail import Trail
from api.house import House, projecting
from domain.audit import Selection
from domain.kernel.effect import Reaction
from domain.notifications import DeliveryFailed, NoticeSent
from tests.adapters.dispatch.conftest import Desk
from tests.adapters.dispatch.posting import POSTING, act, after
from tests.adapters.postgres.acts import HERE

pytestmark = pytest.mark.anyio


async def notices(house: House) -> list[NoticeSent | DeliveryFailed]:
    """What became of notices, as the log says."""
    async with projecting(house):
        await house.progress.reach_head(HERE, ("audit",), seconds=30)
        trail = Trail(house.auditor, house.keys, HERE)
        events = await trail.events(await trail.positions(Selection()))
    return [e.event for e in events if isinstance(e.event, NoticeSent | DeliveryFailed)]


async def test_what_follows_is_done_and_reported_once(desk: Desk) -> None:
    for number in range(3):
        await act(desk.house, f"{number}")
    await desk.written()
    await desk.written()
    assert await desk.dispatcher().carry(HERE) == 3
    assert await desk.dispatcher().carry(HERE) == 0
    assert desk.peer.got == {"0": 1, "1": 1, "2": 1}
    assert await desk.states() == {"done": 3}
    told = await notices(desk.house)
    assert {one.effect for one in told} == set(desk.peer.idents)
    assert {one.message for one in told} == {f"peer-{ident}" for ident in desk.peer.idents}


async def test_a_replay_of_everything_and_a_new_reaction_send_nothing(desk: Desk) -> None:
    """M0.5."""
    for number in range(5):
        await act(desk.house, f"{number}")
    await desk.written()
    await desk.dispatcher().carry(HERE)
    sent = desk.peer.got.copy()
    new = Reaction("tests-new", POSTING.opens, after)
    while await desk.outbox(POSTING, new).advance(HERE):
        pass
    async with projecting(desk.house) as projector:
        await desk.owner.execute("UPDATE checkpoint SET position = 0")
        await projector.advance(HERE)
        trail = Trail(desk.house.auditor, desk.house.keys, HERE)
        await desk.house.progress.reach_head(HERE, ("audit",), seconds=30)
        assert len(await trail.events(await trail.positions(Selection()))) == 10
    assert await desk.dispatcher().carry(HERE) == 0
    assert desk.peer.got == sent
    await act(desk.house, "new")
    while await desk.outbox(POSTING, new).advance(HERE):
        pass
    assert await desk.dispatcher().carry(HERE) == 2


async def test_two_outboxes_and_two_dispatchers_do_each_effect_once(desk: Desk) -> None:
    await asyncio.gather(*(act(desk.house, f"{number}") for number in range(200)))

    async def write() -> None:
        outbox = desk.outbox()
        for _ in range(20):
            await outbox.advance(HERE)

    async def carry() -> None:
        dispatcher = desk.dispatcher()
        for _ in range(20):
            await dispatcher.carry(HERE)

    await asyncio.gather(write(), write(), carry(), carry())
    await desk.written()
    await asyncio.gather(carry(), carry())
    assert desk.peer.got == {f"{number}": 1 for number in range(200)}
    assert await desk.states() == {"done": 200}


async def test_what_is_due_later_waits_until_then(desk: Desk) -> None:
    await act(desk.house, "later")
    await desk.written()
    assert await desk.dispatcher().carry(HERE) == 0
    due = await desk.owner.fetchval("SELECT due FROM effect")
    assert timedelta(minutes=59) < due - datetime.now(UTC) < timedelta(minutes=61)
    await desk.owner.execute("UPDATE effect SET due = clock_timestamp()")
    assert await desk.dispatcher().carry(HERE) == 1


async def test_a_failure_is_tried_again_ten_times_and_then_given_up_on_record(desk: Desk) -> None:
    await act(desk.house, "0")
    await desk.written()
    desk.peer.answers = ["fails"] * 11
    pauses = []
    for _ in range(11):
        assert await desk.dispatcher().carry(HERE) == 1
        row = await desk.owner.fetchrow("SELECT *, due - clock_timestamp() AS pause FROM effect")
        pauses.append(row["pause"].total_seconds())
        await desk.owner.execute("UPDATE effect SET due = clock_timestamp()")
    assert (row["state"], row["attempts"], row["error"]) == ("dead", 11, "Status503")
    assert sum(pauses[:10]) > 60 * 3_600
    assert desk.peer.got == {}
    (told,) = await notices(desk.house)
    assert isinstance(told, DeliveryFailed)
    (stuck,) = await Effects(desk.pool).stuck(HERE)
    assert await Effects(desk.pool).decide(HERE, stuck.id, again=True)
    assert await desk.dispatcher().carry(HERE) == 1
    assert desk.peer.got == {"0": 1}


@pytest.mark.parametrize(
    ("answer", "number", "state", "sent"),
    [
        ("refused", "0", "dead", 0),
        ("unwanted", "0", "dropped", 0),
        ("doubt", "once", "parked", 1),
        ("doubt", "0", "waiting", 1),
    ],
)
async def test_what_the_other_side_says_decides(
    answer: str, number: str, state: str, sent: int, desk: Desk
) -> None:
    await act(desk.house, number)
    await desk.written()
    desk.peer.answers = [answer]
    await desk.dispatcher().carry(HERE)
    assert await desk.states() == {state: 1}
    assert desk.peer.got.total() == sent
    if state == "waiting":
        await desk.owner.execute("UPDATE effect SET due = clock_timestamp()")
        await desk.dispatcher().carry(HERE)
        assert (len(desk.peer.idents), desk.peer.idents.total()) == (1, 2)
        assert await desk.states() == {"done": 1}


class Died(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("number", ["0", "once"])
@pytest.mark.parametrize("point", ["claimed", "marked", "sent", "reported", "settled"])
async def test_whoever_dies_at_any_point_loses_nothing_and_copies_have_one_id(
    point: str, number: str, desk: Desk
) -> None:
    await act(desk.house, number)
    await desk.written()

    def dies(reached: str) -> None:
        if reached == point:
            raise Died

    with pytest.raises(Died):
        await desk.dispatcher(0.2, dies).carry(HERE)
    await asyncio.sleep(0.3)
    assert await desk.dispatcher().carry(HERE) == (0 if point == "settled" else 1)
    doubtful = point in ("marked", "sent")
    parked = doubtful and number == "once"
    assert await desk.states() == {"parked" if parked else "done": 1}
    sent = {("sent", "0"): 2, ("marked", "once"): 0}.get((point, number), 1)
    assert desk.peer.idents.total() == sent
    assert len(desk.peer.idents) == min(sent, 1)
    assert await desk.owner.fetchval("SELECT max(attempts) FROM effect") == 0


async def test_a_stale_dispatcher_sends_nothing_that_another_one_took(desk: Desk) -> None:
    await act(desk.house, "0")
    await desk.written()
    stale, other = Effects(desk.pool, lease_s=0.05), Effects(desk.pool)
    (held,) = await stale.claim(HERE, 10)
    await asyncio.sleep(0.1)
    (taken,) = await other.claim(HERE, 10)
    assert await stale.sending(HERE, [held.id]) == set()
    await stale.settle(held, "done")
    assert await other.sending(HERE, [taken.id]) == {held.id}


async def test_held_back_effects_wait_until_somebody_lets_them_go(desk: Desk) -> None:
    table = Effects(desk.pool)
    await act(desk.house, "0")
    await desk.written()
    await table.pause(HERE, paused=True)
    assert await desk.dispatcher().carry(HERE) == 0
    assert await table.pause(HERE, paused=False, drop_due=True) == 1
    await act(desk.house, "1")
    await desk.written()
    await desk.dispatcher().carry(HERE)
    assert desk.peer.got == {"1": 1}


async def test_an_effect_of_a_newer_release_or_without_a_connection_waits(desk: Desk) -> None:
    await act(desk.house, "0")
    await desk.written()
    await desk.owner.execute("UPDATE effect SET name = 'tests.unknown'")
    await desk.dispatcher().carry(HERE)
    row = await desk.owner.fetchrow("SELECT * FROM effect")
    assert (row["state"], row["attempts"], row["error"]) == ("waiting", 0, "NotConnected")
    assert row["due"] > datetime.now(UTC) + timedelta(minutes=4)


async def test_effects_of_another_tenant_are_out_of_sight(desk: Desk) -> None:
    await act(desk.house, "0")
    await desk.written()
    assert await desk.dispatcher().carry("lakeside") == 0
    assert await desk.states() == {"waiting": 1}
