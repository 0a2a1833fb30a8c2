"""Who asks Google: a service account with its key, or the account of the machine."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import httpx2
import jwt
import msgspec

from adapters.keys.kms.asking import BUSY, Busy
from adapters.keys.refused import RootUnavailable

SCOPE: Final = "https://www.googleapis.com/auth/cloudkms"
METADATA: Final = "http://metadata.google.internal"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EARLY_SECONDS: Final = 60.0


class KeyFile(msgspec.Struct, frozen=True):
    """What we read of a service account's key file."""

    client_email: str
    private_key: str
    token_uri: str
    private_key_id: str = ""


class _Told(msgspec.Struct, frozen=True):
    """RFC 6749, section 5.1."""

    access_token: str
    expires_in: float


class Account(Protocol):
    """Who asks."""

    async def ask(self, client: httpx2.AsyncClient) -> httpx2.Response:
        """The answer that has an access token in it. Raises RootUnavailable."""
        ...


class Token:
    """An account's token, kept until shortly before it expires, or until it is denied."""

    def __init__(self, account: Account) -> None:
        """Nobody is asked yet."""
        self._account = account
        self._token = ""
        self._until = 0.0

    async def text(self, client: httpx2.AsyncClient, denied: bool) -> str:
        """The token; after `denied`, another. Raises Busy and RootUnavailable."""
        if denied or time.monotonic() >= self._until:
            answer = await self._account.ask(client)
            if answer.status_code in BUSY:
                raise Busy(answer.status_code)
            try:
                told = msgspec.json.decode(answer.content, type=_Told)
            except msgspec.MsgspecError:
                raise RootUnavailable(f"google's token: {answer.status_code}") from None
            self._token = told.access_token
            self._until = time.monotonic() + told.expires_in - _EARLY_SECONDS
        return self._token


class ServiceAccount:
    """By a signed assertion, RFC 7523."""

    def __init__(self, path: Path) -> None:
        """`path`: the JSON key file of a service account."""
        self._path = path

    async def ask(self, client: httpx2.AsyncClient) -> httpx2.Response:
        """See Account."""
        try:
            content = await asyncio.to_thread(self._path.read_bytes)
            key = msgspec.json.decode(content, type=KeyFile)
            signed = _assertion(key, int(time.time()))
        except (OSError, msgspec.MsgspecError, ValueError, jwt.exceptions.PyJWTError) as error:
            raise RootUnavailable(f"google's key file: {type(error).__name__}") from None
        form = {"grant_type": _GRANT, "assertion": signed}
        return await client.post(key.token_uri, data=form)


class MachineAccount:
    """By the metadata server of the machine that we run on."""

    def __init__(self, metadata: str = METADATA) -> None:
        """`metadata` is where that server listens."""
        self._url = f"{metadata}/computeMetadata/v1/instance/service-accounts/default/token"

    async def ask(self, client: httpx2.AsyncClient) -> httpx2.Response:
        """See Account."""
        return await client.get(self._url, headers={"metadata-flavor": "Google"})


def _assertion(key: KeyFile, now: int) -> str:
    claims: Mapping[str, object] = {
        "iss": key.client_email,
        "scope": SCOPE,
        "aud": key.token_uri,
        "iat": now,
        "exp": now + 600,
    }
    headers = {"kid": key.private_key_id}
    return jwt.encode(dict(claims), key.private_key, algorithm="RS256", headers=headers)
