"""Vault, Google and AWS as far as a root asks them: they encrypt for real, hold each request to
what the vendor documents, and say what the vendor says when something is wrong.

Sources: developer.hashicorp.com/vault/api-docs/secret/transit and /vault/api-docs (status codes);
cloud.google.com/kms/docs/reference/rest and /data-integrity-guidelines; docs.aws.amazon.com/kms,
APIReference/CommonErrors.html. What they answer to a forged ciphertext is quoted from issues of
hashicorp/vault (10842, 29532) and of googleapis/nodejs-kms (145).
"""

import base64
import json
import os
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.keys.kms.checksum import crc32c


@dataclass
class Service:
    """A key with versions, the faults to come, and what was asked."""

    versions: list[bytes] = field(default_factory=lambda: [os.urandom(32)])
    faults: deque[Response] = field(default_factory=deque)
    """Answered first, one a request."""
    asked: list[str] = field(default_factory=list)

    def seal(self, plain: bytes, aad: bytes) -> tuple[int, bytes]:
        nonce = os.urandom(12)
        return len(self.versions), nonce + AESGCM(self.versions[-1]).encrypt(nonce, plain, aad)

    def open(self, version: int, sealed: bytes, aad: bytes) -> bytes | None:
        try:
            return AESGCM(self.versions[version - 1]).decrypt(sealed[:12], sealed[12:], aad)
        except (InvalidTag, IndexError, ValueError):
            return None

    def fault(self, request: Request) -> Response | None:
        self.asked.append(request.url.path)
        return self.faults.popleft() if self.faults else None


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def vault_error(status: int, *words: str) -> Response:
    return JSONResponse({"errors": list(words)}, status)


@dataclass
class Vault(Service):
    """The transit engine below /v1/transit, with one key of type aes256-gcm96."""

    agreed: str = "hvs.first"
    forged_status: int = 400

    async def _answer(self, request: Request) -> Response:
        fault = self.fault(request)
        if fault is not None:
            return fault
        if request.headers.get("x-vault-token") != self.agreed:
            return vault_error(403, "permission denied")
        asked = await request.json()
        if request.path_params["key"] != "anamnesis":
            return vault_error(400, "encryption key not found")
        aad = base64.b64decode(asked.get("associated_data", ""), validate=True)
        if request.path_params["verb"] == "encrypt":
            version, sealed = self.seal(base64.b64decode(asked["plaintext"], validate=True), aad)
            told = {"ciphertext": f"vault:v{version}:{text(sealed)}", "key_version": version}
            return JSONResponse({"data": told})
        prefix, version_word, body = (*asked["ciphertext"].split(":"), "", "")[:3]
        if prefix != "vault":
            return vault_error(400, "invalid ciphertext: no prefix")
        plain = self.open(int(version_word[1:]), base64.b64decode(body), aad)
        if plain is None:
            return vault_error(self.forged_status, "cipher: message authentication failed")
        return JSONResponse({"data": {"plaintext": text(plain)}})

    @property
    def app(self) -> Starlette:
        route = Route("/v1/transit/{verb}/{key}", self._answer, methods=["POST"])
        return Starlette(routes=[route])


def google_error(code: int, status: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "status": status, "message": message}}, code)


NAME = "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/anamnesis"
EMAIL = "anamnesis@p.iam.gserviceaccount.com"


