"""What a step has at hand: the running demo, an HTTP client, and the owner's connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2

from adapters.postgres.trail import Trail
from api.opaque import OpaqueIds
from demo.running import Demo, Servers, running
from domain.audit import Selection
from domain.kernel.event import Recorded


class NotSo(Exception):
    """A step found something else than what it promises."""


def hold(truth: bool, otherwise: str) -> None:
    """Raise NotSo unless it is true."""
    if not truth:
        raise NotSo(otherwise)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as received."""

    status: int
    body: dict[str, Any]
    text: str

    @property
    def data(self) -> dict[str, Any]:
        """The data. Raises NotSo when there is none."""
        hold(isinstance(self.body.get("data"), dict), f"no data, status {self.status}")
        data: dict[str, Any] = self.body["data"]
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One running demo and the ways to look at it."""

    demo: Demo
    http: httpx2.AsyncClient
    owner: asyncpg.Connection

    async def ask(self, person: str, query: str, position: str | None = None) -> Answer:
        """POST a GraphQL document as somebody."""
        return await self.ask_with(self.demo.sign_in(person).token, query, position)

    async def ask_with(self, token: str, query: str, position: str | None = None) -> Answer:
        """POST a GraphQL document under a token."""
        payload: dict[str, object] = {"query": query}
        if position is not None:
            payload["extensions"] = {"position": position}
        headers = {"accept": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        response = await self.http.post(self.demo.graphql, json=payload, headers=headers)
        return Answer(response.status_code, response.json(), response.text)

    async def ids(self, tenant: str) -> OpaqueIds:
        """The opaque ids of a tenant."""
        secret = await self.demo.house.keys.tenant_secret(tenant, "opaque-id")
        return OpaqueIds(tenant, secret)

    async def chart(self, story: str, tenant: str = "riverside") -> str:
        """The opaque id of a story's chart."""
        return (await self.ids(tenant)).hide("chart", self.demo.stored.charts[story])

    async def head(self, tenant: str) -> int:
        """The last position of a tenant's log."""
        return await self.trail(tenant).head()

    def trail(self, tenant: str) -> Trail:
        """A tenant's trail."""
        house = self.demo.house
        return Trail(house.auditor, house.keys, tenant)

    async def since(self, tenant: str, position: int) -> list[Recorded]:
        """The events after a position, once the trail has them."""
        trail = self.trail(tenant)
        await self.demo.house.progress.reach(tenant, await trail.head(), ["audit"])
        positions = await trail.positions(Selection(), after=position)
        return await trail.events(positions)


@asynccontextmanager
async def opened(servers: Servers) -> AsyncIterator[World]:
    """Start the demo on a free port and look at it."""
    async with running(servers, 0, lambda _words: None) as demo:
        owner = await asyncpg.connect(servers.postgres.dsn())
        try:
            async with httpx2.AsyncClient(timeout=30) as http:
                yield World(demo=demo, http=http, owner=owner)
        finally:
            await owner.close()
