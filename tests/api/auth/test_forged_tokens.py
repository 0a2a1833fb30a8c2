"""Forged and abused tokens: each of these forms is rejected with its code and no echo."""

import base64
import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.auth.tokens import DEMO_ISSUER, TokenRejected
from tests.api.auth.forge import (
    ISSUER,
    KEY,
    NOW,
    ORDER,
    OTHER_KEY,
    claims,
    header,
    segment,
    signature,
    token,
    verifier,
)

GOOD = token()
HEAD, BODY, MARK = GOOD.split(".")
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
P384 = ec.generate_private_key(ec.SECP384R1())
K256 = ec.generate_private_key(ec.SECP256K1())


def hashed(secret: bytes, algorithm: str = "HS256", digest: str = "sha256") -> str:
    """The classic: the public key as the secret of a symmetric algorithm."""
    message = f"{segment(json.dumps(header(alg=algorithm)).encode())}.{BODY}"
    return f"{message}.{segment(hmac.digest(secret, message.encode(), digest))}"


def unsigned(algorithm: str, mark: str = "") -> str:
    return f"{segment(json.dumps(header(alg=algorithm)).encode())}.{BODY}.{mark}"


def on_curve_384(algorithm: str) -> str:
    message = f"{segment(json.dumps(header(alg=algorithm)).encode())}.{BODY}"
    return f"{message}.{segment(signature(message, P384, SHA384()))}"


def marked(r: int, s: int) -> str:
    return f"{HEAD}.{BODY}.{segment(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def member(text: str, **changes: object) -> bytes:
    """Good claims with a raw JSON member put in front."""
    return b"{" + text.encode() + b"," + json.dumps(claims(**changes)).encode()[1:]


def head_member(text: str) -> bytes:
    return b"{" + text.encode() + b"," + json.dumps(header()).encode()[1:]