@dataclass
class Google(Service):
    """Cloud KMS, the token endpoint of a service account, and the metadata server of a machine."""

    signer: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    tokens: int = 0
    damaged: bool = False
    """Answers are damaged on their way."""

    def key_file(self, url: str) -> bytes:
        pem = self.signer.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        told = {"type": "service_account", "client_email": EMAIL, "private_key": pem.decode(),
                "private_key_id": "k1", "token_uri": f"{url}/token"}  # fmt: skip
        return json.dumps(told).encode()

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        try:
            claims = jwt.decode(
                form["assertion"], self.signer.public_key(), algorithms=["RS256"],
                audience=str(request.url), issuer=EMAIL,
                options={"require": ["exp", "iat", "iss", "aud", "scope"]},
            )  # fmt: skip
        except jwt.PyJWTError:
            return JSONResponse({"error": "invalid_grant"}, 400)
        assert claims["exp"] - claims["iat"] <= 3600
        assert claims["scope"] == "https://www.googleapis.com/auth/cloudkms"
        return self._issued()

    async def _metadata(self, request: Request) -> Response:
        if request.headers.get("metadata-flavor") != "Google":
            return Response(status_code=403)
        return self._issued()

    def _issued(self) -> Response:
        self.tokens += 1
        told = {"access_token": f"ya29.{self.tokens}", "expires_in": 3599, "token_type": "Bearer"}
        return JSONResponse(told)

    async def _answer(self, request: Request) -> Response:
        fault = self.fault(request)
        if fault is not None:
            return fault
        if request.headers.get("authorization") != f"Bearer ya29.{self.tokens}":
            return google_error(401, "UNAUTHENTICATED", "invalid authentication credentials")
        name, _, verb = request.path_params["name"].rpartition(":")
        if name != NAME:
            return google_error(404, "NOT_FOUND", f"CryptoKey {name} not found.")
        asked: dict[str, Any] = await request.json()
        given = "plaintext" if verb == "encrypt" else "ciphertext"
        content = base64.b64decode(asked[given], validate=True)
        aad = base64.b64decode(asked["additionalAuthenticatedData"], validate=True)
        for label, value in ((given, content), ("additionalAuthenticatedData", aad)):
            if asked[f"{label}Crc32c"] != str(crc32c(value)):
                return google_error(400, "INVALID_ARGUMENT", f"{label} did not match its checksum")
        if verb == "encrypt":
            version, sealed = self.seal(content, aad)
            return self._checked("ciphertext", bytes([version]) + sealed, given)
        plain = self.open(content[0], content[1:], aad)
        if plain is None:
            words = "Decryption failed: verify that 'name' refers to the correct CryptoKey."
            return google_error(400, "INVALID_ARGUMENT", words)
        return self._checked("plaintext", plain, given)

    def _checked(self, name: str, content: bytes, given: str) -> Response:
        sent = bytes([content[0] ^ self.damaged, *content[1:]])
        told: dict[str, object] = {name: text(sent), f"{name}Crc32c": str(crc32c(content))}
        if given == "plaintext":
            told["verifiedPlaintextCrc32c"] = True
            told["verifiedAdditionalAuthenticatedDataCrc32c"] = True
        return JSONResponse(told)

    @property
    def app(self) -> Starlette:
        metadata = "/computeMetadata/v1/instance/service-accounts/default/token"
        return Starlette(
            routes=[
                Route("/token", self._token, methods=["POST"]),
                Route(metadata, self._metadata),
                Route("/v1/{name:path}", self._answer, methods=["POST"]),
            ]
        )


def amazon_error(status: int, code: str) -> Response:
    told = {"__type": code, "message": "said by the fake"}
    return JSONResponse(told, status, media_type="application/x-amz-json-1.1")


@dataclass
class Amazon(Service):
    """KMS' JSON protocol: who signs is not checked here, moto's server does in the peers' tests."""

    contexts: list[dict[str, str]] = field(default_factory=list)

    async def _answer(self, request: Request) -> Response:
        fault = self.fault(request)
        if fault is not None:
            return fault
        assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=")
        asked = await request.json()
        verb = request.headers["x-amz-target"].partition(".")[2]
        self.contexts.append(asked["EncryptionContext"])
        aad = json.dumps(asked["EncryptionContext"], sort_keys=True).encode()
        if verb == "Encrypt":
            version, sealed = self.seal(base64.b64decode(asked["Plaintext"]), aad)
            return JSONResponse({"CiphertextBlob": text(bytes([version]) + sealed)})
        blob = base64.b64decode(asked["CiphertextBlob"])
        plain = self.open(blob[0], blob[1:], aad)
        if plain is None:
            return amazon_error(400, "InvalidCiphertextException")
        return JSONResponse({"Plaintext": text(plain)})

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/", self._answer, methods=["POST"])])
