"""Signed heads on the command line: what strangers are given, and what holds the log to it."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from adapters.proofs.merkle import Frontier
from adapters.proofs.notes import Checkpoint, Note, NoteRefused, VerifierKey
from api.house import open_house
from api.settings import Settings
from api.signing import signing
from tests.adapters.proofs.test_tampering import REHASHED
from tests.api.test_cli import Console, peopled

__all__ = ["peopled"]
UNSIGNED = """SELECT 1 FROM log_head h WHERE position > 0 AND position >
  (SELECT coalesce(max(s.position), 0) FROM signed_head s WHERE s.tenant = h.tenant)"""


def sign(console: Console) -> None:
    """Let the heads of this moment be signed, as `anamnesis serve` does."""

    async def run() -> None:
        settings = Settings.from_environment(console.environment)
        async with open_house(settings) as house, signing(house), asyncio.timeout(20):
            while True:
                if not await asyncio.to_thread(console.rows, UNSIGNED):
                    return
                await asyncio.sleep(0.02)

    asyncio.run(run())


def with_file(console: Console, path: Path) -> Console:
    return replace(console, environment={**console.environment, "ANAMNESIS_HEADS_FILE": str(path)})


def rewrite(console: Console, position: int) -> None:
    """Change an event as a superuser does who also makes leaf, frontier and signed heads fit."""
    with psycopg.connect(console.dsn) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(
            "UPDATE event SET context = context || ' ' WHERE tenant = 'riverside'"
            " AND position = %s",
            (position,),
        )
        owner.execute(REHASHED.encode())
        leaves = owner.execute(
            "SELECT leaf FROM event WHERE tenant = 'riverside' ORDER BY position"
        ).fetchall()
        nodes = Frontier.of([leaf for (leaf,) in leaves]).nodes
        owner.execute("UPDATE log_head SET frontier = %s WHERE tenant = 'riverside'", (nodes,))
        owner.execute("DELETE FROM signed_head")


def test_the_head_that_this_machine_signed_finds_whoever_rewrites_the_whole_database(
    peopled: Console,
) -> None:
    sign(peopled)
    peopled.run("verify", "--tenant", "riverside")
    rewrite(peopled, 7)
    words = peopled.run("verify", "--tenant", "riverside", code=1).stdout
    assert f"WRONG at position {peopled.head()}: anchor" in words
    for kept in (Path(peopled.environment["ANAMNESIS_KEYS"]) / "heads").glob("*.json"):
        kept.unlink()
    # Without what was kept nobody can tell: that is why heads are taken outside.
    peopled.run("verify", "--tenant", "riverside")


def test_a_file_of_heads_says_where_the_log_was_changed(peopled: Console, tmp_path: Path) -> None:
    taken = tmp_path / "taken.jsonl"
    outside = with_file(peopled, taken)
    sign(outside)
    copied = tmp_path / "copied.jsonl"
    copied.write_bytes(taken.read_bytes())
    peopled.run("verify", "--heads", str(copied))
    outside.run("verify")
    rewrite(peopled, 3)
    (Path(peopled.environment["ANAMNESIS_KEYS"]) / "heads" / "riverside.json").unlink()
    for run in (
        outside.run("verify", "--tenant", "riverside", code=1),
        peopled.run("verify", "--tenant", "riverside", "--heads", str(copied), code=1),
    ):
        assert ": anchor (" in run.stdout


def test_a_head_that_the_key_did_not_sign_is_refused(peopled: Console, tmp_path: Path) -> None:
    taken = tmp_path / "taken.jsonl"
    sign(with_file(peopled, taken))
    forged = tmp_path / "forged.jsonl"
    lines = [json.loads(line) for line in taken.read_text().splitlines()]
    for line in lines:
        line["note"] = line["note"].replace("\n", "\nmore\n", 3)
    forged.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    said = peopled.run("verify", "--heads", str(forged), code=1).output
    assert "HeadsUnreadable" in said
    forged.write_text("no head\n")
    assert "line 1" in peopled.run("verify", "--heads", str(forged), code=1).output


def test_strangers_are_given_a_key_and_a_head_that_it_signed(peopled: Console) -> None:
    before = peopled.lines("heads", "--json")
    assert [(told["tenant"], told["note"]) for told in before] == [
        ("lakeside", None),
        ("riverside", None),
    ]
    sign(peopled)
    (told,) = peopled.lines("heads", "--json", "--tenant", "riverside")
    key, note = VerifierKey.of(told["key"]), Note.of(told["note"])
    assert key.name == "anamnesis.invalid/riverside"
    note.check([key])
    head = Checkpoint.of(note.text)
    assert (head.origin, head.size) == (key.name, peopled.head())
    with pytest.raises(NoteRefused):
        note.check([VerifierKey.of(before[0]["key"])])
    words = peopled.run("heads", "--tenant", "riverside").stdout
    assert words == f"key  {told['key']}\n\n{told['note']}\n"
    peopled.run("heads", "--tenant", "nowhere", code=2)


def test_a_log_that_is_gone_altogether_is_missed(peopled: Console) -> None:
    sign(peopled)
    peopled.owner(
        "SET session_replication_role = replica;"
        " DELETE FROM event WHERE tenant = 'riverside';"
        " DELETE FROM log_head WHERE tenant = 'riverside'"
    )
    assert "there is no log" in peopled.run("verify", code=1).stdout
    gone = peopled.lines("verify", "--tenant", "riverside", "--json", code=1)
    assert gone == [{"tenant": "riverside", "events": 0, "gone": True, "ok": False}]
    peopled.run("verify", "--tenant", "lakeside")


def test_a_file_of_heads_that_is_not_there_is_missed(peopled: Console, tmp_path: Path) -> None:
    outside = with_file(peopled, tmp_path / "taken.jsonl")
    outside.run("verify")
    sign(outside)
    (tmp_path / "taken.jsonl").unlink()
    assert "HeadsMissing" in outside.run("verify", code=1).output
    (tmp_path / "taken.jsonl").write_bytes(b"\xff")
    assert "HeadsUnreadable" in outside.run("verify", code=1).output


def test_one_false_head_among_many_is_enough(peopled: Console, tmp_path: Path) -> None:
    """Also where an old kept head was put back and the forgery was signed on from there."""
    taken = tmp_path / "taken.jsonl"
    outside = with_file(peopled, taken)
    kept = Path(peopled.environment["ANAMNESIS_KEYS"]) / "heads" / "riverside.json"
    sign(outside)
    old = kept.read_bytes()
    outside.run("replay", "--tenant", "riverside", "--at", "1", "--operator", "o", "--reason", "r")
    sign(outside)
    true_head = peopled.head()
    rewrite(peopled, true_head)
    kept.write_bytes(old)
    for _ in range(3):
        outside.run(
            "replay", "--tenant", "riverside", "--at", "1", "--operator", "o", "--reason", "r"
        )
        sign(outside)
    said = outside.run("verify", "--tenant", "riverside", code=1).stdout
    assert f"WRONG at position {true_head}: anchor" in said
