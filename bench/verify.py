"""Verification of a whole log, beside hashing the same bytes once in one process."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from hashlib import sha256

from adapters.postgres.verification import verify
from api.house import House
from bench.ground import TENANT, Ground
from bench.measure import Line, Pace, Run, alternate, closed_loop, say
from bench.wishes import fresh_id, reported, stamped
from domain.kernel.log import Append, Draft, Expected

EVENTS_PER_SECOND = 65_536
"""How long a log is verified, per second of a turn: 3 s make 196,608 events."""
EVENTS_PER_COMMAND = 64
COMMANDS_AT_ONCE = 16
CHARTS = 256
NAME = "verify"
REFERENCE = "sha256 of header, context and body, in memory, one process"
PARTS = "SELECT header, context, body FROM event WHERE tenant = $1 AND position <= 16384"


class NotVerified(Exception):
    """The log that was just written does not verify: nothing was measured."""


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """One line, in events per second."""
    async with ground.house("verifying") as house:
        events = await _fill(house, int(EVENTS_PER_SECOND * pace.seconds))
        parts = await _parts(house)

        async def verification() -> int:
            return await _verified(house)

        async def verifying(seconds: float) -> Run:
            return await closed_loop([verification], seconds)

        async def hashing(_seconds: float) -> Run:
            began = time.perf_counter()
            for part in parts:
                sha256(part).digest()
            return Run(len(parts) / 3 / (time.perf_counter() - began))

        runs = await alternate({NAME: verifying, REFERENCE: hashing}, pace)
    yield Line(
        name=NAME,
        value=runs[NAME].rate,
        unit="events/s",
        reference=runs[REFERENCE].rate,
        reference_name=REFERENCE,
        extra={"events": events, "bytes_per_event": sum(map(len, parts)) * 3 // len(parts)},
    )


async def _fill(house: House, events: int) -> int:
    charts = [fresh_id() for _ in range(CHARTS)]
    commands = max(1, events // EVENTS_PER_COMMAND)
    say(f"  writing {commands * EVENTS_PER_COMMAND:,} events")
    for start in range(0, commands, COMMANDS_AT_ONCE):
        numbers = range(start, min(start + COMMANDS_AT_ONCE, commands))
        await asyncio.gather(*(house.log.append(_wish(charts[n % CHARTS])) for n in numbers))
    return commands * EVENTS_PER_COMMAND


def _wish(chart: str) -> Append:
    """One command that reports many prescriptions of a chart, each in a stream of its own."""
    streams = [fresh_id() for _ in range(EVENTS_PER_COMMAND)]
    return Append(
        tenant=TENANT,
        command=os.urandom(16),
        fingerprint=os.urandom(32),
        context=stamped(),
        drafts=tuple(Draft(stream=s, event=reported(), chart=chart, owner=chart) for s in streams),
        expected=tuple(Expected(stream=s, version=0) for s in streams),
    )


async def _parts(house: House) -> list[bytes]:
    async with house.auditor.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('anamnesis.tenant', $1, true)", TENANT)
        return [part for row in await connection.fetch(PARTS, TENANT) for part in row]


async def _verified(house: House) -> int:
    outcome = await verify(
        house.settings.role_dsn("auditor"),
        TENANT,
        house.keys,
        lambda _done, _all: None,
    )
    if not outcome.ok:
        raise NotVerified(outcome.first_wrong)
    return outcome.events
