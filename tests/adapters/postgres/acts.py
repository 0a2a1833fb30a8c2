"""What the tests of the log do: wishes of an operator, sealed commands, rows seen by the owner."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from adapters.postgres.projector import Projector
from adapters.postgres.writer import SealedCommand, SealedEvent
from api.house import House
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
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
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
