"""A small real schema behind the endpoint, a context that remembers, and a client."""

import asyncio
import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2
import strawberry
from starlette.types import Scope

from api.graphql import (
    AuditUnavailable,
    GraphQLEndpoint,
    Limits,
    PositionInvalid,
    PositionTimeout,
    Unauthenticated,
)
from domain.kernel.refusal import Busy, NotFound

CANARY = "canary-7f3a91"
RESPONSE = "application/graphql-response+json"
URL = "http://portal.test/graphql"


@dataclass
class Desk:
    """The context of the operations of one test."""

    correlation: str = "correlation-1"
    steps: list[str] = field(default_factory=list)
    settle_error: Exception | None = None
    close_error: Exception | None = None
    extensions: dict[str, object] = field(default_factory=lambda: {"position": "p-9"})
    operation: str = ""
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, operation: str) -> None:
        self.operation = operation

    async def wait_for(self, position_token: str) -> None:
        self.steps.append(f"wait {position_token}")
        known = {"p-8": None, "too-new": PositionTimeout()}
        failure = known.get(position_token, PositionInvalid())
        if failure is not None:
            raise failure

    async def settle(self) -> Mapping[str, object]:
        self.steps.append("settle")
        if self.settle_error is not None:
            raise self.settle_error
        await asyncio.sleep(0)
        return self.extensions

    def tag(self, encoded: bytes) -> str:
        return hashlib.sha256(encoded).hexdigest()[:8]

    async def close(self) -> None:
        self.steps.append("close")
        if self.close_error is not None:
            raise self.close_error


@strawberry.input
class NoteInput:
    text: str
    stars: int
    tags: list[int] | None = None


@strawberry.type
class Person:
    name: str

    @strawberry.field
    async def friend(self) -> "Person":
        return Person(name=f"friend of {self.name}")


@strawberry.type
class Query:
    @strawberry.field
    async def me(self, info: strawberry.Info[Desk, None]) -> Person:
        info.context.steps.append("me")
        return Person(name="Ada")

    @strawberry.field
    async def echo(self, text: str) -> str:
        return text

    @strawberry.field
    async def on(self, day: datetime.date) -> str | None:
        return day.isoformat()

    @strawberry.field
    async def note(self, notes: list[NoteInput]) -> int:
        return len(notes)

    @strawberry.field
    async def bug(self, text: str = CANARY) -> str | None:
        secret = text
        raise ValueError(f"could not read {secret}")

    @strawberry.field
    async def strict_bug(self, text: str = CANARY) -> str:
        raise KeyError(text)

    @strawberry.field
    async def absent(self) -> str | None:
        raise NotFound

    @strawberry.field
    async def busy(self) -> str | None:
        raise Busy

    @strawberry.field
    async def unaudited(self) -> str | None:
        raise AuditUnavailable(7)

    @strawberry.field
    async def not_a_number(self) -> int | None:
        return CANARY  # type: ignore[return-value]

    @strawberry.field
    async def half_a_letter(self) -> str:
        return f"{CANARY} \ud800"

    @strawberry.field
    async def sized(self, size: strawberry.Maybe[int] = None) -> str | None:
        return None if size is None else str(size.value)

    @strawberry.field
    async def slow(self, info: strawberry.Info[Desk, None]) -> str | None:
        try:
            await info.context.hold.wait()
        finally:
            info.context.steps.append("slow ended")
        return "done"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def write(self, info: strawberry.Info[Desk, None], text: str) -> str:
        info.context.steps.append(f"write {text}")
        return text


SCHEMA = strawberry.Schema(query=Query, mutation=Mutation)._schema


def identified(document: str) -> str:
    """The document id of a text."""
    return f"sha256:{hashlib.sha256(document.encode()).hexdigest()}"


@dataclass
class Portal:
    """One endpoint and the ways to call it."""

    desk: Desk
    endpoint: GraphQLEndpoint

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self.endpoint)
        async with httpx2.AsyncClient(transport=transport) as client:
            return await client.send(request)

    async def post(
        self, query: str | None = None, accept: str | None = None, **members: object
    ) -> httpx2.Response:
        body = {"query": query, **members}
        headers = {"accept": RESPONSE if accept is None else accept}
        return await self.send(httpx2.Request("POST", URL, json=body, headers=headers))

    async def raw(self, content: bytes, **headers: str) -> httpx2.Response:
        named = {"content-type": "application/json", "accept": RESPONSE} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return await self.send(httpx2.Request("POST", URL, content=content, headers=named))

    async def get(self, known: str | None = None, **parameters: str) -> httpx2.Response:
        headers = {"accept": RESPONSE} | ({"if-none-match": known} if known is not None else {})
        return await self.send(httpx2.Request("GET", URL, params=parameters, headers=headers))


def open_portal(
    limits: Limits | None = None,
    development: bool = False,
    operations: tuple[str, ...] = (),
    desk: Desk | None = None,
    trusted_only: bool = False,
) -> Portal:
    """Build an endpoint; a request with the header `x-stranger` is not authenticated."""
    desk = desk or Desk()

    async def open_context(_: Scope, headers: dict[str, str]) -> Desk:
        if "x-stranger" in headers:
            raise Unauthenticated("token_missing")
        desk.steps.append("open")
        return desk

    trusted = {identified(text): text for text in operations}
    return Portal(
        desk, GraphQLEndpoint(SCHEMA, open_context, limits, development, trusted, trusted_only)
    )


def code(response: httpx2.Response) -> str:
    """The code of the first error."""
    return str(response.json()["errors"][0]["extensions"]["code"])
