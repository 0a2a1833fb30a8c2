"""Logs that nobody touched verify: whole, empty, in spans, by processes, while appends go on."""

import asyncio
from collections.abc import Collection
from dataclasses import replace

import pytest

from adapters.keys import KeptKey
from adapters.postgres.verification import TenantUnknown, verify
from adapters.proofs.merkle import EMPTY_ROOT, root_of
from tests.adapters.proofs.conftest import EVENTS, Logs, file_records, open_charts

pytestmark = pytest.mark.anyio


async def test_a_log_that_nobody_touched_verifies_with_the_root_of_its_head(logs: Logs) -> None:
    outcome = await logs.verified()
    assert outcome.wrongs == ()
    assert outcome.ok
    assert outcome.first_wrong is None
    assert (outcome.tenant, outcome.events, outcome.missing_keys) == ("riverside", EVENTS, ())
    frontier = await logs.owner.fetchval("SELECT frontier FROM log_head WHERE tenant = 'riverside'")
    assert outcome.root == root_of(frontier).hex()
    assert outcome.seconds > 0


@pytest.mark.parametrize("span", [1, 2, 64, 128, 65_536])
async def test_the_size_of_spans_does_not_matter(logs: Logs, span: int) -> None:
    outcome = await logs.verified(span=span)
    assert replace(outcome, seconds=0) == replace(await logs.verified(span=256), seconds=0)
    assert outcome.ok


async def test_worker_processes_come_to_the_same_outcome(logs: Logs) -> None:
    alone = await logs.verified()
    shared = await logs.verified(workers=2, span=32)
    assert (shared.ok, shared.root, shared.events) == (True, alone.root, EVENTS)
    await logs.owner.execute("UPDATE event SET body = body || '\\x00' WHERE position = 100")
    assert (await logs.verified(workers=2, span=32)).wrongs == (await logs.verified()).wrongs != ()


async def test_progress_is_told_after_each_span(logs: Logs) -> None:
    told = []
    outcome = await verify(
        logs.house.settings.role_dsn("auditor"),
        "lakeside",
        logs.house.keys,
        lambda done, events: told.append((done, events)),
        span=64,
        workers=1,
    )
    assert outcome.ok
    assert told == [(0, EVENTS), (64, EVENTS), (128, EVENTS), (EVENTS, EVENTS)]


async def test_an_empty_log_verifies_with_the_empty_root(logs: Logs) -> None:
    await logs.owner.execute("INSERT INTO log_head (tenant) VALUES ('seaside')")
    outcome = await logs.verified("seaside")
    assert (outcome.ok, outcome.events, outcome.root) == (True, 0, EMPTY_ROOT.hex())


async def test_a_tenant_without_a_log_is_refused(logs: Logs) -> None:
    with pytest.raises(TenantUnknown):
        await logs.verified("seaside")


async def test_a_log_verifies_while_appends_go_on(logs: Logs) -> None:
    charts = await open_charts(logs.house, "riverside", 1)
    before = (await logs.verified()).events
    filing = asyncio.create_task(file_records(logs.house, "riverside", charts, range(1_000, 1_400)))
    checked = [await logs.verified(span=32)]
    while not filing.done():
        checked.append(await logs.verified(span=32))
    await filing
    assert [outcome.wrongs for outcome in checked] == [()] * len(checked)
    after = await logs.verified()
    assert after.ok
    assert after.events == before + 400
    assert before <= checked[0].events <= checked[-1].events <= after.events


async def test_events_after_the_start_are_not_looked_at(logs: Logs) -> None:
    charts = await open_charts(logs.house, "riverside", 1)
    before = (await logs.verified()).events
    numbers = iter(range(1_000, 2_000))

    class Meanwhile:
        """A key tree during whose answers events are appended."""

        by_ids = staticmethod(logs.house.keys.by_ids)

        async def kept(self, tenant: str, ids: Collection[str]) -> dict[str, KeptKey | None]:
            await file_records(logs.house, "riverside", charts, range(n := next(numbers), n + 1))
            return await logs.house.keys.kept(tenant, ids)

    outcome = await verify(
        logs.house.settings.role_dsn("auditor"),
        "riverside",
        Meanwhile(),
        lambda _done, _all: None,
        workers=1,
        span=16,
    )
    assert (outcome.ok, outcome.events) == (True, before)
    assert (await logs.verified()).events > before
