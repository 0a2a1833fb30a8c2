"""Servers in processes of their own: `python -m bench.served`, told as JSON what to serve.

All of them are uvicorn with uvloop and httptools as `api.serving` starts it, so that only the
application differs. A server ends with its standard input.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import Door, application
from api.auth.tokens import DEMO_ISSUER, DemoIssuer, TokenVerifier
from api.context import Operation
from api.graphql import GraphQLEndpoint, OperationContext
from api.graphql.request import Headers
from api.house import open_house, projecting
from api.serving import listen, serving
from api.settings import Settings
from bench import idiomatic
from bench.child import Child, child
from schema.root import build, executable

Spec = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    port: int
    child: Child


@asynccontextmanager
async def served(spec: Spec) -> AsyncIterator[Served]:
    """Start a server; `spec` has its kind and what that kind needs."""
    async with child("bench.served", json.dumps(dict(spec))) as started:
        yield Served(int(await started.told.readline()), started)


@asynccontextmanager
async def _house(spec: Spec) -> AsyncIterator[ASGIApp]:
    """Our application over the house in this folder, with its projector."""
    settings = Settings.in_folder(Path(spec["folder"]), spec["dsn"])
    async with open_house(settings) as house, projecting(house):
        yield application(house, _verifier(spec))


def _verifier(spec: Spec) -> TokenVerifier:
    issuer = DemoIssuer.load_or_create(Path(spec["folder"]) / "issuer.pem")
    return TokenVerifier({DEMO_ISSUER: issuer.issuer}, "anamnesis", profile="demo")


class _Unaudited:
    """An operation whose looks are not appended. Nothing but a measurement may do this."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operation, name)

    async def settle(self) -> Mapping[str, object]:
        await self._operation.close()
        return {}


@asynccontextmanager
async def _unaudited_house(spec: Spec) -> AsyncIterator[ASGIApp]:
    """The same with the one difference that an answer leaves without its looks."""
    settings = Settings.in_folder(Path(spec["folder"]), spec["dsn"])
    async with open_house(settings) as house, projecting(house):
        door = Door(house, _verifier(spec))

        async def open_unaudited(scope: Scope, headers: Headers) -> OperationContext:
            unaudited: OperationContext = _Unaudited(await door.open(scope, headers))
            return unaudited

        graphql = GraphQLEndpoint(executable(build()), open_unaudited)
        yield Starlette(routes=[Route("/graphql", graphql, methods=["POST"])])


@asynccontextmanager
async def _constant(spec: Spec) -> AsyncIterator[ASGIApp]:
    """The same bytes for every request."""
    body = b" " * int(spec["bytes"])
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    class Constant:
        async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
            while (await receive()).get("more_body"):
                pass
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    yield Starlette(routes=[Route("/graphql", Constant(), methods=["POST"])])


Opening = Callable[[Spec], contextlib.AbstractAsyncContextManager[ASGIApp]]
KINDS: Mapping[str, Opening] = {
    "house": _house,
    "unaudited house": _unaudited_house,
    "constant": _constant,
    "idiomatic": idiomatic.opened,
}


async def _serve(spec: Spec) -> None:
    listener = listen(0)
    async with KINDS[spec["kind"]](spec) as app, serving(app, listener):
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        await _ended()


async def _ended() -> None:
    stream = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(stream)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await stream.read()


if __name__ == "__main__":
    uvloop.run(_serve(json.loads(sys.argv[1])))
