"""AWS KMS over boto3, which brings credentials of every kind that AWS has: `anamnesis[aws]`.

https://docs.aws.amazon.com/kms/latest/APIReference. The key is symmetric; the encryption context
binds what is wrapped to tenant and version, and stands in CloudTrail.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from adapters.keys.refused import BodyTampered, RootUnavailable

_FORGED: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_TIMES: Final = {"connect_timeout": 3, "read_timeout": 3, "retries": {"total_max_attempts": 4}}


class AmazonKms:
    """A Cipher in AWS KMS. AWS_ENDPOINT_URL_KMS is honoured, as by all of AWS' tools."""

    def __init__(self, region: str, key: str) -> None:
        """`key` is an id, an ARN or an alias (`alias/name`)."""
        self._region = region
        self._key = key
        self._client: Any = None

    async def encrypt(self, secret: bytes, bound: Mapping[str, str]) -> bytes:
        """The service's ciphertext. See Cipher."""
        told = await self._ask(
            "encrypt", KeyId=self._key, Plaintext=secret, EncryptionContext=dict(bound)
        )
        return bytes(told["CiphertextBlob"])

    async def decrypt(self, wrapped: bytes, bound: Mapping[str, str]) -> bytes:
        """The secret, by the key that wrapped it: an alias may have been pointed at another since.

        See Cipher.
        """
        told = await self._ask("decrypt", CiphertextBlob=wrapped, EncryptionContext=dict(bound))
        return bytes(told["Plaintext"])

    async def _ask(self, verb: str, **content: object) -> Mapping[str, Any]:
        return await asyncio.to_thread(self._asked, verb, content)

    def _asked(self, verb: str, content: Mapping[str, object]) -> Mapping[str, Any]:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise RootUnavailable("aws: install anamnesis[aws]") from None
        try:
            if self._client is None:
                # A client of a session of its own: boto3's default one is not for several threads.
                session = boto3.session.Session(region_name=self._region)
                self._client = session.client("kms", config=Config(**_TIMES))
            told: Mapping[str, Any] = getattr(self._client, verb)(**content)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "?"))
            if verb == "decrypt" and code in _FORGED:
                raise BodyTampered("root") from None
            raise RootUnavailable(f"aws: {code}") from None
        except BotoCoreError as error:
            raise RootUnavailable(f"aws: {type(error).__name__}") from None
        return told
