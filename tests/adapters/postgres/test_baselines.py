"""Long streams are loaded as a state and what came since, never as a state of another log."""

from dataclasses import dataclass
from random import Random

import asyncpg
import pytest

from adapters.postgres import baselines
from api.house import House
from domain.kernel.command import Filed, Reserved, Stream
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.log import Loaded, Recall, fold
from tests.adapters.postgres.acts import HERE, damage, rows
from tests.adapters.postgres.long_streams import CHART, appended, ids, opened

pytestmark = pytest.mark.anyio
LONG = 5


@dataclass(frozen=True, slots=True)
class Listed:
    """A state that shows every event it was folded from."""

    stream: str
    seen: tuple[object, ...] = ()

    @classmethod
    def initial(cls, stream: str) -> "Listed":
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Listed":
        return Listed(self.stream, (*self.seen, event))


@pytest.fixture(autouse=True)
def short_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few events make a stream long."""
    monkeypatch.setattr(baselines, "LONG", LONG)


@pytest.fixture
def loads(house: House, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many events each recall read from the log."""
    counted: list[int] = []
    fetch = house.api.fetch

    async def counting(sql: str, *arguments: object) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await fetch(sql, *arguments)
        if "log_recall" in sql:
            counted.append(sum(row["tag"] == "event" for row in found))
        return found

    monkeypatch.setattr(
        house.log._recalling, "_pool", type("Counting", (), {"fetch": staticmethod(counting)})
    )
    return counted


async def recalled(house: House, *streams: Stream, whole: bool = False) -> Recall:
    return await house.log.recall(HERE, b"", b"", streams, whole=whole)


async def state(house: House, stream: Stream) -> Listed:
    """What the stream amounts to, the same as from its events."""
    one = (await recalled(house, stream)).streams[0]
    all_of_it = (await recalled(house, stream, whole=True)).streams[0]
    folded = fold(stream, one)
    assert isinstance(folded, Listed)
    assert folded == fold(stream, all_of_it)
    assert (one.id, one.version, len(all_of_it.events)) == (
        all_of_it.id,
        all_of_it.version,
        one.version,
    )
    return folded


async def test_a_long_stream_is_loaded_once_and_then_what_came_since(
    house: House, loads: list[int]
) -> None:
    stream = Stream(fold=Listed, id=await opened(house, 7))
    loaded = []
    for more in (0, 0, 3, 0):
        await appended(house, stream.id or "", more)
        loads.clear()
        assert len((await state(house, stream)).seen) in (7, 10)
        loaded.append(loads[0])
    assert loaded == [7, 1, 4, 1]


async def test_a_short_stream_is_loaded_as_it_is(house: House, loads: list[int]) -> None:
    stream = Stream(fold=Listed, id=await opened(house, LONG - 1))
    for _ in range(2):
        one: Loaded = (await recalled(house, stream)).streams[0]
        assert (one.baseline, len(one.events)) == (None, LONG - 1)
    assert loads == [LONG - 1] * 2


async def test_any_mix_of_streams_folds_and_appends_gives_the_states_of_the_whole_log(
    house: House,
) -> None:
    chance = Random(20)
    streams = [await opened(house, chance.randrange(1, 12)) for _ in range(4)]
    for _ in range(40):
        ident = chance.choice(streams)
        await appended(house, ident, chance.randrange(3))
        wanted = [
            Stream(fold=chance.choice((Listed, Filed)), id=chance.choice(streams))
            for _ in range(chance.randrange(1, 4))
        ]
        found = (await recalled(house, *wanted)).streams
        truth = (await recalled(house, *wanted, whole=True)).streams
        for stream, one, all_of_it in zip(wanted, found, truth, strict=True):
            assert fold(stream, one) == fold(stream, all_of_it)
            assert one.version == all_of_it.version


async def test_a_stream_that_a_reserved_value_stands_for_has_a_baseline_too(
    house: House, loads: list[int]
) -> None:
    value = Reserved("test.long", "one")
    await opened(house, 8, value)
    stream = Stream(fold=Listed, reserved=value)
    for wanted in (8, 1):
        loads.clear()
        assert len((await state(house, stream)).seen) == 8
        assert loads[0] == wanted


async def test_a_stream_that_turns_out_to_be_one_that_is_known_otherwise_is_loaded_whole(
    house: House,
) -> None:
    value = Reserved("test.long", "unknown until asked for")
    ident = await opened(house, 8, value)
    await recalled(house, Stream(fold=Filed, id=ident))
    by_id, by_value = Stream(fold=Filed, id=ident), Stream(fold=Listed, reserved=value)
    found = (await recalled(house, by_id, by_value)).streams[1]
    folded = fold(by_value, found)
    assert isinstance(folded, Listed)
    assert len(folded.seen) == 8


async def test_what_an_erasure_destroys_is_in_no_baseline(house: House, loads: list[int]) -> None:
    stream = Stream(fold=Listed, id=await opened(house, 8))
    other = Stream(fold=Listed, id=await opened(house, 8, tenant="lakeside"))
    assert len((await state(house, stream)).seen) == 8
    await house.log.recall("lakeside", b"", b"", [other])
    key = await house.keys.compartment(HERE, CHART, "clinical")
    assert key.id in await ids(house)
    await house.keys.destroy(HERE, key.id, "00000000-0000-4000-8000-0000000000ee", 8)
    assert len(house.log._recalling.baselines) == 1
    loads.clear()
    assert all(isinstance(event, Erased) for event in (await state(house, stream)).seen)
    assert loads[0] == 8


async def test_a_state_that_was_folded_while_a_key_was_destroyed_is_not_kept(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(fold=Listed, id=await opened(house, 8))
    opening = house.log._recalling._opened

    async def interrupted(tenant: str, found: list[asyncpg.Record]) -> object:
        events = await opening(tenant, found)
        house.keys.revoke(HERE, ["00000000-0000-4000-8000-0000000000ff"])
        return events

    monkeypatch.setattr(house.log._recalling, "_opened", interrupted)
    assert len((await recalled(house, stream)).streams[0].events) == 0
    assert len(house.log._recalling.baselines) == 0


@pytest.mark.parametrize(
    "rewrite",
    [
        "UPDATE event SET committed_at = committed_at - interval '1 s' WHERE version >= 6",
        "DELETE FROM event WHERE version >= 8",
    ],
)
async def test_a_log_that_is_another_one_now_is_loaded_whole(
    house: House, loads: list[int], rewrite: str
) -> None:
    stream = Stream(fold=Listed, id=await opened(house, 8))
    assert len((await state(house, stream)).seen) == 8
    await damage(house.settings.dsn, f"{rewrite} AND stream = $1", stream.id)
    left = len(await rows(house.settings.dsn, "SELECT 1 FROM event WHERE stream = $1", stream.id))
    loads.clear()
    folded = fold(stream, (await recalled(house, stream)).streams[0])
    assert isinstance(folded, Listed)
    assert len(folded.seen) == left
    assert loads[-1] == left


async def test_only_so_many_are_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.log._recalling.baselines, "_capacity", 2)
    values = [Reserved("test.long", str(number)) for number in range(3)]
    for value in values:
        await opened(house, 8, value)
        await recalled(house, Stream(fold=Listed, reserved=value))
    assert len(house.log._recalling.baselines) == 2
    assert len(house.log._recalling.baselines._named) == 2
    for value in values:
        assert len((await state(house, Stream(fold=Listed, reserved=value))).seen) == 8
