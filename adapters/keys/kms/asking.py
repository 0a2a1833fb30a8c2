"""JSON over HTTP to a service that may be busy: what passes by itself is asked again, not for long.

No body of an answer reaches an error or a log: it could hold a key.
"""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Final

import httpx2
import msgspec

from adapters.keys.refused import BodyTampered, RootUnavailable

TIMEOUT_SECONDS: Final = 3.0
DEADLINE_SECONDS: Final = 8.0
"""For all tries of one question."""
PAUSES: Final = (0.1, 0.4, 1.2)
"""Seconds between one try and the next, unless the service asks for others."""
LONGEST_PAUSE: Final = 2.0
BUSY: Final = frozenset({408, 412, 429, 472, 473, 500, 502, 503, 504})
"""What passes by itself, Vault's own codes for standby nodes and late replicas among them."""
DENIED: Final = frozenset({401, 403})

Authorized = Callable[[httpx2.AsyncClient, bool], Awaitable[Mapping[str, str]]]
"""Headers that say who asks; True: those from before were denied, fetch others."""
Forged = Callable[[bytes], bool]
"""Whether an answer that is no success says that what is to be opened was never wrapped so."""


class Busy(Exception):
    """Who says who we are has no time; its argument is the status."""


class Asking:
    """One service. A connection lives for one question: tenants' keys are asked for rarely."""

    def __init__(self, service: str, authorized: Authorized, forged: Forged) -> None:
        """`service` is what errors call it."""
        self._service = service
        self._authorized = authorized
        self._forged = forged

    async def post(self, url: str, body: object) -> dict[str, object]:
        """The JSON of a success. Raises BodyTampered and RootUnavailable."""
        try:
            async with (
                asyncio.timeout(DEADLINE_SECONDS),
                # No proxy of the environment gets to see a key.
                httpx2.AsyncClient(
                    verify=_trust(), timeout=TIMEOUT_SECONDS, trust_env=False
                ) as client,
            ):
                return await self._asked(client, url, body)
        except TimeoutError:
            raise RootUnavailable(f"{self._service}: no answer in time") from None

    async def _asked(self, client: httpx2.AsyncClient, url: str, body: object) -> dict[str, object]:
        anew, said = False, "no answer"
        for pause in (*PAUSES, None):
            wanted = None
            try:
                headers = await self._authorized(client, anew)
                answer = await client.post(url, json=body, headers=headers)
            except (httpx2.RequestError, httpx2.InvalidURL) as error:
                said = type(error).__name__
            except Busy as error:
                said = str(error)
            else:
                said, wanted = str(answer.status_code), answer.headers.get("retry-after")
                if answer.status_code == 200:
                    return self._read(answer)
                if self._forged(answer.content):
                    raise BodyTampered("root")
                denied = answer.status_code in DENIED and not anew
                if not denied and answer.status_code not in BUSY:
                    break
                anew = denied
            if pause is not None:
                await asyncio.sleep(_pause(pause, wanted))
        raise RootUnavailable(f"{self._service}: {said}")

    def _read(self, answer: httpx2.Response) -> dict[str, object]:
        try:
            return msgspec.json.decode(answer.content, type=dict[str, object])
        except msgspec.DecodeError:
            raise RootUnavailable(f"{self._service}: no JSON") from None


def text(content: bytes) -> str:
    """Bytes as they stand in JSON: base64."""
    return base64.b64encode(content).decode()


@cache
def _trust() -> ssl.SSLContext:
    """Made once: it takes longer than a question."""
    return ssl.create_default_context()


def _pause(pause: float, wanted: str | None) -> float:
    """`retry-after` in seconds, within bounds; a date is not waited for."""
    with contextlib.suppress(TypeError, ValueError):
        return min(max(float(wanted or ""), pause), LONGEST_PAUSE)
    return pause
