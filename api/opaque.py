"""Opaque ids, cursors and position tokens: meaningful in one tenant, for one kind only.

An id is a UUID under a pseudo-random permutation (one AES-128 block, key per tenant and kind), so
it is as short as the UUID and the id of another tenant or kind decodes to a UUID that nobody has.
Cursors and tokens are deterministic AES-SIV (RFC 5297), which refuses what it did not make.
"""

import base64
import binascii
import hmac
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from domain.kernel.refusal import NotFound
from schema.kernel.paging import CursorInvalid


class TokenInvalid(ValueError):
    """A cursor or position token that this tenant did not issue."""


class OpaqueIds:
    """The permutations of one tenant; `secret` is 32 bytes of the tenant's key."""

    def __init__(self, tenant: str, secret: bytes) -> None:
        self._tenant = tenant
        self._secret = secret
        self._encryptors: dict[str, CipherContext] = {}
        self._decryptors: dict[str, CipherContext] = {}
        self._siv = AESSIV(hmac.digest(secret, b"cursor", "sha256"))
        self._tag_key = hmac.digest(secret, f"tag\0{tenant}".encode(), "sha256")

    def hide(self, kind: str, ident: str) -> str:
        """22 characters of base64url behind the kind's name: `chart_...`."""
        encryptor = self._encryptors.get(kind)
        if encryptor is None:
            encryptor = self._encryptors[kind] = self._cipher(kind).encryptor()
        block = encryptor.update(bytes.fromhex(ident.replace("-", "")))
        return f"{kind}_{_short(block)}"

    def reveal(self, kind: str, opaque: str) -> str:
        """The UUID text. Raises NotFound for a text that is no id of this kind."""
        prefix, _, text = opaque.partition("_")
        try:
            block = base64.b64decode(text + "==", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise NotFound from None
        if prefix != kind or len(block) != 16:
            raise NotFound
        decryptor = self._decryptors.get(kind)
        if decryptor is None:
            decryptor = self._decryptors[kind] = self._cipher(kind).decryptor()
        return str(UUID(bytes=decryptor.update(block)))

    def seal(self, kind: str, text: str) -> str:
        """A token for the text."""
        sealed = self._siv.encrypt(text.encode(), [self._tenant.encode(), kind.encode()])
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def unseal(self, kind: str, token: str) -> str:
        """The text of a token. Raises TokenInvalid."""
        padded = token + "=" * (-len(token) % 4)
        try:
            sealed = base64.b64decode(padded, altchars=b"-_", validate=True)
            return self._siv.decrypt(sealed, [self._tenant.encode(), kind.encode()]).decode()
        except (binascii.Error, ValueError, InvalidTag):
            raise TokenInvalid from None

    def to_cursor(self, place: str) -> str:
        """An opaque cursor."""
        return self.seal("cursor", place)

    def from_cursor(self, cursor: str) -> str:
        """The place that a cursor stands for. Raises CursorInvalid."""
        try:
            return self.unseal("cursor", cursor)
        except TokenInvalid:
            raise CursorInvalid() from None

    def position_token(self, position: int) -> str:
        """An opaque token of a log position."""
        return self.seal("position", str(position))

    def position(self, token: str) -> int:
        """The log position of a token. Raises TokenInvalid."""
        try:
            return int(self.unseal("position", token))
        except ValueError:
            raise TokenInvalid from None

    def tag(self, account: str, content: bytes) -> str:
        """22 characters of base64url: a keyed hash of what an account is shown."""
        digest = hmac.digest(self._tag_key, account.encode() + b"\0" + content, "sha256")
        return _short(digest[:16])

    def _cipher(self, kind: str) -> Cipher[modes.ECB]:
        """One context serves every id of a kind: in ECB no block depends on an earlier one."""
        key = hmac.digest(self._secret, f"id\0{self._tenant}\0{kind}".encode(), "sha256")[:16]
        # A single block of random bits under a key of its own: ECB is the permutation itself.
        return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305


def _short(block: bytes) -> str:
    """16 bytes as 22 characters of base64url."""
    return binascii.b2a_base64(block, newline=False)[:22].translate(_URL_SAFE).decode()


_URL_SAFE = bytes.maketrans(b"+/", b"-_")
