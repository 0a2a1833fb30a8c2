"""uvicorn over an open house, on a socket of our own, until told to stop."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

DRAIN_SECONDS = 30
# An answer makes some thousand objects and no cycle, so that the collector found nothing and took
# a tenth of the time.
NEW_OBJECTS = 20_000


class PortTaken(Exception):
    """Another program listens on this port. Choose one with --port; 0 takes any free one."""


def listen(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises PortTaken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(port) from error
    listener.listen(2048)
    return listener


class _Server(uvicorn.Server):
    """Signals are the caller's affair."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[str]:
    """The application's URL while it is served; on leaving, requests under way finish first."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = _Server(config)
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
    task = asyncio.create_task(server.serve(sockets=[listener]), name="server")
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.005)
    host, port = listener.getsockname()[:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await task
