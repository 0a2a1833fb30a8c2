"""Sealing: AES-256-GCM with a random 96-bit nonce, bound to its key by a commitment.

Layout of a sealed body: version (1 byte, 1) | commitment (32) | nonce (12) | ciphertext | tag (16).

GCM alone does not commit to its key: one ciphertext can be made that opens under two keys to two
plaintexts. So the encryption key and a public commitment string are both derived from the
key, and the commitment is stored and compared before decryption: the generic fix (two hashes of
one key) of Albertini, Duong, Gueron, Koelbl, Luykx, Schmieg, "How to Abuse and Fix Authenticated
Encryption Without Key Commitment", USENIX Security 2022. (C2SP's XAES-256-GCM is the candidate for
a longer nonce.) It commits to the key, not to nonce and associated data as well.

Nonces come straight from the kernel. Buffering them would save 0.2 us and would repeat nonces
under one key when a process is forked or a virtual machine is restored from a snapshot.
"""

import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.keys.refused import BodyTampered, KeyCommitmentMismatch

KEY_BYTES: Final = 32
VERSION: Final = b"\x01"
_COMMITMENT_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_NONCE_AT: Final = len(VERSION) + _COMMITMENT_BYTES
_CIPHERTEXT_AT: Final = _NONCE_AT + _NONCE_BYTES
SEAL_OVERHEAD: Final = _CIPHERTEXT_AT + _TAG_BYTES
"""Bytes by which a sealed body is longer than its plaintext."""


def subkey(secret: bytes, label: bytes) -> bytes:
    """32 bytes for one purpose: HMAC-SHA256(secret, label)."""
    return hmac.digest(secret, label, "sha256")


def bound(label: str, *parts: str) -> bytes:
    """Associated data in which no two lists of parts coincide: each part has its length before it.

    The leading zero byte keeps it apart from the JSON headers that event bodies are bound to.
    """
    texts = [part.encode() for part in (label, *parts)]
    return b"\x00" + b"".join(len(text).to_bytes(4, "big") + text for text in texts)


class DataKey:
    """A key that seals. Holds derived keys only; its repr shows nothing but the id.

    `sealed` counts what this process sealed with it.
    """

    __slots__ = ("_aead", "_prefix", "above", "commitment", "id", "sealed")

    def __init__(self, key_id: str, secret: bytes, above: str | None = None) -> None:
        """`secret` is 32 uniformly random bytes; `above` is the compartment of an item's key.

        Raises ValueError for a secret of any other length.
        """
        if len(secret) != KEY_BYTES:
            raise ValueError("a key has 32 bytes")
        self.id: Final = key_id
        self.above: Final = above
        self.commitment: Final = subkey(secret, b"anamnesis com v1")
        self._aead = AESGCM(subkey(secret, b"anamnesis enc v1"))
        self._prefix = VERSION + self.commitment
        self.sealed = 0

    def __repr__(self) -> str:
        """The id alone, so that a key can stand in a log line or a traceback."""
        return f"DataKey({self.id!r})"

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Sealed body, SEAL_OVERHEAD bytes longer; opens only with the same `aad`."""
        nonce = os.urandom(_NONCE_BYTES)
        self.sealed += 1
        return self._prefix + nonce + self._aead.encrypt(nonce, plaintext, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """Plaintext of a sealed body.

        Raises KeyCommitmentMismatch when another key sealed it, BodyTampered when body or `aad`
        are not those that were sealed.
        """
        if len(sealed) < SEAL_OVERHEAD or sealed[:1] != VERSION:
            raise BodyTampered(self.id)
        if not hmac.compare_digest(sealed[1:_NONCE_AT], self.commitment):
            raise KeyCommitmentMismatch(self.id)
        nonce = sealed[_NONCE_AT:_CIPHERTEXT_AT]
        try:
            return self._aead.decrypt(nonce, sealed[_CIPHERTEXT_AT:], aad)
        except InvalidTag:
            raise BodyTampered(self.id) from None
