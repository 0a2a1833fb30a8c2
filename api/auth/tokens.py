"""Access tokens: the one place that verifies a JWT, and the issuer of the demo.

Profile: RFC 9068 (typ `at+jwt`) in the strict reading of RFC 8725: ES256 on P-256 only, the key
named by `kid` among those of the named issuer, every registered claim present and of one type,
a life of ten minutes at most. The audience is `<audience>:<tenant>`, so a token of one tenant is
worthless at another. PyJWT 2.15.1 checks the signature; its defaults accept a missing exp, any
typ, repeated members, exp=1e308 and 2 MB (measured), so the form is checked here first.
"""

import base64
import binascii
import json
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from api.nesting import nested_too_deep

LONGEST_TOKEN_BYTES = 8 * 1024
LONGEST_LIFE_S = 600
LEEWAY_S = 30
"""How far the issuer's clock may be ahead of ours."""
DEMO_ISSUER = "https://demo.anamnesis.invalid"

_TYPE = "at+jwt"
_ALGORITHM = "ES256"
_HEADER = frozenset({"typ", "alg", "kid"})
_TEXTS = ("iss", "sub", "aud", "jti", "sid", "tenant")
_LONGEST_TEXT = 255
_SEGMENTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})")
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62})")
_HIGHEST_TIME = 2**40
_SIGNATURES = jwt.PyJWS(algorithms=[_ALGORITHM])

Profile = Literal["production", "demo"]


class TokenRejected(Exception):
    """The token is not one of ours; `code` says why, for the log, and holds nothing of it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class DemoIssuerRefused(Exception):
    """A verifier of the production profile was given an issuer that mints for anybody."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who may issue tokens: its exact `iss` and its P-256 public keys by key id.

    Raises ValueError for a key on another curve or an issuer without keys.
    """

    name: str
    keys: Mapping[str, ec.EllipticCurvePublicKey]
    demo: bool = False

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError(f"the issuer {self.name} has no key")
        for kid, key in self.keys.items():
            if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
                key.curve, ec.SECP256R1
            ):
                raise ValueError(f"the key {kid} of {self.name} is not a P-256 public key")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says; times are Unix seconds."""

    issuer: str
    subject: str
    tenant: str
    session: str
    jti: str
    expires_at: int
    issued_at: int
    client: str | None


class TokenVerifier:
    """Verifies access tokens of the given issuers, by their exact `iss`.

    `audience` is the part before the tenant, the same for all issuers or by issuer; `clock` gives
    Unix seconds. Raises DemoIssuerRefused when the production profile is given a demo issuer, and
    ValueError when an issuer stands under another name or has no audience.
    """

    def __init__(
        self,
        issuers: Mapping[str, Issuer],
        audience: str | Mapping[str, str],
        clock: Callable[[], float] = time.time,
        profile: Profile = "production",
    ) -> None:
        for name, issuer in issuers.items():
            if issuer.name != name:
                raise ValueError(f"the issuer {issuer.name} stands under the name {name}")
            if profile == "production" and (issuer.demo or name == DEMO_ISSUER):
                raise DemoIssuerRefused(name)
        self._issuers = dict(issuers)
        self._audiences = (
            dict.fromkeys(issuers, audience) if isinstance(audience, str) else dict(audience)
        )
        if not set(issuers) <= set(self._audiences):
            raise ValueError("an issuer has no audience")
        self._clock = clock

    def verify(self, token: str) -> Claims:
        """Return what the token says. Raises TokenRejected."""
        header, payload = _unverified(token)
        issuer = self._issuers.get(_text(payload, "iss"))
        if issuer is None:
            raise TokenRejected("issuer_unknown")
        key = issuer.keys.get(_key_id(header))
        if key is None:
            raise TokenRejected("key_unknown")
        _check_signature(token, key)
        self._check_times(payload)
        return self._claims(issuer.name, payload)

    def _claims(self, issuer: str, payload: Mapping[str, object]) -> Claims:
        text = {name: _text(payload, name) for name in _TEXTS}
        if not _TENANT.fullmatch(text["tenant"]):
            raise TokenRejected("tenant_malformed")
        if text["aud"] != f"{self._audiences[issuer]}:{text['tenant']}":
            raise TokenRejected("audience_wrong")
        return Claims(
            issuer=issuer,
            subject=text["sub"],
            tenant=text["tenant"],
            session=text["sid"],
            jti=text["jti"],
            expires_at=_seconds(payload, "exp"),
            issued_at=_seconds(payload, "iat"),
            client=_text(payload, "client_id") if "client_id" in payload else None,
        )

    def _check_times(self, payload: Mapping[str, object]) -> None:
        now = self._clock()
        issued, expires = _seconds(payload, "iat"), _seconds(payload, "exp")
        if issued > now + LEEWAY_S:
            raise TokenRejected("issued_in_future")
        if not issued < expires <= issued + LONGEST_LIFE_S:
            raise TokenRejected("life_too_long")
        if now >= expires:
            raise TokenRejected("expired")
        if "nbf" in payload and _seconds(payload, "nbf") > now + LEEWAY_S:
            raise TokenRejected("not_yet_valid")


