"""Roots in services: what is wrapped opens for its tenant and version; what is wrong is said."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.responses import Response

from adapters.keys import (
    BodyTampered,
    KeyCommitmentMismatch,
    KeyTree,
    RootUnavailable,
    Rotation,
    SqliteKeyStore,
    tenants,
)
from adapters.keys.kms import KmsRoot, asking, root_of_url
from adapters.keys.kms.accounts import MachineAccount, ServiceAccount
from adapters.keys.kms.google import GoogleKms
from tests.adapters.keys.kms.fakes import (
    NAME,
    Amazon,
    Google,
    Service,
    Vault,
    amazon_error,
    google_error,
    vault_error,
)
from tests.http_peer import serving

pytestmark = pytest.mark.anyio
SECRET = os.urandom(32)


@dataclass
class Rooted:
    """A root and the service behind it."""

    root: KmsRoot
    service: Service
    busy: Response
    """What the service says when it has no time."""
    no: Response
    """What it says of who may not."""


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Rooted]:
    service, token = Vault(), tmp_path / "token"
    token.write_text("hvs.first\n")
    with serving(service.app) as url:
        named = f"vault+{url}/transit/anamnesis"
        yield Rooted(
            root_of_url(named, token), service,
            vault_error(503, "Vault is sealed"), vault_error(404, "no handler for route"),
        )  # fmt: skip


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Rooted]:
    service, file = Google(), tmp_path / "account.json"
    with serving(service.app) as url:
        file.write_bytes(service.key_file(url))
        cipher = GoogleKms(NAME, ServiceAccount(file), url)
        yield Rooted(
            KmsRoot(f"gcp-kms://{NAME}", cipher), service,
            google_error(503, "UNAVAILABLE", "The service is currently unavailable."),
            google_error(404, "NOT_FOUND", "CryptoKey not found."),
        )  # fmt: skip


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rooted]:
    service = Amazon()
    with serving(service.app) as url:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", url)
        yield Rooted(
            root_of_url("aws-kms://eu-central-1/alias/anamnesis", None), service,
            amazon_error(400, "ThrottlingException"), amazon_error(400, "AccessDeniedException"),
        )  # fmt: skip


@pytest.fixture(params=["vault", "google", "amazon"])
def rooted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Rooted:
    """Each kind, with short pauses."""
    monkeypatch.setattr(asking, "PAUSES", (0.01, 0.01, 0.01))
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Rooted)
    return made


async def test_what_is_wrapped_opens_for_its_tenant_and_version_alone(rooted: Rooted) -> None:
    wrapped = await rooted.root.wrap("clinic", 1, SECRET)
    assert SECRET not in wrapped
    assert await rooted.root.unwrap("clinic", 1, wrapped) == SECRET
    for tenant, version in (("other", 1), ("clinic", 2)):
        with pytest.raises(BodyTampered):
            await rooted.root.unwrap(tenant, version, wrapped)
    with pytest.raises(BodyTampered):
        await rooted.root.unwrap("clinic", 1, wrapped[:-2] + b"AA")
    for foreign in (b"\x01" + wrapped[1:], b"K" + bytes(16) + wrapped[17:]):
        with pytest.raises(KeyCommitmentMismatch):
            await rooted.root.unwrap("clinic", 1, foreign)


async def test_a_new_version_in_the_service_wraps_and_the_old_one_still_opens(
    rooted: Rooted,
) -> None:
    old = await rooted.root.wrap("clinic", 1, SECRET)
    rooted.service.versions.append(os.urandom(32))
    new = await rooted.root.wrap("clinic", 1, SECRET)
    assert await rooted.root.unwrap("clinic", 1, old) == SECRET
    assert await rooted.root.unwrap("clinic", 1, new) == SECRET
    rooted.service.versions[0] = os.urandom(32)
    assert await rooted.root.unwrap("clinic", 1, new) == SECRET
    with pytest.raises(BodyTampered):
        await rooted.root.unwrap("clinic", 1, old)


async def test_a_busy_service_is_asked_again_and_not_for_ever(rooted: Rooted) -> None:
    rooted.service.faults.extend([rooted.busy] * 2)
    wrapped = await rooted.root.wrap("clinic", 1, SECRET)
    assert len(rooted.service.asked) == 3
    rooted.service.faults.extend([rooted.busy] * 9)
    with pytest.raises(RootUnavailable):
        await rooted.root.unwrap("clinic", 1, wrapped)
    assert len(rooted.service.asked) == 3 + 4


async def test_who_may_not_is_told_at_once_and_without_the_words_of_the_answer(
    rooted: Rooted,
) -> None:
    rooted.service.faults.append(rooted.no)
    with pytest.raises(RootUnavailable) as refused:
        await rooted.root.wrap("clinic", 1, SECRET)
    assert len(rooted.service.asked) == 1
    assert not any(word in str(refused.value) for word in ("no handler", "said by", "CryptoKey"))


async def test_a_service_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    root = root_of_url("vault+http://127.0.0.1:9/transit/anamnesis", tmp_path / "token")
    with pytest.raises(RootUnavailable, match="ConnectError"):
        await root.wrap("clinic", 1, SECRET)


async def test_a_token_that_its_agent_renewed_is_read_again(vault: Rooted, tmp_path: Path) -> None:
    await vault.root.wrap("clinic", 1, SECRET)
    assert isinstance(vault.service, Vault)
    vault.service.agreed = "hvs.second"
    with pytest.raises(RootUnavailable, match="403"):
        await vault.root.wrap("clinic", 1, SECRET)
    (tmp_path / "token").write_text("hvs.second")
    await vault.root.wrap("clinic", 1, SECRET)
    (tmp_path / "token").unlink()
    vault.service.agreed = "hvs.third"
    with pytest.raises(RootUnavailable, match="FileNotFoundError"):
        await vault.root.wrap("clinic", 1, SECRET)


async def test_a_vault_that_calls_a_forgery_its_own_fault_is_understood(vault: Rooted) -> None:
    """Some versions answer 500 (hashicorp/vault issue 10842), which else would be asked again."""
    assert isinstance(vault.service, Vault)
    vault.service.forged_status = 500
    wrapped = await vault.root.wrap("clinic", 1, SECRET)
    with pytest.raises(BodyTampered):
        await vault.root.unwrap("other", 1, wrapped)
    assert len(vault.service.asked) == 2


async def test_a_token_of_google_is_kept_until_it_is_denied(google: Rooted) -> None:
    assert isinstance(google.service, Google)
    for _ in range(3):
        await google.root.wrap("clinic", 1, SECRET)
    assert google.service.tokens == 1
    google.service.tokens = 7
    await google.root.wrap("clinic", 1, SECRET)
    assert google.service.tokens == 8


async def test_a_machine_asks_google_by_its_own_account() -> None:
    service = Google()
    with serving(service.app) as url:
        root = KmsRoot("gcp-kms://here", GoogleKms(NAME, MachineAccount(url), url))
        assert await root.unwrap("c", 1, await root.wrap("c", 1, SECRET)) == SECRET


async def test_an_account_that_google_does_not_know_is_unavailable(
    google: Rooted, tmp_path: Path
) -> None:
    assert isinstance(google.service, Google)
    google.service.signer = Google().signer
    with pytest.raises(RootUnavailable, match="token: 400"):
        await google.root.wrap("clinic", 1, SECRET)
    (tmp_path / "account.json").write_text("{}")
    with pytest.raises(RootUnavailable, match="key file"):
        await google.root.wrap("clinic", 1, SECRET)


async def test_what_a_wire_damaged_is_no_forgery(google: Rooted) -> None:
    assert isinstance(google.service, Google)
    wrapped = await google.root.wrap("clinic", 1, SECRET)
    google.service.damaged = True
    with pytest.raises(RootUnavailable, match="damaged"):
        await google.root.unwrap("clinic", 1, wrapped)
    with pytest.raises(RootUnavailable, match="damaged"):
        await google.root.wrap("clinic", 1, SECRET)


async def test_what_amazon_logs_says_nothing_of_a_person(amazon: Rooted) -> None:
    await amazon.root.wrap("clinic", 2, SECRET)
    assert isinstance(amazon.service, Amazon)
    assert amazon.service.contexts == [{"anamnesis-tenant": "clinic", "anamnesis-version": "2"}]


async def test_what_is_open_stays_open_while_the_root_is_away(
    vault: Rooted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PAUSES", (0.01,))
    monkeypatch.setattr(tenants, "LOOK_SECONDS", 0.0)
    store = SqliteKeyStore(tmp_path / "keys.db")
    tree = KeyTree(vault.root, store)
    secret = await tree.tenant_secret("clinic", "opaque-id")
    await tree.compartment("clinic", "chart", "clinical")
    asked = len(vault.service.asked)
    vault.service.faults.extend([vault.busy] * 20)
    assert await tree.tenant_secret("clinic", "opaque-id") == secret
    await tree.compartment("clinic", "another chart", "clinical")
    assert len(vault.service.asked) == asked
    with pytest.raises(RootUnavailable):
        await tree.tenant_secret("a new clinic", "opaque-id")
    # A version that another process made is opened once the root is there again.
    vault.service.faults.clear()
    await Rotation(vault.root, store).tenant("clinic", lambda _count: None)
    vault.service.faults.extend([vault.busy] * 20)
    await tree.compartment("clinic", "a third chart", "clinical")
    await store.close()


async def test_an_address_that_is_none_is_unavailable(tmp_path: Path, google: Rooted) -> None:
    assert isinstance(google.service, Google)
    file = tmp_path / "account.json"
    file.write_bytes(google.service.key_file("http://[no address"))
    with pytest.raises(RootUnavailable):
        await google.root.wrap("clinic", 1, SECRET)


async def test_no_proxy_of_the_environment_sees_a_key(
    vault: Rooted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    wrapped = await vault.root.wrap("clinic", 1, SECRET)
    assert await vault.root.unwrap("clinic", 1, wrapped) == SECRET
