"""Reads a tenant's log and checks all of it: leaves, root, clear columns, versions, keys, heads.

One REPEATABLE READ snapshot is shared by all connections, so appends go on meanwhile and neither
disturb nor are checked. Rows are fetched by prepared statements in binary form: 8,192 at a time was
a quarter faster than binary COPY parsed in Python.

Whoever can rewrite rows, leaves and the frontier alike is found out only by a root that was kept
elsewhere: an anchor (adapters/proofs/anchors.py).
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Iterator,
    Sequence,
)
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import Protocol
from uuid import UUID

import asyncpg

from adapters.codec import UnreadableEvent, decode_body, decode_header
from adapters.keys import KeyRefused
from adapters.keys.port import KeptKey
from adapters.keys.tree import Found
from adapters.postgres.opening import opened_body
from adapters.proofs.anchors import Anchor, AnchorCheck
from adapters.proofs.erasures import Ordering
from adapters.proofs.findings import MOST_FINDINGS, Verification
from adapters.proofs.merkle import root_of
from adapters.proofs.span import SpanCheck, SpanReport
from adapters.proofs.whole import NO_HEAD, Head, WholeCheck
from domain.audit import ChartErased

__all__ = ["TenantUnknown", "Verification", "verify"]

SPAN = 32_768
PORTION = 8_192
KNOWN_KEYS = 200_000

HEAD = """SELECT position, frontier, timestamptz_send(committed_at) AS committed_at, access_position
  FROM log_head WHERE tenant = $1"""
EVENTS = """SELECT position, version, timestamptz_send(committed_at), uuid_send(stream), type, leaf,
  salt, header, context, body
  FROM event WHERE tenant = $1 AND position BETWEEN $2 AND $3 ORDER BY position"""
BELOW = "SELECT min(position) FROM event WHERE tenant = $1 AND position < 1"
ABOVE = "SELECT min(position) FROM event WHERE tenant = $1 AND position > $2"
LEAVES = """SELECT leaf FROM event WHERE tenant = $1 AND position BETWEEN $2 AND $3
  ORDER BY position"""
STREAM_HEADS = "SELECT uuid_send(stream), version FROM stream_head WHERE tenant = $1"
LAST_OF_STREAM = """SELECT max(position) FROM event
  WHERE tenant = $1 AND stream = $2 AND position <= $3"""
DESTROYED = "SELECT key::text, position FROM destroyed_key WHERE tenant = $1"
ERASURES = """SELECT position, version, committed_at, header, context, body FROM event
  WHERE tenant = $1 AND type = $2 AND position <= $3 ORDER BY position"""
COMMANDS = """SELECT encode(id, 'hex') AS id, first, last FROM command WHERE tenant = $1
  AND (first < 1 OR last > $2 OR first > last OR (first IS NULL) <> (last IS NULL))
  ORDER BY first LIMIT $3"""


class Keys(Protocol):
    """What a verification needs of the key tree."""

    async def kept(self, tenant: str, key_ids: Collection[str]) -> dict[str, KeptKey | None]:
        """What the key store has of each key; see KeyTree.kept."""

    async def by_ids(self, tenant: str, key_ids: Collection[str]) -> dict[str, Found]:
        """Keys that open what an erasure event says; see KeyTree.by_ids."""


Progress = Callable[[int, int], None]


class TenantUnknown(LookupError):
    """There is no log of this name. Check the tenant, and that the role may read it."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a worker reads: picklable."""

    dsn: str
    tenant: str
    snapshot: str | None


async def verify(
    dsn: str,
    tenant: str,
    tree: Keys,
    progress: Progress,
    workers: int | None = None,
    *,
    span: int = SPAN,
    anchors: Sequence[Anchor] = (),
) -> Verification:
    """Check every event up to the head of this moment.

    `dsn` is the auditor's. `tree` says what the key store has of each key and opens erasures.
    `progress` gets (events checked, events) after each span of `span` events, a power of two.
    `workers` processes share the spans; None takes one per core, one worker is this process. The
    log must have the roots of its `anchors`. Raises TenantUnknown.
    """
    began = time.monotonic()
    async with _snapshot(_Source(dsn, tenant, None)) as connection:
        head, has_head = await _head(connection, tenant)
        source = _Source(dsn, tenant, await connection.fetchval("SELECT pg_export_snapshot()"))
        whole = WholeCheck(has_head)
        keys = _Keys(tree, tenant)
        progress(0, head.position)
        async with aclosing(_reports(source, _spans(head.position, span), workers)) as reports:
            async for report in reports:
                whole.join(report)
                await keys.check(whole, report)
                progress(report.last, head.position)
        whole.check_head(head)
        await _check_beside(connection, tenant, head.position, whole)
        await keys.conclude(connection, tenant, head.position, whole)
        await _check_anchors(connection, tenant, anchors, whole)
    return _outcome(tenant, head.position, whole, began)