def _unverified(token: str) -> tuple[dict[str, object], dict[str, object]]:
    """Check the form and return header and payload, which nobody has vouched for yet."""
    if not isinstance(token, str) or len(token) > LONGEST_TOKEN_BYTES:
        raise TokenRejected("too_long")
    segments = _SEGMENTS.fullmatch(token)
    if segments is None:
        raise TokenRejected("form_wrong")
    header, payload = _object(segments[1]), _object(segments[2])
    if header.get("typ") != _TYPE:
        raise TokenRejected("type_wrong")
    if header.get("alg") != _ALGORITHM:
        raise TokenRejected("algorithm_wrong")
    # No jku, x5u, jwk, x5c, crit or b64: keys and rules come from our configuration alone.
    if not set(header) <= _HEADER:
        raise TokenRejected("header_unexpected")
    return header, payload


def _object(segment: str) -> dict[str, object]:
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        canonical = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == segment
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_refuse_constant
        )
    except (ValueError, binascii.Error, RecursionError):
        raise TokenRejected("content_malformed") from None
    if not canonical or not isinstance(value, dict) or nested_too_deep(value):
        raise TokenRejected("content_malformed")
    return value


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("repeated member")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("not a JSON number")


def _key_id(header: Mapping[str, object]) -> str:
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise TokenRejected("key_unknown")
    return kid


def _text(payload: Mapping[str, object], name: str) -> str:
    """A claim of visible ASCII, so that no two spellings of an identifier look the same."""
    value = payload.get(name)
    if value is None:
        raise TokenRejected(f"{name}_missing")
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise TokenRejected(f"{name}_malformed")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise TokenRejected(f"{name}_malformed")
    return value


def _seconds(payload: Mapping[str, object], name: str) -> int:
    value = payload.get(name)
    if value is None:
        raise TokenRejected(f"{name}_missing")
    if type(value) is not int or not 0 <= value < _HIGHEST_TIME:
        raise TokenRejected(f"{name}_malformed")
    return value


def _check_signature(token: str, key: ec.EllipticCurvePublicKey) -> None:
    try:
        _SIGNATURES.decode(token, key, algorithms=[_ALGORITHM])
    except jwt.PyJWTError:
        raise TokenRejected("signature_wrong") from None


@dataclass(frozen=True, slots=True)
class DemoIssuer:
    """Mints tokens for whoever asks; only a verifier of the demo profile accepts them."""

    _key: ec.EllipticCurvePrivateKey
    _audience: str
    _clock: Callable[[], float]

    @classmethod
    def load_or_create(
        cls, path: Path, audience: str = "anamnesis", clock: Callable[[], float] = time.time
    ) -> "DemoIssuer":
        """Read the private key file, or make one with mode 0600.

        Raises PermissionError when others may read the file, ValueError when it is no P-256 key.
        """
        if not path.exists():
            _write_new_key(path)
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise PermissionError(f"the key file {path.name} is open to others")
            key = load_pem_private_key(file.read(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(
            key.curve, ec.SECP256R1
        ):
            raise ValueError(f"the key file {path.name} is not a P-256 private key")
        return cls(key, audience, clock)

    @property
    def issuer(self) -> Issuer:
        """What a verifier of the demo profile needs to know."""
        return Issuer(DEMO_ISSUER, {self._key_id: self._key.public_key()}, demo=True)

    def mint(
        self,
        subject: str,
        tenant: str,
        session: str,
        lifetime_s: int = LONGEST_LIFE_S,
        client: str = "demo",
    ) -> str:
        """Return a signed access token for `lifetime_s` seconds from now."""
        now = math.floor(self._clock())
        claims: dict[str, object] = {
            "iss": DEMO_ISSUER,
            "sub": subject,
            "aud": f"{self._audience}:{tenant}",
            "tenant": tenant,
            "sid": session,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + lifetime_s,
            "client_id": client,
        }
        headers = {"typ": _TYPE, "kid": self._key_id}
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM, headers=headers)

    @property
    def _key_id(self) -> str:
        digest = Hash(SHA256())
        digest.update(
            self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
        return digest.finalize()[:12].hex()


def _write_new_key(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    # Written aside and linked, so that two starts at once agree on one complete key.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return
    finally:
        aside.unlink()
