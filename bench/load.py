"""The load generator, a process of its own: `python -m bench.load` answers turns on its pipes.

A turn is one JSON line: where, the bytes of HTTP/1.1 requests, how many connections are kept alive,
for how long. Each connection has one of the requests, in turn. The answer is one JSON line: the
milliseconds of every request, and how often one was refused with 503. Such a client asks again when
the answer says so, as a real one does, and the whole wait counts as the time of that request.
"""

import asyncio
import base64
import functools
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import uvloop

from bench.child import Child, child
from bench.measure import Run

HOST = "127.0.0.1"
_LENGTH = b"content-length: "
_RETRY = b"retry-after: "
PATIENCE = 30
"""So many refusals of one request in a row, and the server is not worth measuring."""


class Refused(Exception):
    """An answer was neither 200 nor "ask again": the measurement would be of refusals."""


class _Client(asyncio.Protocol):
    """One kept-alive connection with one request under way at any time."""

    def __init__(self, request: bytes, until: float) -> None:
        self._request = request
        self._until = until
        self._received = b""
        self._began = 0.0
        self.size = self.refused = self._refused_now = 0
        self.took: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def itself(self) -> "_Client":
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclass of it.
        self._transport = cast(asyncio.Transport, transport)
        self._begin()

    def _begin(self) -> None:
        self._began, self._refused_now = time.perf_counter(), 0
        self._send()

    def _send(self) -> None:
        self._received = b""
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        if len(body) < int(_value(head, _LENGTH)):
            return
        if head.startswith(b"HTTP/1.1 503") and self._refused_now < PATIENCE:
            self.refused += 1
            self._refused_now += 1
            asyncio.get_running_loop().call_later(float(_value(head, _RETRY)), self._send)
            return
        if not head.startswith(b"HTTP/1.1 200") or b'"errors"' in body:
            self._end(Refused(self._received.decode()[:400]))
            return
        now = time.perf_counter()
        self.size = len(body)
        self.took.append((now - self._began) * 1000)
        if now < self._until:
            self._begin()
        else:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionError("the server closed the connection"))

    def _end(self, error: Exception | None) -> None:
        self._transport.close()
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


def _value(head: bytes, header: bytes) -> bytes:
    return head.lower().partition(header)[2].partition(b"\r\n")[0]


async def _turn(spec: Mapping[str, object]) -> dict[str, object]:
    requests = [base64.b64decode(one) for one in str(spec["requests"]).split()]
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    until = began + float(str(spec["seconds"]))
    port = int(str(spec["port"]))
    clients = []
    for number in range(int(str(spec["clients"]))):
        client = _Client(requests[number % len(requests)], until)
        await loop.create_connection(functools.partial(_Client.itself, client), HOST, port)
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    took = [one for client in clients for one in client.took]
    return {
        "milliseconds": took,
        "seconds": time.perf_counter() - began,
        "size": clients[0].size,
        "refused": sum(client.refused for client in clients),
    }


@dataclass(frozen=True, slots=True)
class Load:
    """The generator as the measuring process holds it."""

    child: Child

    async def size(self, port: int, request: bytes) -> int:
        """Bytes of the body of one answer."""
        return int((await self._ask(port, [request], 1, 0))["size"])

    async def turn(self, port: int, requests: Sequence[bytes], clients: int, seconds: float) -> Run:
        """So many connections ask again and again. Raises Refused."""
        answer = await self._ask(port, requests, clients, seconds)
        took = tuple(answer["milliseconds"])
        return Run(len(took) / answer["seconds"], took, answer["refused"])

    async def _ask(
        self, port: int, requests: Sequence[bytes], clients: int, seconds: float
    ) -> dict[str, Any]:
        spec = {
            "port": port,
            "requests": " ".join(base64.b64encode(request).decode() for request in requests),
            "clients": clients,
            "seconds": seconds,
        }
        line = await self.child.ask(json.dumps(spec))
        if not line:
            raise Refused("the load generator ended; its reason stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def generator() -> AsyncIterator[Load]:
    """Start the generator; it ends with its standard input."""
    async with child("bench.load") as started:
        yield Load(started)


def request_bytes(path: str, body: bytes, token: str = "") -> bytes:
    """A POST of JSON over HTTP/1.1, with a bearer token where one is given."""
    bearer = f"authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"{bearer}content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    """Answer turns until the standard input ends."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(uvloop.run(_turn(json.loads(line)))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
