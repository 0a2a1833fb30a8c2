"""Appending: gapless, in order, once, for many writers at a time."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from adapters.postgres.partitioning import partition
from adapters.postgres.sealing import MAX_SEALED
from adapters.postgres.writer import CALL_OF, LogNotOpen, LogUnavailable, Writer, columns
from api.house import House, open_house
from api.settings import Settings
from domain.consent import WithdrawProxyAccess
from domain.kernel.perform import Receipt
from domain.kernel.refusal import EventTooLarge, KeyReused, StaleVersion
from tests.adapters.postgres.acts import (
    HERE,
    THERE,
    account,
    assert_sound,
    damage,
    do,
    granting,
    patient,
    problem,
    replay,
    rows,
    sealed,
)

pytestmark = pytest.mark.anyio
CHART, PERSON, OTHER = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))


@pytest.fixture(params=["batch", "tenant", "partitions"])
async def settings(request: pytest.FixtureRequest, dsn: str, tmp_path: Path) -> Settings:
    """A house of each shape of the append and of the table: the contract is one."""
    made = Settings.in_folder(tmp_path / "house", dsn, profile="demo")
    if request.param != "partitions":
        return replace(made, append=request.param)
    await partition(dsn, 4, lambda _done, _all: None)
    return made


async def test_positions_and_versions_have_no_gap_under_64_commands_of_two_tenants(
    house: House, dsn: str
) -> None:
    receipts = await asyncio.gather(
        *(do(house, patient(n), (HERE, THERE)[n % 2]) for n in range(64))
    )
    spans = sorted((r.first, r.last) for r in receipts if r.tenant == HERE)
    assert spans == [(first, first + 2) for first in range(1, 97, 3)]
    assert await assert_sound(dsn, HERE) == 96
    assert await assert_sound(dsn, THERE) == 96


async def test_two_writers_keep_one_order(house: House, settings: Settings, dsn: str) -> None:
    async with open_house(settings) as second:
        await asyncio.gather(
            *(do((house, second)[n % 2], replay(OTHER, n)) for n in range(120)),
            *(do((house, second)[n % 2], problem(CHART, n)) for n in range(40)),
            *(do((house, second)[n % 2], patient(n)) for n in range(20)),
        )
    assert await assert_sound(dsn) == 220
    ends = "SELECT max(version)::int FROM event WHERE stream = $1"
    assert await rows(dsn, ends, OTHER) == [(120,)]


async def test_a_fact_that_two_writers_file_at_once_is_filed_once(
    house: House, settings: Settings, dsn: str
) -> None:
    async with open_house(settings) as second:
        receipts = await asyncio.gather(
            *(do((house, second)[n % 2], problem(CHART, n // 4)) for n in range(80))
        )
    assert sorted(r.first for r in receipts if r.first) == list(range(1, 21))
    assert {len(r.streams) for r in receipts} == {1}
    assert len({r.streams for r in receipts}) == 20
    assert await assert_sound(dsn) == 20


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 31])
async def test_the_frontier_is_that_of_rfc_6962_at_any_length(
    house: House, dsn: str, length: int
) -> None:
    await house.writer.append(sealed(CHART, None, events=length))
    assert await assert_sound(dsn) == length
    await house.writer.append(sealed(CHART, None, events=2))
    assert await assert_sound(dsn) == length + 2


async def test_a_version_that_moved_answers_with_the_version_it_has_now(house: House) -> None:
    first = await house.writer.append(sealed(CHART, 0, events=3))
    assert (first.status, first.first, first.last) == ("appended", 1, 3)
    stale = await house.writer.append(sealed(CHART, 1))
    assert (stale.status, stale.stream, stale.version) == ("version", CHART, 3)
    assert (stale.first, stale.last) == (None, None)
    missing = await house.writer.append(sealed(OTHER, 2))
    assert (missing.status, missing.stream, missing.version) == ("version", OTHER, 0)


async def test_a_stale_client_is_told_the_current_version(house: House) -> None:
    grant = await do(house, granting(CHART, PERSON))
    with pytest.raises(StaleVersion) as caught:
        await do(house, WithdrawProxyAccess(chart=CHART, grantee=PERSON, seen_version=2))
    assert caught.value == StaleVersion(current_version=1)
    assert (grant.first, grant.last) == (1, 1)


async def test_commands_at_any_version_of_one_stream_share_a_batch(house: House, dsn: str) -> None:
    commands = [sealed(CHART, None) for _ in range(20)]
    answers = await asyncio.gather(*(house.writer.append(command) for command in commands))
    assert [(a.status, a.first) for a in answers] == [("appended", n) for n in range(1, 21)]
    assert (house.writer.batches, house.writer.commands) == (1, 20)
    assert await assert_sound(dsn) == 20


async def test_commands_of_one_exact_stream_wait_for_another_batch(house: House) -> None:
    commands = [sealed(CHART, version) for version in (0, 1, 0)]
    answers = await asyncio.gather(*(house.writer.append(command) for command in commands))
    assert [a.status for a in answers] == ["appended", "appended", "version"]
    assert (house.writer.batches, house.writer.commands) == (3, 3)


async def test_exact_and_any_version_of_one_stream_are_not_in_one_batch(house: House) -> None:
    commands = [sealed(CHART, 0), sealed(CHART, None), sealed(CHART, None), sealed(OTHER, 0)]
    answers = await asyncio.gather(*(house.writer.append(command) for command in commands))
    assert [a.status for a in answers] == ["appended"] * 4
    assert house.writer.batches == 2


async def test_one_command_id_is_not_twice_in_one_batch(house: House, dsn: str) -> None:
    commands = [sealed(CHART, None, ident=b"the same command")] * 2
    first, second = await asyncio.gather(*(house.writer.append(c) for c in commands))
    assert (first.status, first.first, first.last) == ("appended", 1, 1)
    assert (second.status, second.first, second.last) == ("known", 1, 1)
    assert second.fingerprint == b"fingerprint"
    assert house.writer.batches == 2
    assert await assert_sound(dsn) == 1


async def test_a_failing_command_does_not_take_its_neighbours_with_it(
    house: House, dsn: str
) -> None:
    await house.writer.append(sealed(CHART, 0))
    wishes = [sealed(OTHER, 0), sealed(CHART, 0), sealed(PERSON, 0, tenant=THERE)]
    answers = await asyncio.gather(*(house.writer.append(wish) for wish in wishes))
    assert [a.status for a in answers] == ["appended", "version", "appended"]
    assert (await assert_sound(dsn), await assert_sound(dsn, THERE)) == (2, 1)


async def test_a_repeated_command_gets_its_first_outcome(house: House) -> None:
    first = await do(house, granting(CHART, PERSON), key="grant")
    nothing = await do(house, granting(CHART, PERSON), key="no-op")
    assert (nothing.first, nothing.last, nothing.repeated) == (None, None, False)
    await do(house, WithdrawProxyAccess(chart=CHART, grantee=PERSON))
    again = await do(house, granting(CHART, PERSON), key="grant")
    assert again == Receipt(tenant=HERE, first=1, last=1, streams=first.streams, repeated=True)
    again = await do(house, granting(CHART, PERSON), key="no-op")
    assert (again.first, again.last, again.repeated) == (None, None, True)


async def test_a_repeated_refusal_is_the_first_one_with_its_fields(house: House, dsn: str) -> None:
    await do(house, granting(CHART, PERSON))
    wish = WithdrawProxyAccess(chart=CHART, grantee=PERSON, seen_version=9)
    for _ in range(2):
        with pytest.raises(StaleVersion) as caught:
            await do(house, wish, key="stale")
        assert caught.value.current_version == 1
        await do(house, granting(CHART, OTHER))
    found = await rows(dsn, "SELECT count(*) FROM command WHERE outcome IS NOT NULL")
    assert found == [(1,)]


async def test_another_input_under_a_used_key_is_refused(house: House, dsn: str) -> None:
    await do(house, granting(CHART, PERSON), key="grant")
    with pytest.raises(KeyReused):
        await do(house, granting(CHART, OTHER), key="grant")
    assert await assert_sound(dsn) == 1


async def test_a_reserved_value_that_is_taken_answers_with_its_stream(house: House) -> None:
    mine = sealed(CHART, 0, reservations=((b"value", CHART),))
    theirs = sealed(OTHER, 0, reservations=((b"value", OTHER),))
    first, second = await asyncio.gather(house.writer.append(mine), house.writer.append(theirs))
    assert (first.status, house.writer.batches) == ("appended", 2)
    assert (second.status, second.stream, second.version) == ("reservation", CHART, None)


async def test_one_value_may_be_reserved_in_each_tenant(house: House) -> None:
    wishes = [sealed(CHART, 0, tenant=t, reservations=((b"value", CHART),)) for t in (HERE, THERE)]
    answers = await asyncio.gather(*(house.writer.append(wish) for wish in wishes))
    assert [answer.status for answer in answers] == ["appended", "appended"]


async def test_a_permission_that_moved_answers_relied(house: House, dsn: str) -> None:
    await house.writer.append(sealed(PERSON, 0, events=2))
    answer = await house.writer.append(sealed(CHART, 0, relied=((PERSON, 1),)))
    assert (answer.status, answer.stream, answer.version) == ("relied", PERSON, 2)
    answer = await house.writer.append(sealed(CHART, 0, relied=((PERSON, 2),)))
    assert (answer.status, answer.first) == ("appended", 3)
    assert await assert_sound(dsn) == 3


async def test_a_permission_that_moves_in_the_same_moment_is_not_relied_on(house: House) -> None:
    await house.writer.append(sealed(PERSON, 0))
    batches = house.writer.batches
    wishes = [sealed(PERSON, 1), sealed(CHART, 0, relied=((PERSON, 1),))]
    answers = await asyncio.gather(*(house.writer.append(wish) for wish in wishes))
    assert [answer.status for answer in answers] == ["appended", "relied"]
    assert house.writer.batches == batches + 2


async def test_a_destroyed_key_is_refused_under_the_lock(house: House, dsn: str) -> None:
    key = OTHER
    await damage(dsn, "INSERT INTO destroyed_key VALUES ($1, $2, 1)", HERE, key)
    answer = await house.writer.append(sealed(CHART, 0, key=key))
    assert (answer.status, answer.stream, answer.version) == ("destroyed-key", None, None)
    elsewhere = await house.writer.append(sealed(CHART, 0, key=key, tenant=THERE))
    assert elsewhere.status == "appended"
    assert await assert_sound(dsn) == 0


async def test_a_withdrawal_of_access_is_marked_in_the_head(house: House, dsn: str) -> None:
    marked = "SELECT position, access_position FROM log_head WHERE tenant = 'riverside'"
    await do(house, granting(CHART, PERSON))
    assert await rows(dsn, marked) == [(1, 0)]
    await do(house, WithdrawProxyAccess(chart=CHART, grantee=PERSON))
    assert await rows(dsn, marked) == [(2, 2)]
    await do(house, granting(CHART, PERSON))
    assert await rows(dsn, marked) == [(3, 2)]


async def test_a_batch_wakes_its_readers_once_with_how_far_its_tenant_is(
    house: House, dsn: str
) -> None:
    heard: list[str] = []
    ended = asyncio.Event()

    def hear(_connection: object, _pid: int, _channel: str, payload: str) -> None:
        heard.append(payload)
        if payload == "end":
            ended.set()

    await asyncio.gather(*(do(house, problem(CHART, 0), tenant) for tenant in (HERE, THERE)))
    before = house.writer.batches
    listener = await asyncpg.connect(dsn)
    await listener.add_listener("anamnesis_log", hear)
    await asyncio.gather(*(do(house, problem(CHART, n)) for n in range(1, 100)))
    batches = house.writer.batches - before
    await listener.execute("NOTIFY anamnesis_log, 'end'")
    await ended.wait()
    await listener.close()
    assert heard[-2:] == ["riverside 100\n", "end"]
    assert len(heard) == batches + 1
    assert batches < 100


async def test_a_batch_without_events_wakes_nobody(house: House, dsn: str) -> None:
    await do(house, granting(CHART, PERSON))
    heard: list[str] = []
    ended = asyncio.Event()

    def hear(_connection: object, _pid: int, _channel: str, payload: str) -> None:
        heard.append(payload)
        ended.set()

    listener = await asyncpg.connect(dsn)
    await listener.add_listener("anamnesis_log", hear)
    await do(house, granting(CHART, PERSON))
    await listener.execute("NOTIFY anamnesis_log, 'end'")
    await ended.wait()
    await listener.close()
    assert heard == ["end"]


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        ({"body": b"x" * (MAX_SEALED + 1)}, asyncpg.CheckViolationError),
        ({"relied": ((PERSON, 1 << 63),)}, asyncpg.DataError),
        ({"key": "no id"}, asyncpg.DataError),
    ],
    ids=["a body too large", "a version too large", "a key that is none"],
)
async def test_a_row_that_is_refused_fails_its_command_alone_and_leaves_no_hole(
    house: House, dsn: str, bad: dict[str, Any], cause: type[Exception]
) -> None:
    await house.writer.append(sealed(CHART, 0))
    streams = [str(uuid4()) for _ in range(5)]
    wishes = [sealed(stream, 0) for stream in streams]
    wishes[2] = sealed(streams[2], 0, **bad)
    batches = house.writer.batches
    answers = await asyncio.gather(
        *(house.writer.append(wish) for wish in wishes), return_exceptions=True
    )
    refused = answers.pop(2)
    assert isinstance(refused, LogUnavailable)
    assert isinstance(refused.__cause__, cause)
    assert [(a.status, a.first, a.last) for a in answers] == [
        ("appended", position, position) for position in range(2, 6)
    ]
    assert house.writer.batches == batches + 4
    again = await house.writer.append(wishes[0])
    assert (again.status, again.first) == ("known", 2)
    assert await assert_sound(dsn) == 5
    found = "SELECT stream::text FROM event ORDER BY position"
    appended = [CHART, *streams[:2], *streams[3:]]
    assert await rows(dsn, found) == [(stream,) for stream in appended]
    assert await rows(dsn, "SELECT count(*) FROM command") == [(5,)]
    assert (await house.writer.append(sealed(streams[2], 0))).first == 6


async def test_an_event_that_is_too_large_is_never_sent_and_its_refusal_is_remembered(
    house: House, dsn: str
) -> None:
    await do(house, problem(CHART, 1, "x" * (MAX_SEALED - 1_000)))
    for attempt in range(2):
        with pytest.raises(EventTooLarge):
            await do(house, problem(CHART, 2, "x" * MAX_SEALED), key="too large")
        assert house.writer.batches == 2, attempt
    assert await assert_sound(dsn) == 1
    assert await rows(dsn, "SELECT count(outcome) FROM command") == [(1,)]


async def test_a_lost_connection_is_made_again_and_every_command_counts_once(
    house: House, dsn: str
) -> None:
    admin = await asyncpg.connect(dsn)
    killing = asyncio.Lock()
    killed = 0
    answered = 0

    async def attempt(number: int) -> Receipt:
        nonlocal killed, answered
        receipt = await do(house, replay(OTHER, number), key=f"k{number}")
        answered += 1
        if answered % 50 == 0:
            async with killing:
                killed += await admin.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE '%log_append%(%'"
                    " AND usename = 'anamnesis_api'"
                )
        return receipt

    gate = asyncio.Semaphore(60)

    async def gated(number: int) -> Receipt:
        async with gate:
            return await attempt(number)

    try:
        async with asyncio.timeout(20):
            receipts = await asyncio.gather(*(gated(number) for number in range(300)))
    finally:
        await admin.close()
    assert killed > 0
    assert sorted(r.first for r in receipts) == list(range(1, 301))
    assert await assert_sound(dsn) == 300
    assert await rows(dsn, "SELECT count(*) FROM command") == [(300,)]


async def test_a_command_committed_before_the_crash_gets_its_answer_after_it(
    house: House, settings: Settings, dsn: str
) -> None:
    first = await do(house, patient(1), key="once")
    async with open_house(settings) as restarted:
        again = await do(restarted, patient(1), key="once")
    assert again == Receipt(tenant=HERE, first=1, last=3, streams=first.streams, repeated=True)
    assert await assert_sound(dsn) == 3


async def test_the_same_key_of_two_tenants_is_two_commands(house: House, dsn: str) -> None:
    for tenant in (HERE, THERE):
        receipt = await do(house, account("ada", person=PERSON), tenant, key="k")
        assert (receipt.tenant, receipt.first, receipt.repeated) == (tenant, 1, False)
    assert (await assert_sound(dsn, HERE), await assert_sound(dsn, THERE)) == (1, 1)


async def test_a_command_for_a_tenant_whose_log_is_not_open_is_answered(
    house: House, dsn: str
) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(LogNotOpen, match=r"^nowhere$"):
            await house.writer.append(sealed(CHART, 0, tenant="nowhere"))
    assert await rows(dsn, "SELECT count(*) FROM command") == [(0,)]


async def test_a_shard_outlives_an_error_that_nobody_foresaw(house: House, dsn: str) -> None:
    attempts = 0

    async def connect() -> asyncpg.Connection:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise RuntimeError("a driver's mistake")
        return await asyncpg.connect(house.settings.role_dsn("api"))

    writer = Writer(connect, shards=1)
    async with asyncio.timeout(10):
        with pytest.raises(LogUnavailable) as refusal:
            await writer.append(sealed(CHART, 0))
        assert isinstance(refusal.value.__cause__, RuntimeError)
        answer = await writer.append(sealed(CHART, 0))
        await writer.close()
    assert (answer.status, answer.first) == ("appended", 1)
    assert await assert_sound(dsn) == 1


async def test_a_call_that_names_a_tenant_takes_no_command_of_another(house: House) -> None:
    arrays = columns([sealed(CHART, 0, tenant=THERE)])
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await house.api.fetch(CALL_OF, *arrays, datetime.now(UTC), HERE)
