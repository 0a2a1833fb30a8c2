"""An installation moves its root into a service and its keys into a PostgreSQL of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.embedded import EmbeddedPostgres, start_postgres
from tests.adapters.keys.kms.fakes import Vault, vault_error
from tests.api.test_cli import NAMED, Console, peopled
from tests.api.test_cli_keeping import HERE, chart
from tests.http_peer import serving

__all__ = ["peopled"]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server for keys."""
    with start_postgres(tmp_path_factory.mktemp("keys")) as server:
        yield server


def sound(console: Console) -> bool:
    """Whether every log verifies and its events open."""
    verified = console.lines("verify", "--json")
    replayed = console.run("replay", "--chart", chart(console), *HERE).stdout
    return all(one["ok"] for one in verified) and "registry.chart-opened" in replayed


def test_the_root_moves_into_vault_and_back(peopled: Console, tmp_path: Path) -> None:
    service, token = Vault(), tmp_path / "token"
    token.write_text(service.agreed)
    keys = Path(peopled.environment["ANAMNESIS_KEYS"])
    with serving(service.app) as url:
        named = {"ANAMNESIS_ROOT": f"vault+{url}/transit/anamnesis"}
        peopled.environment.update(named, ANAMNESIS_ROOT_CREDENTIAL=str(token))
        refused = peopled.run("verify", code=1).output
        assert "WrappedKeyTampered" in refused
        peopled.environment["ANAMNESIS_ROOT_BEFORE"] = "file"
        assert sound(peopled)
        (moved,) = peopled.lines("keys", "rotate-root", "--json", *NAMED)
        assert moved == {"wrapped": {"lakeside": 1, "riverside": 1}, "retired": None}
        (keys / "root.key").rename(tmp_path / "escrow")
        del peopled.environment["ANAMNESIS_ROOT_BEFORE"]
        assert sound(peopled)

        # A version more in the service, and the old one is destroyed there.
        service.versions.append(os.urandom(32))
        peopled.lines("keys", "rotate-root", "--json", *NAMED)
        service.versions[0] = os.urandom(32)
        assert sound(peopled)
        doctor = peopled.run("doctor", code=None).output
        assert f"answers: {named['ANAMNESIS_ROOT']}" in doctor

        service.faults.extend([vault_error(503, "Vault is sealed")] * 4)
        sealed = peopled.run("verify", code=1).output
        assert "RootUnavailable" in sealed
        assert "Vault is sealed" not in sealed

        (tmp_path / "escrow").rename(keys / "root.key")
        before = named["ANAMNESIS_ROOT"]
        peopled.environment.update(ANAMNESIS_ROOT="file", ANAMNESIS_ROOT_BEFORE=before)
        (back,) = peopled.lines("keys", "rotate-root", "--json", *NAMED)
        assert set(back["wrapped"].values()) == {1}
    del peopled.environment["ANAMNESIS_ROOT_BEFORE"]
    assert sound(peopled)


def test_a_root_that_is_none_is_refused_at_the_start_by_its_name(peopled: Console) -> None:
    for name in ("ROOT", "ROOT_BEFORE"):
        given = {f"ANAMNESIS_{name}": "https://vault.example/key"}
        refused = Console(peopled.dsn, {**peopled.environment, **given}).run("verify", code=1)
        assert f"SettingUnclear ANAMNESIS_{name}: file, aws-kms://region/key" in refused.output


def test_a_key_store_on_the_logs_server_or_without_tables_is_refused(
    peopled: Console, elsewhere: EmbeddedPostgres
) -> None:
    file = Path(peopled.environment["ANAMNESIS_KEYS"]) / "keys.sqlite3"
    nowhere = peopled.run("keys", "move-in", str(file), code=1).output
    assert "SettingMissing ANAMNESIS_KEYS_DSN" in nowhere
    peopled.environment["ANAMNESIS_KEYS_DSN"] = peopled.dsn
    beside = peopled.run("migrate", code=1).output
    assert "KeyStoreInTheLog" in beside

    peopled.environment["ANAMNESIS_KEYS_DSN"] = elsewhere.create_database("moved")
    unmade = peopled.run("verify", code=1).output
    assert "KeyStoreUnavailable" in unmade
    elsewhere.drop_database("moved")


def test_the_keys_move_into_postgres_and_everything_goes_on(
    peopled: Console, elsewhere: EmbeddedPostgres, tmp_path: Path
) -> None:
    file = Path(peopled.environment["ANAMNESIS_KEYS"]) / "keys.sqlite3"
    peopled.environment["ANAMNESIS_KEYS_DSN"] = elsewhere.create_database("moved")
    peopled.run("migrate")
    (moved,) = peopled.lines("keys", "move-in", str(file), "--json")
    assert moved["moved"] > 10
    file.rename(tmp_path / "old.sqlite3")
    assert sound(peopled)

    one = chart(peopled)
    (erased,) = peopled.lines("erase", one, "--yes", "--basis", "GDPR 17", "--json", *HERE)
    assert erased["keys"] > 0
    verified = {line["tenant"]: line for line in peopled.lines("verify", "--json")}
    assert verified["riverside"]["ok"]
    assert verified["riverside"]["erased_keys"] >= erased["keys"]
    (anew,) = peopled.lines("keys", "rotate-tenant", "--json", *NAMED)
    assert min(anew["wrapped"].values()) > 0
    # The old file comes back, and what was destroyed meanwhile does not.
    (again,) = peopled.lines("keys", "move-in", str(tmp_path / "old.sqlite3"), "--json")
    assert again == {"moved": 0}
    assert [line["ok"] for line in peopled.lines("verify", "--json")] == [True, True]
    doctor = peopled.run("doctor", code=None).output
    assert "in a PostgreSQL of its own" in doctor

    copies = tmp_path / "apart"
    peopled.run("backup", str(tmp_path / "backup"), "--keys", str(copies))
    (copy,) = copies.glob("keys-*.sqlite3")
    del peopled.environment["ANAMNESIS_KEYS_DSN"]
    copy.rename(file)
    assert [line["ok"] for line in peopled.lines("verify", "--json")] == [True, True]
    elsewhere.drop_database("moved")
