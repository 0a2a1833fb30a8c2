"""What the tests of the log do: wishes of an operator, sealed commands, rows seen by the owner."""

import asyncio
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from adapters.postgres.projector import Projector
from adapters.postgres.writer import SealedCommand, SealedEvent
from api.house import House, tailing_pool
from api.settings import Settings
from domain.audit import RecordReplay
from domain.consent import GrantProxyAccess
from domain.identity import OpenAccount
from domain.kernel.command import Command
from domain.kernel.context import Actor
from domain.kernel.perform import Receipt, Request
from domain.kernel.readmodel import Projection
from domain.kernel.values import Concept, Identifier, Name, Source
from domain.records import Condition, Fact, FileRecord
from domain.registry import Demographics, ReportPatient
from projections.catalogue import PROJECTIONS

ROOT = Path(__file__).resolve().parents[3]
HERE, THERE = "riverside", "lakeside"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def operator(tenant: str = HERE) -> Actor:
    """Somebody at the command line, with a reason."""
    return Actor(tenant=tenant, id="op", kind="operator", purpose="HOPERAT", reason="test")


async def do(
    house: House, command: Command[Any], tenant: str = HERE, key: str | None = None
) -> Receipt:
    """An operator's command, under a key of its own unless one is given."""
    request = Request(command=command, actor=operator(tenant), key=key or uuid4().hex)
    return await house.do(request)


def patient(number: int, name: str = "Byron") -> ReportPatient:
    """A patient by number."""
    return ReportPatient(
        identifier=Identifier("urn:mrn", str(number)),
        demographics=Demographics(names=(Name(name),)),
    )


def problem(chart: str, number: int, text: str = "Flu") -> FileRecord:
    """A problem of a chart, by number."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return FileRecord(
        chart=chart,
        key=f"{chart} {number}",
        source=Source("urn:ehr", "Condition", str(number), digest=digest),
        fact=Fact(condition=Condition(concept=Concept(text=text))),
    )


def replay(trail: str, number: int) -> RecordReplay:
    """A note in a trail, which anybody may write to at any version."""
    return RecordReplay(trail=trail, selection=f"replay {number}", count=1)


def account(login: str, person: str | None = None, practitioner: str | None = None) -> OpenAccount:
    """An account under a login."""
    return OpenAccount(login=login, display_name=login, person=person, practitioner=practitioner)


def granting(chart: str, grantee: str, until: datetime | None = None) -> GrantProxyAccess:
    """Access to the records of a chart."""
    return GrantProxyAccess(
        chart=chart, grantee=grantee, kind="parent", scopes=("records",), until=until
    )


def sealed(
    stream: str,
    version: int | None,
    *,
    tenant: str = HERE,
    events: int = 1,
    body: bytes = b"body",
    key: str | None = None,
    relied: tuple[tuple[str, int], ...] = (),
    reservations: tuple[tuple[bytes, str], ...] = (),
    ident: bytes | None = None,
) -> SealedCommand:
    """A command for the writer alone: its bytes mean nothing to the log."""
    event = SealedEvent(
        stream, "test.happened", key or str(uuid4()), b"header", b"context", os.urandom(16), body
    )
    return SealedCommand(
        tenant=tenant,
        id=ident or os.urandom(16),
        fingerprint=b"fingerprint",
        outcome=None,
        withdraws=False,
        events=(event,) * events,
        expected=((stream, version),),
        relied=relied,
        reservations=reservations,
    )


async def rows(dsn: str, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
    """What the owner of the database sees."""
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(record) for record in await connection.fetch(sql, *arguments)]
    finally:
        await connection.close()


async def book(dsn: str, tenant: str = HERE) -> Counter[str]:
    """Everything that commands leave behind, counted; the difference of two is what one left."""
    events = await rows(
        dsn, "SELECT type, count(*) FROM event WHERE tenant = $1 GROUP BY 1", tenant
    )
    [(commands, refusals, writing)] = await rows(
        dsn,
        "SELECT count(*), count(outcome), count(first) FROM command WHERE tenant = $1",
        tenant,
    )
    [(reservations, streams)] = await rows(
        dsn,
        "SELECT (SELECT count(*) FROM reservation WHERE tenant = $1),"
        " (SELECT count(*) FROM stream_head WHERE tenant = $1)",
        tenant,
    )
    counted = {
        "commands": commands,
        "refusals": refusals,
        "commands with events": writing,
        "reservations": reservations,
        "streams": streams,
    }
    return Counter(dict(events) | counted)


async def called(
    dsn: str, settings: Settings, how: str, wish: str, key: str = "k", each: int = 1, ends: int = 1
) -> Counter[str]:
    """What `ends` processes are told who make `each` wishes at the same moment.

    A process that dies tells nothing; it must have been killed, and not have ended.
    """
    folder = str(settings.keys.parent)
    racers = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.adapters.postgres.racer", dsn, folder, how, wish, key),
            *(str(each * number), str(each * (number + 1))),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(ends)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert await racer.stdout.readline() == b"ready\n"
    told = await asyncio.gather(*(racer.communicate(b"go\n") for racer in racers))
    assert {racer.returncode for racer in racers} == {-9 if how.startswith("die") else 0}
    return sum((Counter(json.loads(output or "{}")) for output, _ in told), Counter())


async def damage(dsn: str, sql: str, *arguments: object) -> None:
    """Change the log behind its trigger, as only the owner of the server can."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(sql, *arguments)
    finally:
        await connection.close()


