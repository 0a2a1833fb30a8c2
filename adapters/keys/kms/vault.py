"""HashiCorp Vault's transit engine (and OpenBao's): `POST /v1/{mount}/encrypt/{key}` and decrypt.

https://developer.hashicorp.com/vault/api-docs/secret/transit. The key is of type aes256-gcm96, not
derived, not exportable; `associated_data` binds what is wrapped to tenant and version.
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx2

from adapters.keys.kms.asking import Asking, text
from adapters.keys.kms.root import associated
from adapters.keys.refused import RootUnavailable

_FORGED: Final = (b"message authentication failed", b"invalid ciphertext")
"""In answers with status 400, and 500 in some versions (hashicorp/vault issue 10842)."""


class VaultTransit:
    """A Cipher in Vault. The token is read from its file anew once Vault denies it: an agent that
    renews it needs nothing of us."""

    def __init__(self, address: str, mount: str, key: str, token: Path) -> None:
        """`address` is a URL without a path."""
        self._url = f"{address}/v1/{mount}"
        self._key = key
        self._token_file = token
        self._token: str | None = None
        self._asking = Asking("vault", self._authorized, _forged)

    async def encrypt(self, secret: bytes, bound: Mapping[str, str]) -> bytes:
        """Vault's own text, `vault:v1:...`. See Cipher."""
        body = {"plaintext": text(secret), "associated_data": text(associated(bound))}
        told = await self._asking.post(f"{self._url}/encrypt/{self._key}", body)
        wrapped = _field(told, "ciphertext")
        if wrapped is None or not wrapped.startswith("vault:"):
            raise RootUnavailable("vault: nothing was wrapped")
        return wrapped.encode()

    async def decrypt(self, wrapped: bytes, bound: Mapping[str, str]) -> bytes:
        """The secret. See Cipher."""
        body = {
            "ciphertext": wrapped.decode("ascii", "replace"),
            "associated_data": text(associated(bound)),
        }
        told = await self._asking.post(f"{self._url}/decrypt/{self._key}", body)
        plain = _field(told, "plaintext")
        if plain is None:
            raise RootUnavailable("vault: nothing was opened")
        try:
            return base64.b64decode(plain, validate=True)
        except binascii.Error:
            raise RootUnavailable("vault: no base64") from None

    async def _authorized(self, _client: httpx2.AsyncClient, denied: bool) -> Mapping[str, str]:
        if self._token is None or denied:
            try:
                told = await asyncio.to_thread(self._token_file.read_text, "ascii")
            except (OSError, UnicodeDecodeError) as error:
                raise RootUnavailable(f"vault's token: {type(error).__name__}") from None
            self._token = told.strip()
        # Vault answers a request with this header only where it was not made by a browser's page.
        return {"x-vault-token": self._token, "x-vault-request": "true"}


def _forged(answer: bytes) -> bool:
    return any(words in answer for words in _FORGED)


def _field(told: Mapping[str, object], name: str) -> str | None:
    data = told.get("data")
    value = data.get(name) if isinstance(data, dict) else None
    return value if isinstance(value, str) else None