def _outcome(tenant: str, events: int, whole: WholeCheck, began: float) -> Verification:
    return Verification(
        tenant=tenant,
        events=events,
        root=whole.root.hex(),
        wrongs=whole.first_wrongs(),
        missing_keys=tuple(sorted(whole.missing_keys)),
        seconds=time.monotonic() - began,
        erased_keys=len(whole.erasures.keys),
        erased_later=whole.erasures.later(events),
    )


@asynccontextmanager
async def _snapshot(source: _Source) -> AsyncIterator[asyncpg.Connection]:
    """A connection inside a read-only transaction that sees one tenant at one moment."""
    connection = await asyncpg.connect(source.dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            if source.snapshot is not None:
                await connection.execute(f"SET TRANSACTION SNAPSHOT '{source.snapshot}'")
            await connection.execute(
                "SELECT set_config('anamnesis.tenant', $1, true)", source.tenant
            )
            yield connection
    finally:
        await connection.close()


async def _head(connection: asyncpg.Connection, tenant: str) -> tuple[Head, bool]:
    row = await connection.fetchrow(HEAD, tenant)
    if row is not None:
        return Head(row[0], tuple(row[1]), row[2], row[3]), True
    if await connection.fetchval(ABOVE, tenant, 0) is None:
        raise TenantUnknown(tenant)
    return NO_HEAD, False


def _spans(position: int, span: int) -> list[tuple[int, int]]:
    return [(low + 1, min(low + span, position)) for low in range(0, position, span)]


async def _reports(
    source: _Source, spans: list[tuple[int, int]], workers: int | None
) -> AsyncGenerator[SpanReport, None]:
    """The reports in order; at most two spans per worker are under way or wait to be joined."""
    workers = min(workers or os.cpu_count() or 1, len(spans))
    if workers <= 1:
        for first, last in spans:
            yield await _check_span(source, first, last)
        return
    # Spawned, as a forked process would share this one's sockets and threads.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        waiting = iter(spans)
        running: deque[Future[SpanReport]] = deque(
            pool.submit(_work, source, *limits) for limits in islice(waiting, 2 * workers)
        )
        while running:
            report = await asyncio.wrap_future(running.popleft())
            running.extend(pool.submit(_work, source, *limits) for limits in islice(waiting, 1))
            yield report
    finally:
        pool.shutdown(cancel_futures=True)


def _work(source: _Source, first: int, last: int) -> SpanReport:
    """The whole task of a worker process."""
    return asyncio.run(_check_span(source, first, last))


async def _check_span(source: _Source, first: int, last: int) -> SpanReport:
    check = SpanCheck(source.tenant, first, last)
    async with _snapshot(source) as connection:
        statement = await connection.prepare(EVENTS)
        for start, end in _portions(first, last):
            check.take(await statement.fetch(source.tenant, start, end), end)
    return check.report()


def _portions(first: int, last: int) -> Iterator[tuple[int, int]]:
    for start in range(first, last + 1, PORTION):
        yield start, min(start + PORTION - 1, last)


class _Keys:
    """Asks the key store once per key, as far as memory is bounded."""

    def __init__(self, tree: Keys, tenant: str) -> None:
        self._tree = tree
        self._tenant = tenant
        self._known: dict[str, KeptKey | None] = {}

    async def check(self, whole: WholeCheck, report: SpanReport) -> None:
        """Compare the commitments that a span's bodies carry."""
        found = report.keys
        unasked = {key for key, _ in found} - self._known.keys()
        if len(self._known) + len(unasked) > KNOWN_KEYS:
            self._known.clear()
            unasked = {key for key, _ in found}
        if unasked:
            self._known.update(await self._tree.kept(self._tenant, unasked))
        whole.check_keys(found, self._known)

    async def conclude(
        self, connection: asyncpg.Connection, tenant: str, position: int, whole: WholeCheck
    ) -> None:
        """Compare destroyed keys with the erasure events that order it."""
        destroyed = {row[0]: row[1] for row in await connection.fetch(DESTROYED, tenant)}
        rows = await connection.fetch(ERASURES, tenant, ChartErased.type_name, position)
        events = {row["position"]: await self._ordering(row) for row in rows}
        named = set(destroyed).union(*(event.keys for event in events.values()))
        known = await self._tree.kept(tenant, named) if named else {}
        for wrong in whole.erasures.close(events, destroyed, known, position):
            whole.note(wrong.position, wrong.code, wrong.detail)

    async def _ordering(self, row: asyncpg.Record) -> Ordering:
        """An erasure event; one that was tampered with is named by its leaf, and orders nothing."""
        try:
            header = decode_header(row["header"])
            found = await self._tree.by_ids(self._tenant, {header.key})
            body = opened_body(found[header.key], row["body"], row["header"])
            event = decode_body(header.type, header.version, body)
        except (UnreadableEvent, KeyRefused):
            return Ordering("", frozenset())
        keys = event.keys if isinstance(event, ChartErased) else ()
        return Ordering(header.event, frozenset(keys))


async def _check_beside(
    connection: asyncpg.Connection, tenant: str, position: int, whole: WholeCheck
) -> None:
    """What stands beside the events: rows outside the head, stream heads, commands."""
    for check in (_check_outside, _check_stream_heads, _check_commands):
        await check(connection, tenant, position, whole)


async def _check_anchors(
    connection: asyncpg.Connection, tenant: str, anchors: Sequence[Anchor], whole: WholeCheck
) -> None:
    """Leaves were compared with their rows already; here they are read alone."""
    check = AnchorCheck(anchor for anchor in anchors if anchor.tenant == tenant)
    for start, end in _portions(1, check.last):
        check.take([row[0] for row in await connection.fetch(LEAVES, tenant, start, end)])
    for anchor in check.close():
        whole.note(anchor.position, "anchor", f"the root was {anchor.root}")


async def anchors_now(dsn: str, tenants: Sequence[str]) -> list[Anchor]:
    """The roots of these logs at this moment, from their frontiers; empty logs have none."""
    found = []
    for tenant in tenants:
        async with _snapshot(_Source(dsn, tenant, None)) as connection:
            head, _ = await _head(connection, tenant)
            if head.position:
                found.append(Anchor(tenant, head.position, root_of(head.frontier).hex()))
    return found


async def _check_outside(
    connection: asyncpg.Connection, tenant: str, position: int, whole: WholeCheck
) -> None:
    for found in (
        await connection.fetchval(BELOW, tenant),
        await connection.fetchval(ABOVE, tenant, max(position, 0)),
    ):
        if found is not None:
            whole.note(found, "beyond-head", f"the head is at {position}")


async def _check_stream_heads(
    connection: asyncpg.Connection, tenant: str, position: int, whole: WholeCheck
) -> None:
    """Each wrong head is named by the last event of its stream, or by the log's last position."""
    wrong: list[tuple[UUID, str]] = []
    heads = await connection.cursor(STREAM_HEADS, tenant)
    while portion := await heads.fetch(PORTION):
        wrong += whole.check_stream_heads(portion)[:MOST_FINDINGS]
    wrong += whole.headless_streams()
    for stream, detail in wrong[:MOST_FINDINGS]:
        last = await connection.fetchval(LAST_OF_STREAM, tenant, stream, position)
        whole.note(last or max(position, 1), "stream-head", detail)


async def _check_commands(
    connection: asyncpg.Connection, tenant: str, position: int, whole: WholeCheck
) -> None:
    for row in await connection.fetch(COMMANDS, tenant, position, MOST_FINDINGS):
        at = row["last"] if row["first"] is None else row["first"]
        whole.note(at, "command", f"{row['id']} has positions {row['first']} to {row['last']}")
