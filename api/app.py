"""The HTTP application: GraphQL under /graphql, health under /healthz and /readyz."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.admission import PAGES, STRANGERS, Admission, known_limits, places
from api.apart import ProjectorProcess
from api.auth.tokens import TokenVerifier
from api.caller import Bearers, claims_of
from api.context import AtOnce, Operation
from api.graphql import GraphQLEndpoint, Unreachable
from api.graphql.answer import failure
from api.graphql.request import GRAPHQL_RESPONSE
from api.house import POOL_SIZE, House
from api.lane import LaneLimits
from api.metrics import OPENED, Metrics
from api.opaque import OpaqueIds
from api.standing import RETRY_AFTER_S
from api.trusted import trusted_documents
from domain.kernel.context import Actor
from schema.root import build, executable

READY_SECONDS = 2.0


class Door:
    """Opens the context of a request: who it is, which tenant, under which correlation id."""

    def __init__(self, house: House, verifier: TokenVerifier) -> None:
        self._house = house
        self._bearers = Bearers(verifier)
        self._ids: dict[str, OpaqueIds] = {}

    async def open(self, scope: Scope, _headers: Mapping[str, str]) -> Operation:
        """The operation of a bearer. Raises Unauthenticated."""
        claims = claims_of(scope, self._bearers)
        actor = Actor(
            tenant=claims.tenant,
            id=claims.subject,
            kind="account",
            session=claims.session,
            client=claims.client,
        )
        ids = await self.ids(claims.tenant)
        operation = Operation(
            self._house, actor, ids, secrets.token_hex(8), scope.get(PAGES, AtOnce)
        )
        scope[OPENED] = operation
        return operation

    async def ids(self, tenant: str) -> OpaqueIds:
        """The opaque ids of a tenant."""
        if tenant not in self._ids:
            self._ids[tenant] = await ids_of(self._house, tenant)
        return self._ids[tenant]


async def ids_of(house: House, tenant: str) -> OpaqueIds:
    """The opaque ids of a tenant, under the tenant's secret."""
    return OpaqueIds(tenant, await house.keys.tenant_secret(tenant, "opaque-id"))


def readiness(
    house: House, projector: ProjectorProcess | None
) -> Callable[[Request], Awaitable[JSONResponse]]:
    """What answers whether the database can be read and the projector apart lives."""

    async def ready(_request: Request) -> JSONResponse:
        if house.standing.level == "closed":
            return JSONResponse({"status": "fail"}, 503)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await house.api.fetchval("SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return JSONResponse({"status": "fail"}, 503)
        if projector is not None and not projector.is_alive:
            return JSONResponse({"status": "fail"}, 503)
        return JSONResponse({"status": "pass"})

    return ready


class _Front:
    """GraphQL by POST goes to its gate at once, all else by the routes.

    Routes and middlewares take as long as half a refusal, and a flood is made of refusals.
    """

    def __init__(self, graphql: ASGIApp, others: ASGIApp) -> None:
        self._graphql = graphql
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["path"] == "/graphql"
        chosen = self._graphql if asked and scope["method"] == "POST" else self._others
        await chosen(scope, receive, send)


class _Standing:
    """The endpoint while the process may read; else 503, before anybody's token is judged.

    A clock that went astray would judge it wrongly.
    """

    def __init__(self, inner: ASGIApp, house: House) -> None:
        self._inner = inner
        self._house = house
        self._closed = failure(Unreachable(RETRY_AFTER_S), GRAPHQL_RESPONSE, "")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._house.standing.level == "closed":
            await self._closed.send(send)
        else:
            await self._inner(scope, receive, send)


class _Renewing:
    """The endpoint; after an answer of 503 connections are made anew, beside what goes on."""

    def __init__(self, inner: ASGIApp, house: House) -> None:
        self._inner = inner
        self._house = house
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            # A house that allows less just now has sound connections.
            if message.get("status") == 503 and self._house.standing.level == "open":
                task = asyncio.create_task(self._house.renew(), name="renew-pools")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await send(message)

        await self._inner(scope, receive, sent)


async def _alive(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "pass"})


def application(
    house: House,
    verifier: TokenVerifier,
    *,
    development: bool = False,
    metrics: Metrics | None = None,
    projector: ProjectorProcess | None = None,
    limits: LaneLimits | None = None,
) -> ASGIApp:
    """The ASGI application over an open house; who runs it opens and closes the house.

    With a projector apart, the application is ready only while that gives signs of life. `limits`
    are those of callers with an accepted token; by cores and connections unless given.
    """
    door = Door(house, verifier)
    endpoint = GraphQLEndpoint(
        executable(build()),
        door.open,
        development=development,
        operations=trusted_documents(),
        trusted_only=house.settings.trusted_only,
    )
    known = limits or known_limits(house.settings.in_service or places(POOL_SIZE))
    renewing = _Renewing(endpoint, house)
    admission = Admission(renewing, Bearers(verifier), known, STRANGERS, endpoint.known_price)
    standing = _Standing(admission, house)
    graphql: ASGIApp = standing
    if metrics is not None:
        graphql = metrics.observed(standing, admission, house, projector)

    others = Starlette(
        routes=[
            Route("/graphql", graphql, methods=["GET", "POST"]),
            Route("/healthz", _alive),
            Route("/readyz", readiness(house, projector)),
        ]
    )

    return _Front(graphql, others)
