"""The load generator waits when told to, counts that, and gives up on a server that is shut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.load import PATIENCE, Refused, generator, request_bytes

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
LATER = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\nretry-after: 0\r\n\r\n{}"
WRONG = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}"


@asynccontextmanager
async def answering(answers: list[bytes], then: bytes) -> AsyncIterator[int]:
    """The port of a server that gives these answers, and after them `then`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answers.pop(0) if answers else then)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_request_that_is_told_to_come_again_comes_again() -> None:
    async with generator() as load, answering([LATER, LATER], GOOD) as port:
        run = await load.turn(port, [request_bytes("/", b"")], 1, 0.05)
    assert run.refused == 2
    assert len(run.milliseconds) >= 1


@pytest.mark.parametrize("answer", [LATER, WRONG])
async def test_a_server_that_never_answers_well_is_not_measured(answer: bytes) -> None:
    async with answering([], answer) as port:
        with pytest.raises(Refused):
            async with generator() as load:
                await load.turn(port, [request_bytes("/", b"")], 1, 0.05)
    assert PATIENCE == 30