@asynccontextmanager
async def projector(house: House, known: Sequence[Projection] = PROJECTIONS) -> Any:
    """A projector that moves only when it is told to."""
    dsn = house.settings.role_dsn("projector")
    async with tailing_pool(dsn) as pool:
        yield Projector(pool, house.keys, known)


async def assert_sound(dsn: str, tenant: str = HERE) -> int:
    """The log of a tenant is gapless, in order, and its tree is right; returns its length."""
    events = await rows(
        dsn,
        "SELECT position, stream, version, committed_at, header, context, salt, body, leaf"
        " FROM event WHERE tenant = $1 ORDER BY position",
        tenant,
    )
    assert [event[0] for event in events] == list(range(1, len(events) + 1))
    instants = [event[3] for event in events]
    assert instants == sorted(instants)
    versions: dict[str, list[int]] = {}
    for event in events:
        versions.setdefault(str(event[1]), []).append(event[2])
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
    heads = await rows(
        dsn, "SELECT stream::text, version FROM stream_head WHERE tenant = $1", tenant
    )
    assert dict(heads) == {stream: len(found) for stream, found in versions.items()}
    leaves = [leaf_of(*event[:1], *event[2:8]) for event in events]
    assert [event[8] for event in events] == leaves
    [(position, frontier, committed_at)] = await rows(
        dsn, "SELECT position, frontier, committed_at FROM log_head WHERE tenant = $1", tenant
    )
    assert (position, frontier) == (len(leaves), frontier_of(leaves))
    if events:
        assert committed_at == instants[-1]
        assert root_of_frontier(frontier) == root_of(leaves)
    return len(events)


def leaf_of(
    position: int,
    version: int,
    committed_at: datetime,
    header: bytes,
    context: bytes,
    salt: bytes,
    body: bytes,
) -> bytes:
    """The leaf by its definition, in Python."""
    microseconds = (committed_at - EPOCH) // timedelta(microseconds=1)
    numbers = b"".join(n.to_bytes(8, "big", signed=True) for n in (position, version, microseconds))
    parts = (hashlib.sha256(part).digest() for part in (header, salt + context, body))
    return hashlib.sha256(b"\0" + numbers + b"".join(parts)).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962 section 2.1, by its recursive definition."""
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(leaves[:left]) + root_of(leaves[left:])).digest()


def frontier_of(leaves: Sequence[bytes]) -> list[bytes]:
    """The roots of the perfect subtrees, largest first."""
    roots, start = [], 0
    for power in reversed(range(len(leaves).bit_length())):
        if len(leaves) >> power & 1:
            roots.append(root_of(leaves[start : start + (1 << power)]))
            start += 1 << power
    return roots


def root_of_frontier(frontier: Sequence[bytes]) -> bytes:
    """The root of the whole tree from the roots of its perfect subtrees."""
    root = frontier[-1]
    for subtree in reversed(frontier[:-1]):
        root = hashlib.sha256(b"\1" + subtree + root).digest()
    return root
