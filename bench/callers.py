"""Callers in processes of their own: a modest one at a steady rate, greedy ones without a pause.

They speak HTTP/1.1 over plain sockets and read answers without parsing them, so that on a small
machine the load costs less than what it loads.
"""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a process of callers does: each token on so many connections, for so many seconds.

    `pause_s` is from one request's beginning to the next; 0 means at once after the answer. The
    first one comes `after_s`, and those of the first `uncounted_s` are not counted.
    """

    url: str
    tokens: tuple[str, ...]
    document: str
    seconds: float
    connections: int = 1
    pause_s: float = 0.0
    after_s: float = 0.0
    uncounted_s: float = 0.0


@dataclass(slots=True)
class Tally:
    """What came back: milliseconds by status, and the 503 without a hint when to retry."""

    milliseconds: dict[int, list[float]] = field(default_factory=dict)
    without_hint: int = 0
    broken: int = 0

    def count(self, status: int) -> int:
        """Answers of this status."""
        return len(self.milliseconds.get(status, ()))

    def percentile(self, status: int, percent: int) -> float:
        """The duration that `percent` of the answers of a status did not exceed; 0 for none."""
        ordered = sorted(self.milliseconds.get(status, ()))
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0


def pooled(tallies: Iterable[Tally]) -> Tally:
    """All of them as one: a turn of some seconds has too few answers for a 99th percentile."""
    whole = Tally()
    for tally in tallies:
        for status, milliseconds in tally.milliseconds.items():
            whole.milliseconds.setdefault(status, []).extend(milliseconds)
        whole.without_hint += tally.without_hint
        whole.broken += tally.broken
    return whole


class Callers:
    """A process with callers at work; `tally` waits for its end."""

    def __init__(self, load: Load) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_work, args=(load, theirs))
        self._process.start()
        theirs.close()

    async def ready(self) -> None:
        """Return when every connection is open; the seconds count from `go` on."""
        await asyncio.to_thread(self._ours.recv)

    def go(self) -> None:
        """Begin."""
        self._ours.send(None)

    async def tally(self) -> Tally:
        """What the callers saw, when they are done."""
        told: Tally = await asyncio.to_thread(self._ours.recv)
        await asyncio.to_thread(self._process.join)
        self._ours.close()
        return told


def _work(load: Load, wire: Connection) -> None:
    wire.send(asyncio.run(_called(load, wire)))


async def _called(load: Load, wire: Connection) -> Tally:
    tally = Tally()
    place = urlsplit(load.url)
    lines = [
        await asyncio.open_connection(place.hostname, place.port, limit=2**24)
        for _ in range(load.connections * len(load.tokens))
    ]
    requests = [_request(load, token) for token in load.tokens for _ in range(load.connections)]
    wire.send(None)
    await asyncio.to_thread(wire.recv)
    await asyncio.sleep(load.after_s)
    counted = time.perf_counter() + load.uncounted_s
    until = counted + load.seconds
    callers = zip(lines, requests, strict=True)
    await asyncio.gather(
        *(_call(load, line, request, (counted, until), tally) for line, request in callers)
    )
    return tally


def _request(load: Load, token: str) -> bytes:
    place = urlsplit(load.url)
    body = json.dumps({"query": load.document}).encode()
    head = (
        f"POST {place.path} HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-type: application/json\r\n"
        "accept: application/graphql-response+json\r\n"
        f"authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _call(
    load: Load,
    line: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    request: bytes,
    span: tuple[float, float],
    tally: Tally,
) -> None:
    reader, writer = line
    counted, until = span
    try:
        while (began := time.perf_counter()) < until:
            writer.write(request)
            status, hint = await _answer(reader)
            took = time.perf_counter() - began
            if began >= counted:
                tally.milliseconds.setdefault(status, []).append(took * 1000)
            tally.without_hint += status == 503 and not hint
            await asyncio.sleep(max(0.0, load.pause_s - took))
    except (OSError, EOFError):
        tally.broken += 1
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Status, and whether it says when to retry."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1]), b"\r\nretry-after:" in head
