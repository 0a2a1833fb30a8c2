"""The gate before GraphQL: so many requests at once, a bounded wait, and 503 for the rest.

The body is received here, so that no slow sender holds a place, and executed by nobody before
there is a place; what it costs is looked up where its operation is known. Callers with an accepted
token and callers without one have a lane each: whoever floods us with bad tokens takes nothing from
those who are known.
"""

import asyncio
import functools
import os
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.bodies import BodyRoom
from api.caller import Bearers, claims_of, neighbourhood
from api.graphql import Limits, Unauthenticated
from api.graphql.answer import Answer
from api.graphql.faults import Fault
from api.graphql.request import GRAPHQL_RESPONSE, ClientGone
from api.hints import Hints
from api.lane import Lane, LaneLimits, Refused
from api.pages import PageTurn

RETRY_AFTER_S = 1
BODY_SECONDS = 10.0
PAGES = "anamnesis.pages"
"""In the scope of a request in service: what it reads each page in (`PageTurn`)."""
OVERLOADED = "anamnesis.overloaded"
"""Set in the scope of a request that was refused here."""
LONGEST_BODY_BYTES = Limits().body_bytes
_OVERLOADED = Fault("OVERLOADED", "Too much is asked of us right now.", retryable=True)
_SLOW = Fault("BODY_TOO_SLOW", "The body did not arrive in time.")


def known_limits(in_service: int) -> LaneLimits:
    """The limits of callers with an accepted token; half of the places at most are one caller's."""
    return LaneLimits(
        in_service=in_service, per_caller=max(1, in_service // 2), reserved=in_service // 4
    )


def places(pool_size: int, cores: int | None = None) -> int:
    """How many operations at once: four per core, and connections to spare.

    An operation holds a connection while it reads and asks for another one for a moment: with as
    many operations as connections, each would wait for the others.
    """
    wanted = 4 * (cores or os.cpu_count() or 1)
    return max(1, min(wanted, pool_size - 4))


KNOWN_BYTES = (64 * 1024 * 1024, 2 * 1024 * 1024)
STRANGERS_BYTES = (8 * 1024 * 1024, 2 * 1024 * 1024)
"""Of bodies that are arriving or wait: in all, and of one caller."""
STRANGERS = LaneLimits(
    in_service=2,
    per_caller=1,
    new=2,
    waiting=32,
    waiting_per_caller=8,
)


PriceOf = Callable[[bytes], int | None]
"""What the request in a body costs at most, where that is known without any work."""


class BodyTooSlow(Exception):
    """The body did not arrive within BODY_SECONDS."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """A request on its way through a lane."""

    lane: Lane
    room: BodyRoom
    key: str
    receive: Receive


class Admission:
    """An ASGI application that lets requests through to another one.

    `refused` counts answers by lane and reason.
    """

    def __init__(
        self,
        inner: ASGIApp,
        bearers: Bearers,
        known: LaneLimits,
        strangers: LaneLimits,
        price_of: PriceOf = lambda _body: None,
    ) -> None:
        self._inner = inner
        self._price_of = price_of
        self._bearers = bearers
        self.known = Lane(known)
        self.strangers = Lane(strangers)
        self._hints = Hints(RETRY_AFTER_S)
        self._rooms = {"known": BodyRoom(*KNOWN_BYTES), "strangers": BodyRoom(*STRANGERS_BYTES)}
        self.refused: dict[tuple[str, str], int] = {}

    @property
    def lanes(self) -> dict[str, Lane]:
        """Both lanes by name."""
        return {"known": self.known, "strangers": self.strangers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        bearer = _bearer(scope)
        if bearer is not None and self._hints.is_unheard(bearer) and self.known.overload.is_on():
            # Who was refused for overload is late as long as it lasts; and it is told not sooner
            # than others are, or who does not wait would ask all the more.
            self.known.overload.late()
            await asyncio.sleep(self.known.limits.overload_s)
            await self._refuse("known", "unheard", scope, send)
            return
        name, key = self._place(scope)
        visit = _Visit(self.lanes[name], self._rooms[name], key, receive)
        try:
            await self._visit(visit, scope, send)
        except Refused as refused:
            if bearer is not None and name == "known" and self.known.overload.is_on():
                # A queue of one's own that is full says nothing of the server.
                self._hints.refused(bearer)
            await self._refuse(name, refused.reason, scope, send)
        except BodyTooSlow:
            await _CLOSED.send(send)
        except ClientGone:
            return

    async def _refuse(self, lane: str, reason: str, scope: Scope, send: Send) -> None:
        self.refused[lane, reason] = self.refused.get((lane, reason), 0) + 1
        scope[OVERLOADED] = True
        await _LATER.send(send)

    def _place(self, scope: Scope) -> tuple[str, str]:
        try:
            claims = claims_of(scope, self._bearers)
        except Unauthenticated:
            return "strangers", neighbourhood(scope)
        return "known", f"{claims.tenant}/{claims.subject}"

    async def _visit(self, visit: _Visit, scope: Scope, send: Send) -> None:
        if scope["method"] != "GET" and _declared(scope) > LONGEST_BODY_BYTES:
            # Refused inside without a look at the body; that of a GET says nothing there.
            await self._inner(scope, visit.receive, send)
            return
        body = bytearray()
        try:
            await _collect(visit, body)
            turn = await visit.lane.enter(visit.key, self._price_of(bytes(body)))
        finally:
            visit.room.release(visit.key, len(body))
        scope[PAGES] = functools.partial(PageTurn, visit.lane, turn)
        answered = 0

        async def sent(message: Message) -> None:
            nonlocal answered
            answered += len(message.get("body", b""))
            await send(message)

        try:
            await self._inner(scope, _replayed(bytes(body), visit.receive), sent)
        finally:
            visit.lane.leave(turn, answered)


def _bearer(scope: Scope) -> int | None:
    """Stands for the authorization header, which nobody has looked at yet."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return hash(value)
    return None


def _declared(scope: Scope) -> int:
    """The length that the header claims; what is no number is refused inside."""
    text = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(text) if text.isdigit() and len(text) <= 15 else 0


async def _collect(visit: _Visit, body: bytearray) -> None:
    """Receive the body, or as much as is enough to refuse it. Raises Refused and ClientGone."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            more = True
            while more and len(body) <= LONGEST_BODY_BYTES:
                message = await visit.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk = message.get("body", b"")
                visit.room.hold(visit.key, len(chunk))
                body += chunk
                more = message.get("more_body", False)
    except TimeoutError:
        raise BodyTooSlow from None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body as one message, then whatever comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return messages.pop() if messages else await receive()

    return received


class _Said:
    """An answer that is the same for everybody, but for the id that a caller may quote."""

    def __init__(self, status: int, fault: Fault, headers: dict[str, str]) -> None:
        body = msgspec.json.encode({"errors": [fault.entry(_ID)]})
        answer = Answer(status, GRAPHQL_RESPONSE, body, headers)
        self._start = answer.start
        self._before, _, self._after = body.partition(_ID.encode())

    async def send(self, send: Send) -> None:
        """In a flood this is most of the work: nothing is worked out twice."""
        await send(self._start)
        body = self._before + os.urandom(16).hex().encode() + self._after
        await send({"type": "http.response.body", "body": body})


_ID = "0" * 32
_LATER = _Said(503, _OVERLOADED, {"retry-after": str(RETRY_AFTER_S)})
_CLOSED = _Said(408, _SLOW, {"connection": "close"})
