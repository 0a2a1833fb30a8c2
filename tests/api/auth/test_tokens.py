"""Good tokens, their edges in time, the issuers a verifier may have, and the demo's key file."""

import re
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.auth.tokens import (
    DEMO_ISSUER,
    LONGEST_TOKEN_BYTES,
    Claims,
    DemoIssuer,
    DemoIssuerRefused,
    Issuer,
    TokenRejected,
    TokenVerifier,
)
from tests.api.auth.forge import ISSUER, KEY, NOW, Clock, claims, header, token, verifier


def demo(folder: Path, clock: Clock | None = None) -> DemoIssuer:
    return DemoIssuer.load_or_create(folder / "demo.pem", clock=clock or Clock())


def test_a_good_token_says_who_for_which_tenant_and_until_when() -> None:
    assert verifier().verify(token()) == Claims(
        issuer=ISSUER,
        subject="person-1",
        tenant="north",
        session="session-1",
        jti="token-1",
        expires_at=NOW + 300,
        issued_at=NOW - 10,
        client="web",
    )


def test_a_token_may_name_no_client_and_carry_claims_we_do_not_read() -> None:
    found = verifier().verify(token(claims(client_id=None, roles=["admin"], nbf=NOW)))
    assert found.client is None
    assert not hasattr(found, "roles")


@pytest.mark.parametrize(
    "edge",
    [
        claims(exp=NOW + 1),
        claims(iat=NOW, exp=NOW + 600),
        claims(iat=NOW + 30, exp=NOW + 630),
        claims(nbf=NOW + 30),
    ],
    ids=["last second", "longest life", "clock ahead", "begins within leeway"],
)
def test_a_token_just_inside_its_times_is_accepted(edge: dict[str, object]) -> None:
    assert verifier().verify(token(edge)).subject == "person-1"


def test_a_token_ends_when_the_clock_says_so() -> None:
    clock = Clock()
    keeper, given = verifier(clock), token()
    clock.now = NOW + 299.9
    keeper.verify(given)
    clock.now = NOW + 300.0
    with pytest.raises(TokenRejected, match="expired"):
        keeper.verify(given)


def test_a_token_of_eight_kibibytes_is_read() -> None:
    long = token(claims(pad="x" * 5_700))
    assert LONGEST_TOKEN_BYTES - 200 < len(long) <= LONGEST_TOKEN_BYTES
    verifier().verify(long)


@pytest.mark.parametrize(
    ("forged", "code"),
    [
        (token(claims(exp=NOW)), "expired"),
        (token(claims(exp=NOW + 10_000)), "life_too_long"),
        (token(claims(iat=NOW + 31)), "issued_in_future"),
        (token(claims(nbf=NOW + 31)), "not_yet_valid"),
        (token(claims(sid=None)), "sid_missing"),
        (token(claims(aud=["anamnesis:north"])), "aud_malformed"),
        (token(claims(tenant="south")), "audience_wrong"),
        (token(claims(iss="https://evil.test")), "issuer_unknown"),
        (token(head=header(kid="k9")), "key_unknown"),
        (token(head=header(typ="JWT")), "type_wrong"),
        (token(head=header(alg="none")), "algorithm_wrong"),
        (token(head=header(jku="https://evil.test")), "header_unexpected"),
        (token(key=ec.generate_private_key(ec.SECP256R1())), "signature_wrong"),
        ("x", "form_wrong"),
        ("x" * 8_193, "too_long"),
        (token(b"{"), "content_malformed"),
    ],
)
def test_a_rejection_has_a_code_for_the_log(forged: str, code: str) -> None:
    with pytest.raises(TokenRejected) as rejected:
        verifier().verify(forged)
    assert rejected.value.code == str(rejected.value) == code


def test_an_issuer_needs_keys_on_the_one_curve() -> None:
    with pytest.raises(ValueError, match="no key"):
        Issuer(ISSUER, {})
    with pytest.raises(ValueError, match="P-256"):
        Issuer(ISSUER, {"k": ec.generate_private_key(ec.SECP384R1()).public_key()})
    with pytest.raises(ValueError, match="P-256"):
        Issuer(ISSUER, {"k": KEY})  # type: ignore[dict-item]


