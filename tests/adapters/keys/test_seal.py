"""Sealed bodies open with their key and their associated data, and with nothing else."""

import os

import pytest

from adapters.keys import SEAL_OVERHEAD, BodyTampered, DataKey, KeyCommitmentMismatch
from adapters.keys.seal import bound


@pytest.fixture
def key() -> DataKey:
    return DataKey("key-1", os.urandom(32))


@pytest.mark.parametrize("size", [0, 1, 300, 65_536])
def test_a_sealed_body_opens_to_what_was_sealed(key: DataKey, size: int) -> None:
    plaintext = os.urandom(size)
    sealed = key.seal(plaintext, b"header")
    assert len(sealed) == size + SEAL_OVERHEAD
    assert key.open(sealed, b"header") == plaintext


def test_a_body_sealed_twice_differs(key: DataKey) -> None:
    assert key.seal(b"same", b"") != key.seal(b"same", b"")


def test_a_body_moved_under_another_header_does_not_open(key: DataKey) -> None:
    with pytest.raises(BodyTampered):
        key.open(key.seal(b"fact", b"header of A"), b"header of B")


def test_a_body_of_another_key_is_told_from_a_changed_body(key: DataKey) -> None:
    other = DataKey("key-2", os.urandom(32))
    with pytest.raises(KeyCommitmentMismatch) as refusal:
        key.open(other.seal(b"fact", b"header"), b"header")
    assert refusal.value.key_id == "key-1"


def test_a_body_with_a_grafted_commitment_does_not_open(key: DataKey) -> None:
    other = DataKey("key-2", os.urandom(32)).seal(b"fact", b"header")
    with pytest.raises(BodyTampered):
        key.open(other[:1] + key.commitment + other[33:], b"header")


def test_every_changed_byte_is_noticed(key: DataKey) -> None:
    sealed = key.seal(b"fact", b"header")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises((BodyTampered, KeyCommitmentMismatch)):
            key.open(bytes(changed), b"header")


@pytest.mark.parametrize("length", [0, 1, SEAL_OVERHEAD - 1, SEAL_OVERHEAD])
def test_a_truncated_body_does_not_open(key: DataKey, length: int) -> None:
    with pytest.raises(BodyTampered):
        key.open(key.seal(b"fact", b"header")[:length], b"header")


def test_the_commitment_is_known_from_the_key_alone() -> None:
    # HMAC-SHA256(32 zero bytes, "anamnesis com v1"), computed with the openssl command.
    expected = "cad64c780c2e2d29f61037f65ec1a3172fafc37061139308807418ec29a7db34"
    assert DataKey("key", bytes(32)).commitment.hex() == expected


def test_a_body_sealed_by_an_earlier_release_opens() -> None:
    # version, commitment | nonce 0..11, ciphertext, tag
    sealed = bytes.fromhex(
        "01cad64c780c2e2d29f61037f65ec1a3172fafc37061139308807418ec29a7db34"
        "000102030405060708090a0b98653a03e3f1ece674c42c1852055bdbe3a27a88"
    )
    assert DataKey("key", bytes(32)).open(sealed, b"header") == b"fact"


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        DataKey("key", bytes(length))


def test_a_printed_key_shows_its_id_only() -> None:
    assert repr(DataKey("key-1", os.urandom(32))) == "DataKey('key-1')"


def test_associated_data_of_different_parts_never_coincide() -> None:
    lists = [("ab", "c"), ("a", "bc"), ("abc",), ("a", "b", "c"), ("", "abc"), ("abc", "")]
    assert len({bound("label", *parts) for parts in lists}) == len(lists)
    assert bound("x", "yz") != bound("xy", "z")
