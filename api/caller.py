"""Who sent a request: the bearer of a token, verified once, or nobody at some address."""

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from ipaddress import IPv4Address, ip_address, ip_network

from starlette.types import Scope

from api.auth.tokens import Claims, TokenRejected, TokenVerifier
from api.graphql import Unauthenticated

_KNOWN = "anamnesis.caller"
MOST_TOKENS = 4_096
_PREFIX_BITS = {4: 24, 6: 56}
"""What one subscriber of a network usually holds."""


class Bearers:
    """Verifies a token once for as long as it lives; the newest MOST_TOKENS are remembered.

    By a digest, so that no token is kept.
    """

    def __init__(self, verifier: TokenVerifier, clock: Callable[[], float] = time.time) -> None:
        self._verifier = verifier
        self._clock = clock
        self._known: OrderedDict[bytes, Claims] = OrderedDict()

    def verify(self, token: str) -> Claims:
        """What the token says. Raises TokenRejected."""
        digest = sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and self._clock() < known.expires_at:
            return known
        self._known.pop(digest, None)
        claims = self._known[digest] = self._verifier.verify(token)
        if len(self._known) > MOST_TOKENS:
            self._known.popitem(last=False)
        return claims


def claims_of(scope: Scope, bearers: Bearers) -> Claims:
    """The claims of the request's bearer token. Raises Unauthenticated."""
    if _KNOWN not in scope:
        scope[_KNOWN] = _verified(scope, bearers)
    known: Claims | str = scope[_KNOWN]
    if isinstance(known, str):
        raise Unauthenticated(known)
    return known


def _verified(scope: Scope, bearers: Bearers) -> Claims | str:
    """The claims, or why there are none; two authorization headers are none."""
    # Names are in small letters already: ASGI says so.
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, token = b"".join(given[:1]).decode("latin-1").strip().partition(" ")
    if len(given) != 1 or scheme.lower() != "bearer" or not token:
        return "no-token"
    try:
        return bearers.verify(token)
    except TokenRejected as error:
        return error.code


def neighbourhood(scope: Scope) -> str:
    """The address prefix that a request comes from: /24 of IPv4, /56 of IPv6.

    Behind a proxy it is the proxy's, unless the server is told to trust the proxy's header.
    """
    client = scope.get("client")
    try:
        address = ip_address(client[0] if client else "")
    except ValueError:
        return "elsewhere"
    mapped = getattr(address, "ipv4_mapped", None)
    if isinstance(mapped, IPv4Address):
        address = mapped
    return str(ip_network((address, _PREFIX_BITS[address.version]), strict=False))
