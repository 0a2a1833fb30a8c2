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
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
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
        self._ciphers: dict[str, Cipher[modes.ECB]] = {}
        self._siv = AESSIV(hmac.digest(secret, b"cursor", "sha256"))
        self._tag_key = hmac.digest(secret, f"tag\0{tenant}".encode(), "sha256")

    def hide(self, kind: str, ident: str) -> str:
        """22 characters of base64url behind the kind's name: `chart_...`."""
        block = self._cipher(kind).encryptor().update(UUID(ident).bytes)
        return f"{kind}_{base64.urlsafe_b64encode(block)[:22].decode()}"

    def reveal(self, kind: str, opaque: str) -> str:
        """The UUID text. Raises NotFound for a text that is no id of this kind."""
        prefix, _, text = opaque.partition("_")
        try:
            block = base64.b64decode(text + "==", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise NotFound from None
        if prefix != kind or len(block) != 16:
            raise NotFound
        return str(UUID(bytes=self._cipher(kind).decryptor().update(block)))

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
        return base64.urlsafe_b64encode(digest[:16])[:22].decode()

    def _cipher(self, kind: str) -> Cipher[modes.ECB]:
        if kind not in self._ciphers:
            key = hmac.digest(self._secret, f"id\0{self._tenant}\0{kind}".encode(), "sha256")[:16]
            # A single block of random bits under a key of its own: ECB is the permutation itself.
            self._ciphers[kind] = Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305
        return self._ciphers[kind]
