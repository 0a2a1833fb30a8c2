"""Counting what an operation sends to PostgreSQL, where asyncpg itself sends it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx2
from asyncpg.connection import LoggedQuery

from api.app import application
from api.auth.tokens import DEMO_ISSUER, DemoIssuer, TokenVerifier
from api.house import CLOCK, House
from bench.ground import TENANT

TIMES = 20


@dataclass(slots=True)
class Counted:
    """Statements as sent: one message with several statements counts as several."""

    sent: list[str] = field(default_factory=list)
    commits: int = 0
    """Durable commits: the writer's batches; readers commit nothing. Known at the end."""

    @property
    def statements(self) -> int:
        """Statements of the pools, and one call of the append function per batch."""
        return sum(sql.rstrip("; \n").count(";") + 1 for sql in self.sent) + self.commits


@asynccontextmanager
async def counting(house: House) -> AsyncIterator[Counted]:
    """Count what the pools of the API and the writer send meanwhile."""
    counted, before = Counted(), house.writer.batches

    def note(query: LoggedQuery) -> None:
        if query.query != CLOCK:
            counted.sent.append(query.query)

    connections = [*await _all_connections(house.api), *await _all_connections(house.reads)]
    for connection in connections:
        connection.add_query_logger(note)
    try:
        yield counted
    finally:
        counted.commits = house.writer.batches - before
        for connection in connections:
            connection.remove_query_logger(note)


async def _all_connections(pool: asyncpg.Pool) -> list[asyncpg.Connection]:
    """Every connection that the pool can hand out, opened by taking all of them at once."""
    async with AsyncExitStack() as stack:
        taken = [
            await stack.enter_async_context(pool.acquire()) for _ in range(pool.get_max_size())
        ]
        return [proxy._con for proxy in taken]


async def per_request(house: House, folder: Path, account: str, document: str) -> dict[str, object]:
    """Statements and durable commits per request, of requests one after the other."""
    issuer = DemoIssuer.load_or_create(folder / "issuer.pem")
    verifier = TokenVerifier({DEMO_ISSUER: issuer.issuer}, "anamnesis", profile="demo")
    headers = {"authorization": f"Bearer {issuer.mint(account, TENANT, 'bench')}"}
    transport = httpx2.ASGITransport(app=application(house, verifier))
    async with httpx2.AsyncClient(transport=transport, headers=headers) as client:

        async def ask() -> None:
            answer = await client.post("http://bench/graphql", json={"query": document})
            answer.raise_for_status()

        await ask()
        async with counting(house) as counted:
            for _ in range(TIMES):
                await ask()
    return {"statements": counted.statements / TIMES, "commits": counted.commits / TIMES}
