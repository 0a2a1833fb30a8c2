"""Holds, erasures, keys, effects and backups on the command line, as an operator uses them."""

import json
from pathlib import Path

from adapters.backup import Manifest
from adapters.proofs.notes import Note, VerifierKey
from domain.audit import UnderHold
from tests.api.test_cli import NAMED, Console, peopled

__all__ = ["peopled"]
HERE = ("--tenant", "riverside", *NAMED)
BOTH = NAMED


def chart(console: Console) -> str:
    """A chart of riverside."""
    rows = console.rows("SELECT chart::text FROM model.registry_chart"
                        " WHERE tenant = 'riverside' ORDER BY chart LIMIT 1")  # fmt: skip
    return str(rows[0]["chart"])


def test_a_held_chart_is_not_erased_and_a_free_one_is_with_a_certificate(
    peopled: Console, tmp_path: Path
) -> None:
    one = chart(peopled)
    erase = ("erase", one, "--yes", "--basis", "GDPR 17", *HERE)
    hold = ("--matter", "2026-CV-114")
    peopled.run("hold", one, *hold, "--basis", "litigation", *HERE)
    refused = peopled.run(*erase, code=1).output
    assert refused == f"Error: {UnderHold(matter='').message} [audit.under_hold]\n"
    peopled.run("lift-hold", one, *hold, *HERE)
    asked = peopled.run("erase", one, "--basis", "GDPR 17", *HERE, code=1)
    assert "for good?" in asked.output

    written = tmp_path / "certificate.txt"
    (told,) = peopled.lines(*erase, "--certificate", str(written), "--json")
    assert told["keys"] > 0
    note = Note.of(written.read_text())
    (heads,) = peopled.lines("heads", "--tenant", "riverside", "--json")
    note.check([VerifierKey.of(heads["key"])])
    assert str(note) == told["certificate"]
    (verified,) = peopled.lines("verify", "--tenant", "riverside", "--json")
    assert (verified["ok"], verified["erased_keys"] > 0) == (True, True)
    assert "keys were destroyed by erasures" in peopled.run("verify").stdout
    replayed = peopled.run("replay", "--chart", one, *HERE).stdout
    assert "audit.chart-erased" in replayed
    opened = peopled.run("reopen", one, "--json", *HERE).stdout
    assert json.loads(opened)["position"] > 0


def test_what_cannot_be_erased_is_said_in_a_sentence(peopled: Console) -> None:
    one = chart(peopled)
    peopled.run("replay", "--chart", one, *HERE)
    for words, said in (
        (("--class", "NOTHING"), "[audit.nothing_to_erase]"),
        (("--item", "nonsense"), "an entry is record_..."),
        (("--class", "audit"), "[audit.too_young]"),
    ):
        result = peopled.run("erase", one, "--yes", "--basis", "b", *words, *HERE, code=None)
        assert said in result.output
        assert result.exit_code in (1, 2)
        assert "Traceback" not in result.output
    nobody = "00000000-0000-4000-8000-000000000000"
    gone = peopled.run("erase", nobody, "--yes", "--basis", "b", *HERE, code=1)
    assert "[kernel.not_found]" in gone.output or "not_found" in gone.output


def test_keys_are_wrapped_anew_and_everything_still_opens(peopled: Console) -> None:
    (tenant,) = peopled.lines("keys", "rotate-tenant", "--json", *BOTH)
    assert set(tenant["wrapped"]) == {"riverside", "lakeside"}
    assert min(tenant["wrapped"].values()) > 0
    (root,) = peopled.lines("keys", "rotate-root", "--json", *BOTH)
    assert root["wrapped"] == {"lakeside": 2, "riverside": 2}
    folder = Path(peopled.environment["ANAMNESIS_KEYS"])
    (folder / root["retired"]).unlink()
    verified = peopled.lines("verify", "--json")
    assert [one["ok"] for one in verified] == [True, True]
    assert "registry.chart-opened" in peopled.run("replay", "--chart", chart(peopled), *HERE).stdout
    (again,) = peopled.lines("keys", "rotate-tenant", "--finish", "--json", *BOTH)
    assert set(again["wrapped"].values()) == {0}


def test_effects_are_listed_decided_held_back_and_let_go(peopled: Console) -> None:
    assert peopled.run("effects", "list", "--tenant", "riverside").stdout == ""
    peopled.owner(
        "INSERT INTO effect (tenant, id, reaction, name, data, due, state, error)"
        " VALUES ('riverside', '\\x00ff', 'tests', 'tests.x', '{}', now(), 'parked', 'InDoubt')"
    )
    (stuck,) = peopled.lines("effects", "list", "--tenant", "riverside", "--json")
    assert (stuck["id"], stuck["state"]) == ("00ff", "parked")
    unknown = peopled.run("effects", "retry", "11", *HERE, code=2)
    assert "no such effect" in unknown.output
    before = peopled.head()
    peopled.run("effects", "retry", "00ff", *HERE)
    assert peopled.rows("SELECT state FROM effect") == [{"state": "waiting"}]
    assert peopled.head() == before + 1
    peopled.run("effects", "pause", *HERE)
    assert peopled.rows("SELECT paused FROM dispatch") == [{"paused": True}]
    done = peopled.run("effects", "resume", "--drop-due", *HERE).stdout
    assert done == "carried out again; 1 given up\n"
    assert peopled.rows("SELECT state FROM effect") == [{"state": "dropped"}]


def test_a_backup_is_checked_and_has_no_keys(peopled: Console, tmp_path: Path) -> None:
    into, apart = tmp_path / "backups", tmp_path / "apart"
    refused = peopled.run("backup", str(into), "--keys", str(into / "keys"), code=1)
    assert "undoes every erasure" in refused.output
    (told,) = peopled.lines("backup", str(into), "--keys", str(apart), "--json")
    manifest = Manifest.read(Path(told["folder"]))
    assert manifest.logs["riverside"].position == peopled.head()
    (copy,) = apart.iterdir()
    assert copy.name == manifest.keys
    names = {file.name for file in into.rglob("*")}
    assert names.isdisjoint({"root.key", "keys.sqlite3", copy.name})
    assert "PG_VERSION" in names
    broken = peopled.run(
        "restore", "lay", str(into), str(tmp_path / "d"), "--objects", str(tmp_path / "o"), code=1
    )
    assert "no whole backup" in str(broken.output) + str(broken.exception)
