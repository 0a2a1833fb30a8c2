"""Tools to build tokens that no honest issuer would: raw segments, any header, any signature."""

import base64
import json
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm

from api.auth.tokens import Issuer, TokenVerifier

NOW = 1_800_000_000
ISSUER = "https://login.portal.test"
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signature(
    message: str, key: ec.EllipticCurvePrivateKey = KEY, digest: HashAlgorithm | None = None
) -> bytes:
    """Sign as JOSE does: r and s side by side."""
    r, s = decode_dss_signature(key.sign(message.encode(), ec.ECDSA(digest or SHA256())))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def claims(**changes: object) -> dict[str, object]:
    """Good claims with changes; None takes a claim away."""
    good: dict[str, object] = {
        "iss": ISSUER,
        "sub": "person-1",
        "aud": "anamnesis:north",
        "tenant": "north",
        "sid": "session-1",
        "jti": "token-1",
        "iat": NOW - 10,
        "exp": NOW + 300,
        "client_id": "web",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def header(**changes: object) -> dict[str, object]:
    good: dict[str, object] = {"typ": "at+jwt", "alg": "ES256", "kid": "k1"}
    return {name: value for name, value in (good | changes).items() if value is not None}


def token(
    payload: dict[str, object] | bytes | None = None,
    head: dict[str, object] | bytes | None = None,
    key: ec.EllipticCurvePrivateKey = KEY,
) -> str:
    """A token over any content, correctly signed with the key."""
    first, second = (
        part if isinstance(part, bytes) else json.dumps(part).encode()
        for part in (head or header(), payload or claims())
    )
    message = f"{segment(first)}.{segment(second)}"
    return f"{message}.{segment(signature(message, key))}"


@dataclass
class Clock:
    now: float = field(default=NOW)

    def __call__(self) -> float:
        return self.now


def verifier(clock: Clock | None = None) -> TokenVerifier:
    keys = {"k1": KEY.public_key(), "k2": OTHER_KEY.public_key()}
    issuers = {
        ISSUER: Issuer(ISSUER, keys),
        "https://clinic.test": Issuer("https://clinic.test", {"c1": OTHER_KEY.public_key()}),
    }
    return TokenVerifier(issuers, "anamnesis", clock or Clock())
