"""From a backup to answers: laid out, started, held to what was signed, read models anew, verified.

Beside what PostgreSQL's own programs take of it. A million events are to take 15 minutes at most,
on a log of 95 % looks; `--seconds 30` makes one of 1.2 million.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

from adapters.backup import laid_out
from adapters.embedded import start_postgres
from api.house import House, open_house, projecting
from api.rebuilding import rebuild_models
from api.restoring import Places, assess, back_up, finish
from api.signing import signing
from bench.clinic import Clinic
from bench.ground import TENANT, Ground
from bench.measure import Line, Pace, say
from domain.kernel.context import Actor
from projections.catalogue import PROJECTIONS

PER_SECOND = 40_000
SHARE = 20
MOST_SECONDS = 15 * 60
OPERATOR = Actor(tenant=TENANT, id="bench", kind="operator", purpose="HOPERAT", reason="drill")


class NotRestored(Exception):
    """The restored log does not verify: the time is that of something else."""


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """One line: the seconds of a restore, and of its parts."""
    events = int(PER_SECOND * pace.seconds)
    async with ground.house("restoring") as house:
        settings = house.settings
        await Clinic(house, events, SHARE).grow(events)
        async with signing(house):
            await asyncio.sleep(2)
        say("  backing up")
        began = time.monotonic()
        places = Places(ground.folder / "backups", ground.folder / "key-backups", 35)
        binaries = ground.server.binaries
        done = await back_up(settings, [TENANT], binaries, places, lambda *_: None)
        backing = time.monotonic() - began
    say("  restoring")
    began = time.monotonic()
    again = ground.folder / "again"
    again.mkdir(mode=0o700)
    await asyncio.to_thread(laid_out, done.folder, again / "data", None)
    with start_postgres(again, binaries=binaries) as server:
        database = server.dsn(database="restoring")
        started = time.monotonic() - began
        async with open_house(replace(settings, dsn=database)) as house:
            parts = await _finished(house)
    total = time.monotonic() - began
    yield Line(
        name=f"restore {events:,} events",
        value=events / total,
        unit="events/s",
        reference=events / started,
        reference_name="laying out and starting PostgreSQL alone",
        extra={
            "at_least": round(1_000_000 / MOST_SECONDS),
            "seconds": round(total, 1),
            "backup_s": round(backing, 1),
            "laid_out_and_started_s": round(started, 1),
            **parts,
        },
    )


async def _finished(house: House) -> dict[str, float]:
    """As `anamnesis restore finish` does it; the seconds of each step."""
    began = time.monotonic()
    standing = await assess(house, TENANT, accept_lost=False)
    assessed = time.monotonic()
    await rebuild_models(house, PROJECTIONS, lambda *_: None)
    rebuilt = time.monotonic()
    async with projecting(house):
        told = await finish(house, TENANT, standing, OPERATOR, lambda *_: None)
    if not told.ok:
        raise NotRestored
    return {
        "held_to_what_was_signed_s": round(assessed - began, 1),
        "read_models_s": round(rebuilt - assessed, 1),
        "finished_and_verified_s": round(time.monotonic() - rebuilt, 1),
    }
