"""Whatever the owner of the database does to events that a signed head covers is found.

The attacker makes all of the database fit; what holds the log to its past is the head that was kept
outside. F4 of the security figures: 1,000 mutations here, 20,000 where ANAMNESIS_SOAK is set.
"""

import os
import random
from collections import Counter

import asyncpg
import pytest

from adapters.heads import HeadSigner, LogForked
from adapters.postgres.verification import verify
from adapters.proofs.findings import Verification
from api.signing import head_file, head_key, signed_anchors
from tests.adapters.proofs.attacker import TENANT, Attacker
from tests.adapters.proofs.conftest import EVENTS, Logs, file_records, open_charts

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
SEEDS = 4
MUTATIONS = 5_000 if os.environ.get("ANAMNESIS_SOAK") else 250


async def signed(logs: Logs) -> HeadSigner:
    """The signer of the log, once it has signed everything up to now."""
    settings = logs.house.settings
    key = await head_key(logs.house.keys, settings, TENANT)
    pool = asyncpg.create_pool(settings.role_dsn("worker"), min_size=0, max_size=1)
    signer = HeadSigner(await pool, TENANT, key, head_file(settings, key, TENANT))
    assert await signer.sign() == EVENTS
    return signer


async def verified(logs: Logs) -> Verification:
    """As `anamnesis verify` does."""
    return await verify(
        logs.house.settings.role_dsn("auditor"),
        TENANT,
        logs.house.keys,
        lambda _done, _all: None,
        1,
        span=64,
        anchors=await signed_anchors(logs.house, TENANT, {}),
    )


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_every_mutation_that_a_signed_head_covers_is_found_and_said_where(
    logs: Logs, seed: int
) -> None:
    signer = await signed(logs)
    # What comes after the head is not covered, and lies there as it would.
    charts = await open_charts(logs.house, "riverside", 1)
    await file_records(logs.house, "riverside", charts, range(200, 203))
    attacker = Attacker(logs.owner, random.Random(seed))
    await attacker.load()
    assert (await verified(logs)).ok
    codes: Counter[str] = Counter()
    for number in range(MUTATIONS):
        said = await attacker.attack(EVENTS)
        found = await verified(logs)
        assert not found.ok, f"seed {seed}, mutation {number}: {said}"
        first = found.first_wrong
        assert first is not None
        assert 0 < first.position <= EVENTS + 20, f"{said}: {first}"
        codes[first.code] += 1
        if attacker.rehashed and "made to fit" in said:
            with pytest.raises(LogForked):
                await signer.sign()
        await attacker.restore()
    assert (await verified(logs)).ok
    assert codes["anchor"] > MUTATIONS // 10
    assert len(codes) >= 5
