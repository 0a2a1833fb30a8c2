"""Google Cloud KMS: `POST /v1/{key}:encrypt` and `:decrypt`, with checksums in both directions.

https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys

Who asks is a service account by its key file (RFC 7523), or the machine's own account.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

import httpx2

from adapters.keys.kms.accounts import Account, Token
from adapters.keys.kms.asking import Asking, text
from adapters.keys.kms.checksum import crc32c
from adapters.keys.kms.root import associated
from adapters.keys.refused import RootUnavailable

ENDPOINT: Final = "https://cloudkms.googleapis.com"


class GoogleKms:
    """A Cipher in Google Cloud KMS."""

    def __init__(self, key: str, account: Account, endpoint: str = ENDPOINT) -> None:
        """`key`: projects/P/locations/L/keyRings/R/cryptoKeys/K."""
        self._url = f"{endpoint}/v1/{key}"
        self._token = Token(account)
        self._asking = Asking("google", self._authorized, _forged)

    async def encrypt(self, secret: bytes, bound: Mapping[str, str]) -> bytes:
        """The service's ciphertext. See Cipher."""
        told = await self._ask("encrypt", "plaintext", secret, bound)
        if not (
            told.get("verifiedPlaintextCrc32c") is True
            and told.get("verifiedAdditionalAuthenticatedDataCrc32c") is True
        ):
            raise RootUnavailable("google: it did not get what we sent")
        return _checked(told, "ciphertext")

    async def decrypt(self, wrapped: bytes, bound: Mapping[str, str]) -> bytes:
        """The secret. See Cipher."""
        return _checked(await self._ask("decrypt", "ciphertext", wrapped, bound), "plaintext")

    async def _ask(
        self, verb: str, name: str, content: bytes, bound: Mapping[str, str]
    ) -> dict[str, object]:
        aad = associated(bound)
        body = {
            name: text(content),
            f"{name}Crc32c": str(crc32c(content)),
            "additionalAuthenticatedData": text(aad),
            "additionalAuthenticatedDataCrc32c": str(crc32c(aad)),
        }
        return await self._asking.post(f"{self._url}:{verb}", body)

    async def _authorized(self, client: httpx2.AsyncClient, denied: bool) -> Mapping[str, str]:
        return {"authorization": f"Bearer {await self._token.text(client, denied)}"}


def _forged(answer: bytes) -> bool:
    """INVALID_ARGUMENT is also said of a checksum that does not fit: a wire did that, no forger."""
    return b"Decryption failed" in answer


def _checked(told: Mapping[str, object], name: str) -> bytes:
    """The bytes of a field, as its checksum says. Raises RootUnavailable."""
    try:
        content = base64.b64decode(str(told.get(name)), validate=True)
    except binascii.Error:
        raise RootUnavailable("google: no base64") from None
    if not content or told.get(f"{name}Crc32c") != str(crc32c(content)):
        raise RootUnavailable("google: an answer was damaged on its way")
    return content
