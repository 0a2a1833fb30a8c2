"""A witness answers as C2SP tlog-witness says, and never cosigns two histories."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.heads.witness import (
    SIZE_TYPE,
    Answer,
    Witness,
    WitnessDamaged,
    request_of,
)
from adapters.proofs.notes import COSIGNED, Checkpoint, NameInvalid, Note, NoteKey
from adapters.proofs.paths import Leaves, consistency_path
from tests.adapters.heads.conftest import KEY
from tests.adapters.proofs.test_merkle import numbered_leaves, tree_hash

WITNESS = NoteKey("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
STRANGER = NoteKey(KEY.name, Ed25519PrivateKey.from_private_bytes(b"s" * 32))
NOW = 1_795_862_466


def head(leaves: list[bytes], key: NoteKey = KEY) -> Note:
    return Checkpoint(key.name, len(leaves), tree_hash(leaves)).signed(key)


def path(leaves: list[bytes], old: int) -> list[bytes]:
    return consistency_path(Leaves(leaves), old, len(leaves)) if old else []


@dataclass
class Asked:
    """A witness with its folder, and what it answered."""

    folder: Path
    answers: list[Answer] = field(default_factory=list)

    def add(self, leaves: list[bytes], old: int, key: NoteKey = KEY) -> int:
        """The status for a head with its right path."""
        return self.body(request_of(old, path(leaves, old), head(leaves, key)))

    def body(self, text: str) -> int:
        witness = Witness(WITNESS, [KEY.verifier()], self.folder, lambda: NOW)
        self.answers.append(witness.add(text))
        return self.answers[-1].status


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


LEAVES = numbered_leaves(40)


def test_heads_that_go_on_from_each_other_are_cosigned_with_the_time(asked: Asked) -> None:
    before = 0
    for size in (1, 2, 2, 7, 8, 40):
        assert asked.add(LEAVES[:size], before) == 200
        line = asked.answers[-1].text
        assert line.endswith("\n")
        whole = Note.of(f"{head(LEAVES[:size])}{line}")
        key = WITNESS.verifier(COSIGNED)
        assert whole.check([KEY.verifier(), key]) == {KEY.verifier(): None, key: NOW}
        before = size


def test_who_does_not_know_what_it_has_cosigned_is_told(asked: Asked) -> None:
    assert asked.add(LEAVES[:7], 0) == 200
    for old in (0, 3):
        assert asked.add(LEAVES, old) == 409
        assert (asked.answers[-1].text, asked.answers[-1].media_type) == ("7\n", SIZE_TYPE)
    assert asked.add(LEAVES, 7) == 200


def test_another_history_is_not_cosigned(asked: Asked) -> None:
    assert asked.add(LEAVES[:7], 0) == 200
    other = [LEAVES[1], *LEAVES[1:]]
    assert asked.add(other[:7], 7) == 409
    assert asked.add(other[:20], 7) == 422
    assert asked.body(request_of(7, path(LEAVES[:20], 7)[:-1], head(LEAVES[:20]))) == 422
    assert asked.body(request_of(7, [LEAVES[0]], head(LEAVES[:7]))) == 422
    # Cut off, and shown again.
    assert asked.add(LEAVES[:5], 5) == 409
    assert asked.add(LEAVES[:20], 7) == 200


def test_a_path_from_nothing_is_refused(asked: Asked) -> None:
    assert asked.body(request_of(0, [LEAVES[0]], head(LEAVES[:2]))) == 422


def test_only_a_known_log_with_its_own_signature_is_cosigned(asked: Asked) -> None:
    unknown = NoteKey("other.example/log", KEY.private)
    assert asked.add(LEAVES[:2], 0, unknown) == 404
    assert asked.add(LEAVES[:2], 0, STRANGER) == 403
    tampered = str(head(LEAVES[:2])).replace("\n2\n", "\n3\n", 1)
    assert asked.body(f"old 0\n\n{tampered}") == 403
    assert asked.add(LEAVES[:2], 0) == 200


@pytest.mark.parametrize(
    "body",
    [
        "",
        "old 0\n",
        "old 00\n\n{head}",
        "old -1\n\n{head}",
        "new 0\n\n{head}",
        "old 0\nno base64\n\n{head}",
        "old 0\nAAAA\n\n{head}",
        "old 0\n" + "A" * 43 + "=\n" + "\n{head}" * 0 + ("A" * 43 + "=\n") * 63 + "\n{head}",
        "old 0\n\nno note",
        "old 9\n\n{head}",
    ],
)
def test_what_is_no_request_is_a_bad_one(asked: Asked, body: str) -> None:
    assert asked.body(body.replace("{head}", str(head(LEAVES[:2])))) == 400


def test_a_witness_with_a_damaged_memory_signs_no_more(asked: Asked) -> None:
    assert asked.add(LEAVES[:7], 0) == 200
    (kept,) = asked.folder.glob("*.note")
    whole = kept.read_text()
    for damaged in ("", whole[:-9], whole.replace("\n7\n", "\n6\n")):
        kept.write_text(damaged)
        with pytest.raises(WitnessDamaged):
            asked.add(LEAVES, 7)
    kept.write_text(whole)
    assert asked.add(LEAVES, 7) == 200


def test_a_log_that_was_empty_goes_on(asked: Asked) -> None:
    for size in (0, 0, 3, 7):
        old = {0: 0, 3: 0, 7: 3}[size]
        assert asked.add(LEAVES[:size], old) == 200, size
    assert asked.add(LEAVES[:3], 0) == 409


@pytest.mark.parametrize("name", ["my witness", "a+b", ""])
def test_a_name_that_no_note_can_have_is_refused(name: str) -> None:
    with pytest.raises(NameInvalid):
        NoteKey(name, WITNESS.private)
