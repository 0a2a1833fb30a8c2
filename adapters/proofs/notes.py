"""Signed notes, and checkpoints of a log as notes, so that foreign tools can check them.

Source: C2SP signed-note v1.0.0, tlog-checkpoint v1.0.0, tlog-cosignature; Ed25519 of RFC 8032. A
note is a text with lines of signatures below. A checkpoint's text is origin, size and root of a
log; a log signs it, a witness cosigns it with the time.
"""

import base64
import binascii
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNED, COSIGNED = 0x01, 0x04
"""Types of signatures: over the text, and over the text with a time."""
MOST_SIGNATURES = 64
MOST_BYTES = 64 * 1024
_NAME = re.compile(r"[^\s+]+")
_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_TIME = struct.Struct(">Q")


class NoteUnreadable(ValueError):
    """This is no signed note, or its text is no checkpoint."""


class NoteRefused(Exception):
    """No known key signed this note, or a known key's signature is wrong. Do not use its text."""


class NameInvalid(ValueError):
    """A key's name has neither spaces nor plus signs. Choose one such as witness.example/w1."""


class KeyUnreadable(ValueError):
    """This is no verifier key. It has the form name+hash+key."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name and the type of its signatures."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell which key a signature is to be checked with."""
        return sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """As it is given to others."""
        return f"{self.name}+{self.id.hex()}+{encoded(bytes([self.kind]) + self.public)}"

    @classmethod
    def of(cls, text: str) -> "VerifierKey":
        """The key of its text. Raises KeyUnreadable."""
        name, _, rest = text.strip().partition("+")
        ident, _, key_text = rest.partition("+")
        try:
            kind, public = (raw := decoded(key_text))[0], raw[1:]
        except (ValueError, IndexError):
            raise KeyUnreadable from None
        key = cls(name, kind, public)
        known = kind in (SIGNED, COSIGNED) and len(public) == 32 and _NAME.fullmatch(name)
        if not known or key.id.hex() != ident:
            raise KeyUnreadable
        return key

    def check(self, text: str, signature: bytes) -> int | None:
        """The time of a cosignature, in seconds since 1970. Raises NoteRefused."""
        message, at = text.encode(), None
        if self.kind == COSIGNED:
            if len(signature) < _TIME.size:
                raise NoteRefused
            (at,) = _TIME.unpack(signature[: _TIME.size])
            message, signature = _timed(text, at), signature[_TIME.size :]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            raise NoteRefused from None
        return at


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A private key under a name. Raises NameInvalid for one that no note can have."""

    name: str
    private: Ed25519PrivateKey

    def __post_init__(self) -> None:
        """What cannot be read again must not be signed."""
        if not _NAME.fullmatch(self.name):
            raise NameInvalid(self.name)

    def verifier(self, kind: int = SIGNED) -> VerifierKey:
        """What checks the signatures of this key."""
        return VerifierKey(self.name, kind, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> "Signature":
        """A signature over a text."""
        signed = self.private.sign(text.encode())
        return Signature(self.name, self.verifier().id, signed)

    def cosign(self, text: str, at: int) -> "Signature":
        """A signature over a text and the time, in seconds since 1970."""
        signed = _TIME.pack(at) + self.private.sign(_timed(text, at))
        return Signature(self.name, self.verifier(COSIGNED).id, signed)


@dataclass(frozen=True, slots=True)
class Signature:
    """A line below a note."""

    name: str
    key: bytes
    signed: bytes

    @property
    def line(self) -> str:
        """As it stands in the note, without the end of the line."""
        return f"— {self.name} {encoded(self.key + self.signed)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends in a newline, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return f"{self.text}\n" + "".join(f"{one.line}\n" for one in self.signatures)

    @classmethod
    def of(cls, written: str) -> "Note":
        """The note of what was written. Raises NoteUnreadable."""
        if len(written) > MOST_BYTES or _CONTROL.search(written) or not written.endswith("\n"):
            raise NoteUnreadable
        text, found, below = written.rpartition("\n\n")
        lines = below.removesuffix("\n").split("\n")
        if not found or len(lines) > MOST_SIGNATURES:
            raise NoteUnreadable
        return cls(f"{text}\n", tuple(map(_signature, lines)))

    def check(self, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int | None]:
        """The keys that signed the text, with the time of those that cosigned.

        Signatures of other keys say nothing. Raises NoteRefused.
        """
        known = {(key.name, key.id): key for key in keys}
        signed: dict[VerifierKey, int | None] = {}
        for one in self.signatures:
            key = known.get((one.name, one.key))
            if key is not None:
                signed[key] = key.check(self.text, one.signed)
        if not signed:
            raise NoteRefused
        return signed


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: how many events, and the root (32 bytes, RFC 6962) of their tree."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text of its note."""
        return f"{self.origin}\n{self.size}\n{encoded(self.root)}\n"

    @classmethod
    def of(cls, text: str) -> "Checkpoint":
        """The head that a text tells; what follows is left to others. Raises NoteUnreadable."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines) or not _NUMBER.fullmatch(lines[1]):
            raise NoteUnreadable
        try:
            root = decoded(lines[2])
        except ValueError:
            raise NoteUnreadable from None
        if len(root) != 32:
            raise NoteUnreadable
        return cls(lines[0], int(lines[1]), root)

    def signed(self, key: NoteKey) -> Note:
        """Its note under a log's key."""
        return Note(self.text, (key.sign(self.text),))


def _timed(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _signature(line: str) -> Signature:
    parts = _LINE.fullmatch(line)
    try:
        raw = decoded(parts[2]) if parts else b""
    except ValueError:
        raw = b""
    if parts is None or len(raw) <= 4:
        raise NoteUnreadable
    return Signature(parts[1], raw[:4], raw[4:])


def encoded(raw: bytes) -> str:
    """Base64 as RFC 4648 section 4 writes it."""
    return base64.b64encode(raw).decode()


def decoded(text: str) -> bytes:
    """The bytes of base64 as only one text writes them. Raises ValueError."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
    if encoded(raw) != text:
        raise ValueError("not the one way to write it")
    return raw
