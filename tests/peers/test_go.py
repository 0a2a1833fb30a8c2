"""What we sign and publish, read by the transparency log packages of the Go project."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.api.test_cli import NAMED, Console, peopled
from tests.api.test_cli_keeping import chart
from tests.peers.conftest import ROOT

__all__ = ["peopled"]
pytestmark = pytest.mark.peers
TENANT = ("--tenant", "riverside")


def go(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A program of tests/peers/go."""
    built = ROOT / ".peers-go" / program
    assert built.exists(), "the Go programs are not built: run .ci/peers-go .peers-go"
    return subprocess.run([built, *map(str, arguments)], capture_output=True, text=True)


def key_of(console: Console) -> str:
    """The verifier key of riverside's log."""
    (heads,) = console.lines("heads", *TENANT, "--json")
    return str(heads["key"])


def test_go_reads_our_tiles_entry_by_entry_and_sees_what_was_changed(
    peopled: Console, tmp_path: Path
) -> None:
    folder = tmp_path / "tiles"
    peopled.run("audit", "tiles", str(folder), *TENANT)
    key = key_of(peopled)
    first = (folder / "checkpoint").read_text().split("\n")
    assert int(first[1]) > 256
    peopled.run("replay", "--chart", chart(peopled), *TENANT, *NAMED)
    (told,) = peopled.lines("audit", "tiles", str(folder), *TENANT, "--json")
    assert told["events"] > int(first[1])
    checked = go("tiles", folder, key, first[1], first[2])
    assert checked.stderr == ""
    assert checked.stdout == f"{told['events']} entries are in the tree of the signed head\n"

    wrong = "0" * 43 + "="
    assert go("tiles", folder, key, first[1], wrong).returncode == 1
    other, _, rest = key.partition("+")
    assert go("tiles", folder, f"{other}/another+{rest}", first[1], first[2]).returncode == 1
    for name in ("tile/0/000", "tile/entries/000", "checkpoint"):
        changed = bytearray((folder / name).read_bytes())
        changed[80] ^= 1
        whole = (folder / name).read_bytes()
        (folder / name).chmod(0o600)
        (folder / name).write_bytes(changed)
        assert go("tiles", folder, key).returncode == 1, name
        (folder / name).write_bytes(whole)
    assert go("tiles", folder, key).returncode == 0


def test_go_accepts_a_receipt_for_its_own_event_and_no_other(
    peopled: Console, tmp_path: Path
) -> None:
    written = tmp_path / "receipt.json"
    peopled.run("audit", "receipt", "300", str(written), *TENANT, *NAMED)
    receipt = json.loads(written.read_text())
    proof = tmp_path / "proof"
    proof.write_text(receipt["proof"])
    leaves = peopled.rows(
        "SELECT encode(leaf, 'hex') AS leaf FROM event WHERE tenant = 'riverside'"
        " AND position IN (300, 301) ORDER BY position"
    )
    told = go("receipt", proof, receipt["key"], leaves[0]["leaf"])
    assert told.stderr == ""
    assert told.stdout.startswith("entry 299 of ")
    assert go("receipt", proof, receipt["key"], leaves[1]["leaf"]).returncode == 1