def non_canonical(part: str) -> str:
    """Another spelling of the same bytes: an unused bit of the last character is set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return part[:-1] + alphabet[alphabet.index(part[-1]) | 1]


SIGNATURES = {
    "none": unsigned("none"),
    "None": unsigned("None"),
    "none with a signature": unsigned("none", MARK),
    "no algorithm": token(head=header(alg=None)),
    "empty algorithm": token(head=header(alg="")),
    "algorithm in a list": token(head=header(alg=["ES256"])),
    "algorithm in lower case": token(head=header(alg="es256")),
    "HS256 with the PEM": hashed(PEM),
    "HS256 with the DER": hashed(DER),
    "HS512 with the PEM, as long as ES256": hashed(PEM, "HS512", "sha512"),
    "ES256 that is an HMAC as long": hashed(PEM, "ES256", "sha512"),
    "HS256 with nothing": hashed(b""),
    "ES256 that is an HMAC": hashed(PEM, "ES256"),
    "ES384": on_curve_384("ES384"),
    "ES256 on P-384": on_curve_384("ES256"),
    "ES256K": token(head=header(alg="ES256K"), key=K256),
    "ES256 on secp256k1": token(key=K256),
    "RS256": token(head=header(alg="RS256")),
    "PS256": token(head=header(alg="PS256")),
    "EdDSA": token(head=header(alg="EdDSA")),
    "key of nobody": token(key=ec.generate_private_key(ec.SECP256R1())),
    "no key id": token(head=header(kid=None)),
    "unknown key id": token(head=header(kid="k9")),
    "key id of another issuer": token(head=header(kid="c1"), key=OTHER_KEY),
    "another key of this issuer": token(head=header(kid="k2")),
    "key id as number": token(head=header(kid=1)),
    "key id as list": token(head=header(kid=["k1"])),
    "key id as path": token(head=header(kid="../../dev/null")),
    "key id with a zero": token(head=header(kid="k1\0")),
    "zero signature": marked(0, 0),
    "r of zero": marked(0, 1),
    "r and s of the order": marked(ORDER, ORDER),
    "all ones": marked(2**256 - 1, 2**256 - 1),
    "no signature": f"{HEAD}.{BODY}.",
    "short signature": f"{HEAD}.{BODY}.{MARK[:-4]}",
    "long signature": f"{HEAD}.{BODY}.{MARK}AAAA",
    "DER signature": f"{HEAD}.{BODY}."
    + segment(KEY.sign(f"{HEAD}.{BODY}".encode(), ec.ECDSA(SHA384()))),
    "signature of another token": f"{HEAD}.{BODY}.{token(claims(sub='x')).split('.')[2]}",
    "changed claims": f"{HEAD}.{segment(json.dumps(claims(sub='person-2')).encode())}.{MARK}",
    "changed header": f"{segment(json.dumps(header(), indent=1).encode())}.{BODY}.{MARK}",
    "signature spelled otherwise": f"{HEAD}.{BODY}.{non_canonical(MARK)}",
}

HEADERS = {
    "type JWT": token(head=header(typ="JWT")),
    "no type": token(head=header(typ=None)),
    "type in capitals": token(head=header(typ="AT+JWT")),
    "type with prefix": token(head=header(typ="application/at+jwt")),
    "identity token": token(head=header(typ="id+jwt")),
    "logout token": token(head=header(typ="logout+jwt")),
    "proof": token(head=header(typ="dpop+jwt")),
    "jku": token(head=header(jku="https://evil.test/keys")),
    "x5u": token(head=header(x5u="https://evil.test/cert")),
    "x5c": token(head=header(x5c=[base64.b64encode(DER).decode()])),
    "x5t": token(head=header(x5t="abc")),
    "jwk": token(head=header(jwk={"kty": "EC", "crv": "P-256"})),
    "crit": token(head=header(crit=["exp"])),
    "empty crit": token(head=header(crit=[])),
    "b64 true": token(head=header(b64=True)),
    "b64 false with crit": token(head=header(b64=False, crit=["b64"])),
    "zip": token(head=header(zip="DEF")),
    "cty": token(head=header(cty="JWT")),
    "enc": token(head=header(enc="A256GCM")),
    "type twice": token(head=head_member('"typ":"JWT"')),
    "key id twice": token(head=head_member('"kid":"k2"')),
    "algorithm twice": token(head=head_member('"alg":"none"')),
    "algorithm twice, escaped": token(head=head_member('"\\u0061lg":"none"')),
    "header as list": token(head=b'["at+jwt"]'),
    "header as text": token(head=b'"at+jwt"'),
    "header not JSON": token(head=b"at+jwt"),
    "header with a byte order mark": token(head=b"\xef\xbb\xbf" + json.dumps(header()).encode()),
    "header in utf-16": token(head=json.dumps(header()).encode("utf-16")),
}

TIMES = {
    "expired": token(claims(exp=NOW)),
    "long expired": token(claims(iat=NOW - 9_000, exp=NOW - 8_700)),
    "a life of 601 seconds": token(claims(iat=NOW - 10, exp=NOW + 591)),
    "a life of years": token(claims(exp=NOW + 10**8)),
    "no life": token(claims(iat=NOW + 20, exp=NOW + 20)),
    "ends before it begins": token(claims(iat=NOW + 20, exp=NOW + 10)),
    "issued in the future": token(claims(iat=NOW + 31, exp=NOW + 300)),
    "not yet valid": token(claims(nbf=NOW + 31)),
    "nbf as text": token(claims(nbf=str(NOW))),
    "nbf as float": token(claims(nbf=float(NOW))),
    **{
        f"{name} is {text[:24]}": token(member(f'"{name}":{text}', **{name: None}))
        for name in ("exp", "iat")
        for text in (
            f'"{NOW + 300}"',
            f"{NOW + 300}.0",
            "1e308",
            "1e999",
            "NaN",
            "Infinity",
            "true",
            "null",
            "[]",
            "{}",
            "-1",
            str(2**63),
            "9" * 5000,
        )
    },
}

CLAIMS = {
    **{
        f"no {name}": token(claims(**{name: None}))
        for name in ("iss", "sub", "aud", "exp", "iat", "jti", "sid", "tenant")
    },
    **{
        f"{name} is {str(value)[:24]!r}": token(claims(**{name: value}))
        for name in ("iss", "sub", "aud", "jti", "sid", "tenant", "client_id")
        for value in ("", 7, True, ["x"], {"x": 1}, "a b", "a\n", "\u0430", "x" * 256)
    },
    "another issuer": token(claims(iss="https://evil.test")),
    "issuer with a slash": token(claims(iss=f"{ISSUER}/")),
    "issuer in capitals": token(claims(iss=ISSUER.upper())),
    "issuer of another key": token(claims(iss="https://clinic.test")),
    "demo issuer": token(claims(iss=DEMO_ISSUER)),
    "audience in a list": token(claims(aud=["anamnesis:north"])),
    "audience in a list with another": token(claims(aud=["anamnesis:north", "other"])),
    "audience without tenant": token(claims(aud="anamnesis")),
    "audience of another tenant": token(claims(aud="anamnesis:south")),
    "tenant of another audience": token(claims(tenant="south")),
    "another audience": token(claims(aud="billing:north")),
    "audience with more": token(claims(aud="anamnesis:north:x")),
    "tenant with a colon": token(claims(aud="anamnesis:north:x", tenant="north:x")),
    "tenant in capitals": token(claims(aud="anamnesis:North", tenant="North")),
    "tenant that looks the same": token(claims(aud="anamnesis:n\u043erth", tenant="n\u043erth")),
    "tenant with an invisible sign": token(claims(tenant="north\u200b")),
    "wide tenant": token(claims(aud="anamnesis:\uff4eorth", tenant="\uff4eorth")),
    "subject with a zero": token(claims(sub="person-1\0")),
    "subject with a surrogate": token(member('"sub":"\\ud800"', sub=None)),
    "subject twice": token(member('"sub":"person-2"')),
    "expiry twice": token(member(f'"exp":{NOW + 1}')),
    "tenant twice, escaped": token(member('"t\\u0065nant":"south"')),
    "nested member twice": token(member('"x":{"a":1,"a":2}')),
    "claims as list": token(b"[]"),
    "claims as number": token(b"1"),
    "claims not JSON": token(b"{"),
    "claims with more behind": token(json.dumps(claims()).encode() + b"{}"),
    "claims with a byte order mark": token(b"\xef\xbb\xbf" + json.dumps(claims()).encode()),
    "claims with bad utf-8": token(member('"x":"').replace(b'"x":"', b'"x":"\xff"')),
    "claims nested too deep": token(member('"x":' + "[" * 2_900 + "]" * 2_900)),
}

FORMS = {
    "empty": "",
    "9 KiB": token(claims(pad="x" * 6_800)),
    "2 MB": "A" * 2_000_000,
    "two segments": f"{HEAD}.{BODY}",
    "four segments": f"{GOOD}.{MARK}",
    "five segments of an encrypted token": f"{HEAD}.{MARK}.{MARK}.{BODY}.{MARK}",
    "dots": "..",
    "padded": f"{HEAD}=.{BODY}.{MARK}",
    "padded signature": f"{GOOD}==",
    "truncated": GOOD[:-1],
    "cut in the middle": GOOD[: len(GOOD) // 2],
    "leading blank": f" {GOOD}",
    "trailing newline": f"{GOOD}\n",
    "with its scheme": f"Bearer {GOOD}",
    "blank inside": f"{HEAD}. {BODY}.{MARK}",
    "standard alphabet": f"{HEAD}.{BODY}.+/{MARK[2:]}",
    "a sign outside base64": f"{HEAD}.{BODY}.!{MARK[1:]}",
    "wide full stops": GOOD.replace(".", "\uff0e"),
    "letter that looks the same": GOOD.replace("e", "\u0435", 1),
    "surrogate": f"\ud800{GOOD}",
    "twice": f"{GOOD},{GOOD}",
    "JSON serialization": json.dumps({"payload": BODY, "protected": HEAD, "signature": MARK}),
    "header of one letter": f"A.{BODY}.{MARK}",
}

FORGED = SIGNATURES | HEADERS | TIMES | CLAIMS | FORMS


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_rejected(forged: str) -> None:
    with pytest.raises(TokenRejected) as rejected:
        verifier().verify(forged)
    assert rejected.value.code.isascii()
    assert len(str(rejected.value)) < 32
    assert rejected.value.__cause__ is None


def test_there_are_two_hundred_forged_forms_and_none_is_the_good_one() -> None:
    assert len(FORGED) >= 200
    assert GOOD not in FORGED.values()
    assert verifier().verify(GOOD).subject == "person-1"


@pytest.mark.parametrize("forged", [b"bytes", None, 7, GOOD.encode()])
def test_what_is_no_text_is_rejected(forged: object) -> None:
    with pytest.raises(TokenRejected):
        verifier().verify(forged)  # type: ignore[arg-type]


def test_the_twin_of_a_signature_verifies_so_nothing_may_rest_on_the_text_of_a_token() -> None:
    raw = base64.urlsafe_b64decode(MARK + "==")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    twin = marked(r, ORDER - s)
    assert twin != GOOD
    assert verifier().verify(twin) == verifier().verify(GOOD)
