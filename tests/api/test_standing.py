"""F20: what a process allows on a disk that is nearly full, and by a clock that went astray."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from adapters.postgres.writer import LogUnavailable
from api import standing
from api.dispatch import dispatching
from api.house import ClockSkew, House, open_house
from api.standing import ReadOnly, Standing, watched
from tests.adapters.dispatch.posting import POSTING, Peer, Post, act
from tests.adapters.postgres.acts import do, patient
from tests.api.world import Seedbed, World, living_world

pytestmark = pytest.mark.anyio
READ = "{ me { name } record { conditions(first: 5) { edges { node { id } } } } }"
GRANT = """mutation G($input: GrantProxyAccessInput!) { grantProxyAccess(input: $input) {
  __typename ... on Problem { code } } }"""
Marks = dict[Path, int]


async def right() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def marks() -> Marks:
    """The low-water marks of the house, which a test sets while it runs."""
    return {}


@pytest.fixture
async def roomy(seedbed: Seedbed, marks: Marks, tmp_path: Path) -> AsyncIterator[World]:
    """The served house with these marks."""
    async with living_world(seedbed, tmp_path, marks) as world:
        yield world


async def granting(world: World, key: str = "k") -> tuple[int, str, str | None]:
    """Status, code and hint of a mutation."""
    wish = {"chart": await world.chart("rosa"), "grantee": "nobody", "kind": "PARENT",
            "scopes": ["RECORDS"], "idempotencyKey": key}  # fmt: skip
    answer = await world.ask("rosa", GRANT, {"input": wish})
    body = answer.json()
    told = body["errors"][0]["extensions"]["code"] if "errors" in body else ""
    return answer.status_code, told, answer.headers.get("retry-after")


async def test_with_little_room_nothing_is_changed_and_reading_goes_on(
    roomy: World, marks: Marks, tmp_path: Path
) -> None:
    head = await roomy.head()
    marks[tmp_path] = shutil.disk_usage(tmp_path).free * 2
    assert await roomy.house.standing.look() == "read-only"
    assert await granting(roomy) == (503, "READ_ONLY", "5")
    with pytest.raises(ReadOnly):
        await do(roomy.house, patient(1))
    assert await roomy.head() == head
    await roomy.data("rosa", READ)
    assert await roomy.head() > head

    marks[tmp_path] = 1
    assert await roomy.house.standing.look() == "open"
    status, code, _ = await granting(roomy)
    assert (status, code) != (503, "READ_ONLY")
    await do(roomy.house, patient(1))


async def test_with_no_room_for_what_reading_writes_nothing_is_read(
    roomy: World, marks: Marks, tmp_path: Path
) -> None:
    head = await roomy.head()
    marks[tmp_path] = shutil.disk_usage(tmp_path).free * 10
    assert await roomy.house.standing.look() == "closed"
    answer = await roomy.ask("rosa", READ)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert (await granting(roomy))[0] == 503
    assert (await roomy.client.get("http://portal/readyz")).status_code == 503
    assert (await roomy.client.get("http://portal/healthz")).status_code == 200
    with pytest.raises(LogUnavailable):
        await do(roomy.house, patient(1))
    assert await roomy.head() == head
    marks.clear()
    assert await roomy.house.standing.look() == "open"
    await roomy.data("rosa", READ)


async def test_nothing_is_sent_that_could_not_be_reported(
    roomy: World, marks: Marks, tmp_path: Path
) -> None:
    peer = Peer()
    carriers = {Post.effect_name: peer}

    async def got(number: str) -> None:
        async with asyncio.timeout(20):
            while True:
                if peer.got[number]:
                    return
                await asyncio.sleep(0.02)

    async with dispatching(roomy.house, carriers, (POSTING,)):
        await asyncio.sleep(0.5)  # a reaction begins at the head
        await act(roomy.house, "1")
        await got("1")
    await act(roomy.house, "2")
    marks[tmp_path] = shutil.disk_usage(tmp_path).free * 2
    assert await roomy.house.standing.look() == "read-only"
    async with dispatching(roomy.house, carriers, (POSTING,)):
        await asyncio.sleep(2.5)
        assert peer.got == {"1": 1}
        marks.clear()
        await got("2")
    assert peer.got == {"1": 1, "2": 1}


async def test_a_look_that_fails_is_not_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "LOOK_SECONDS", 0.01)
    answers = [right]

    async def theirs() -> datetime:
        return await answers[0]()

    async def wrong() -> datetime:
        raise ZeroDivisionError

    async def yesterday() -> datetime:
        return datetime.now(UTC) - timedelta(days=1)

    async with watched(Standing({}, theirs)) as made:
        answers[0] = wrong
        await asyncio.sleep(0.1)
        assert made.level == "open"
        answers[0] = yesterday
        await asyncio.sleep(0.1)
        assert made.level == "closed"


async def test_writing_begins_again_somewhat_above_the_mark(tmp_path: Path) -> None:
    free, marks = shutil.disk_usage(tmp_path).free, {tmp_path: 1}
    made = Standing(marks, right)
    assert await made.look() == "open"
    marks[tmp_path] = free * 2
    assert await made.look() == "read-only"
    marks[tmp_path] = round(free * 0.95)
    assert await made.look() == "read-only"
    marks[tmp_path] = round(free * 0.8)
    assert await made.look() == "open"
    marks[tmp_path / "not mounted"] = 1
    assert await made.look() == "read-only"


@pytest.mark.parametrize("days", [-1, 1])
async def test_a_database_whose_time_is_another_closes_and_opens_by_itself(days: int) -> None:
    off = timedelta(0)

    async def theirs() -> datetime:
        return datetime.now(UTC) + off

    made = Standing({}, theirs)
    assert await made.look() == "open"
    off = timedelta(days=days)
    assert await made.look() == "closed"
    assert made.is_astray
    off = timedelta(0)
    assert await made.look() == "open"


async def forged(world: World) -> int:
    """The status of whoever has no token of ours."""
    headers = {"authorization": "Bearer forged"}
    answer = await world.client.post("http://portal/graphql", json={"query": READ}, headers=headers)
    return answer.status_code


async def test_a_clock_that_is_set_is_seen_before_the_next_look(
    roomy: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(standing.time, "time", lambda: time.monotonic() + 86_400)
        answer = await roomy.ask("rosa", READ)
        assert answer.status_code == 503
        # Nobody's token is judged: a forged one is told the same.
        forged = {"authorization": "Bearer forged"}
        told = await roomy.client.post(
            "http://portal/graphql", json={"query": READ}, headers=forged
        )
        assert told.status_code == 503
    forged = {"authorization": "Bearer forged"}
    told = await roomy.client.post("http://portal/graphql", json={"query": READ}, headers=forged)
    assert told.status_code == 401
    await roomy.data("rosa", READ)


async def test_a_database_that_is_away_says_nothing_of_the_time() -> None:
    async def theirs() -> datetime:
        raise ConnectionRefusedError

    assert await Standing({}, theirs).look() == "open"


async def test_an_append_by_a_clock_that_is_astray_is_refused(house: House) -> None:
    for offset, fits in (("0 s", True), ("5 s", True), ("-1 day", False), ("1 day", False)):
        asked = "SELECT log_clock(clock_timestamp() + $1::text::interval)"
        if fits:
            assert await house.api.fetchval(asked, offset)
        else:
            with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError):
                await house.api.fetchval(asked, offset)


async def test_a_process_does_not_begin_by_a_clock_that_is_astray(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "MAX_SKEW_SECONDS", -1.0)
    with pytest.raises(ClockSkew):
        async with open_house(house.settings):
            pass