def test_an_issuer_stands_under_its_own_name_and_has_an_audience() -> None:
    issuer = Issuer(ISSUER, {"k1": KEY.public_key()})
    with pytest.raises(ValueError, match="stands under"):
        TokenVerifier({"https://other.test": issuer}, "anamnesis")
    with pytest.raises(ValueError, match="audience"):
        TokenVerifier({ISSUER: issuer}, {"https://other.test": "anamnesis"})


def test_an_issuer_may_have_an_audience_of_its_own() -> None:
    issuer = Issuer(ISSUER, {"k1": KEY.public_key()})
    keeper = TokenVerifier({ISSUER: issuer}, {ISSUER: "portal"}, Clock())
    assert keeper.verify(token(claims(aud="portal:north"))).tenant == "north"
    with pytest.raises(TokenRejected, match="audience_wrong"):
        keeper.verify(token())


def test_a_verifier_of_the_demo_accepts_what_the_demo_mints(tmp_path: Path) -> None:
    minter = demo(tmp_path)
    keeper = TokenVerifier({DEMO_ISSUER: minter.issuer}, "anamnesis", Clock(), profile="demo")
    found = keeper.verify(minter.mint("person-1", "north", "session-1", client="phone"))
    assert (found.subject, found.tenant, found.session) == ("person-1", "north", "session-1")
    assert (found.client, found.expires_at - found.issued_at) == ("phone", 600)
    again = keeper.verify(minter.mint("person-1", "north", "session-1", lifetime_s=60))
    assert again.jti != found.jti
    assert (again.client, again.expires_at) == ("demo", NOW + 60)


def test_production_is_not_built_with_a_demo_issuer(tmp_path: Path) -> None:
    issuer = demo(tmp_path).issuer
    real = Issuer(ISSUER, {"k1": KEY.public_key()})
    with pytest.raises(DemoIssuerRefused):
        TokenVerifier({ISSUER: real, DEMO_ISSUER: issuer}, "anamnesis")
    disguised = Issuer(DEMO_ISSUER, issuer.keys, demo=False)
    with pytest.raises(DemoIssuerRefused):
        TokenVerifier({DEMO_ISSUER: disguised}, "anamnesis", profile="production")


def test_production_rejects_tokens_of_the_demo(tmp_path: Path) -> None:
    with pytest.raises(TokenRejected, match="issuer_unknown"):
        verifier().verify(demo(tmp_path).mint("person-1", "north", "session-1"))


def test_the_key_of_the_demo_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first, second = demo(tmp_path), demo(tmp_path)
    assert first.issuer.keys.keys() == second.issuer.keys.keys()
    assert stat.S_IMODE((tmp_path / "demo.pem").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["demo.pem"]


def test_starts_at_the_same_moment_agree_on_one_key(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def start(_: int) -> str:
        together.wait()
        return next(iter(demo(tmp_path).issuer.keys))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["demo.pem"]


def test_a_key_file_of_the_demo_that_others_may_read_is_refused(tmp_path: Path) -> None:
    demo(tmp_path)
    (tmp_path / "demo.pem").chmod(0o640)
    with pytest.raises(PermissionError):
        demo(tmp_path)


def test_a_key_file_on_another_curve_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.pem"
    path.write_bytes(
        ec.generate_private_key(ec.SECP384R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )
    path.chmod(0o600)
    with pytest.raises(ValueError, match="P-256"):
        demo(tmp_path)
    assert path.exists()


def test_no_other_module_decodes_tokens() -> None:
    root = Path(__file__).parents[3]
    decoding = re.compile(r"\bjwt\.(decode|PyJWT|PyJWS|api_)|^from jwt\b", re.MULTILINE)
    products = ("domain", "projections", "schema", "adapters", "api", "migrations", "web", "demo")
    users = {
        path.relative_to(root).as_posix()
        for product in products
        for path in (root / product).rglob("*.py")
        if decoding.search(path.read_text(encoding="utf-8"))
    }
    assert users == {"api/auth/tokens.py"}
