"""Signed notes and checkpoints: the published note, whatever was changed, and who may speak."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from adapters.proofs.notes import (
    COSIGNED,
    Checkpoint,
    KeyUnreadable,
    Note,
    NoteKey,
    NoteRefused,
    NoteUnreadable,
    VerifierKey,
)

# The example of golang.org/x/mod/sumdb/note, which C2SP's signed-note describes.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqd\
ngotpRZb6KE6RyyBwJnAM=
"""
# The example of C2SP's tlog-cosignature.
SOFA = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/\
Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrD\
JsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""
LOG = NoteKey("riverside.example/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
WITNESS = NoteKey("witness.example/w1", Ed25519PrivateKey.from_private_bytes(bytes(32)))
HEAD = Checkpoint(LOG.name, 1_000, bytes(range(32)))
SECONDS = 1_790_000_000


def cosigned() -> Note:
    note = HEAD.signed(LOG)
    return Note(note.text, (*note.signatures, WITNESS.cosign(note.text, SECONDS)))


def test_the_published_note_holds_and_is_written_as_it_was_read() -> None:
    key = VerifierKey.of(PETER)
    note = Note.of(PUBLISHED)
    assert note.check([key]) == {key: None}
    assert str(note) == PUBLISHED
    assert key.text == PETER


def test_the_published_checkpoint_is_read_whole() -> None:
    note = Note.of(SOFA)
    head = Checkpoint.of(note.text)
    assert (head.origin, head.size) == ("example.com/behind-the-sofa", 20852163)
    assert head.text == note.text
    assert [one.name for one in note.signatures] == [head.origin, "witness.example.com/w1"]
    assert str(note) == SOFA


@given(place=st.integers(0, len(PUBLISHED) - 1), other=st.characters())
def test_a_changed_character_is_never_taken_for_what_was_signed(place: int, other: str) -> None:
    changed = PUBLISHED[:place] + other + PUBLISHED[place + 1 :]
    try:
        note = Note.of(changed)
        note.check([VerifierKey.of(PETER)])
    except (NoteUnreadable, NoteRefused):
        return
    assert note.text == Note.of(PUBLISHED).text


def test_a_cosignature_tells_when_and_another_time_does_not_hold() -> None:
    note, witness = cosigned(), WITNESS.verifier(COSIGNED)
    assert Note.of(str(note)).check([LOG.verifier(), witness]) == {
        LOG.verifier(): None,
        witness: SECONDS,
    }
    signature = note.signatures[1]
    later = (SECONDS + 1).to_bytes(8, "big") + signature.signed[8:]
    forged = Note(note.text, (type(signature)(signature.name, signature.key, later),))
    with pytest.raises(NoteRefused):
        forged.check([witness])


def test_who_is_not_known_says_nothing() -> None:
    note, other = cosigned(), NoteKey("other.example", WITNESS.private)
    assert note.check([LOG.verifier()]) == {LOG.verifier(): None}
    for keys in ([], [other.verifier()], [WITNESS.verifier()]):
        with pytest.raises(NoteRefused):
            note.check(keys)


def test_a_wrong_signature_of_a_known_key_refuses_the_whole_note() -> None:
    note = cosigned()
    wrong = WITNESS.cosign(f"{note.text}more\n", SECONDS)
    with pytest.raises(NoteRefused):
        Note(note.text, (note.signatures[0], wrong)).check(
            [LOG.verifier(), WITNESS.verifier(COSIGNED)]
        )


def test_a_signature_of_one_type_is_none_of_the_other() -> None:
    text = HEAD.text
    plain, timed = WITNESS.sign(text), WITNESS.cosign(text, SECONDS)
    swapped = type(plain)(plain.name, timed.key, plain.signed)
    with pytest.raises(NoteRefused):
        Note(text, (swapped,)).check([WITNESS.verifier(COSIGNED)])
    assert plain.key != timed.key


@pytest.mark.parametrize(
    "written",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\nno signature\n",
        "text\n\n— name \n",
        "text\n\n— name AAAA\n",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n— na+me AAAAAAAA\n",
        "text\n\n— name AAAAAAAA",
        "text\n\n— name AAAAAAB=\n",
        "te\x00xt\n\n— name AAAAAAAA\n",
        "text\n\n" + "— name AAAAAAAA\n" * 65,
    ],
)
def test_what_is_no_note_is_refused(written: str) -> None:
    with pytest.raises(NoteUnreadable):
        Note.of(written)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n1\n",
        "origin\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "origin\n-1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "origin\n1\nAAAA\n",
        "origin\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
        "\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "origin\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteUnreadable):
        Checkpoint.of(text)


@pytest.mark.parametrize("text", ["", "a+b", PETER.replace("c7", "c8"), PETER[:-4], PETER + "AA=="])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyUnreadable):
        VerifierKey.of(text)
