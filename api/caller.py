"""Who sent a request: the bearer of a token, verified once, or nobody at some address."""

from ipaddress import IPv4Address, ip_address, ip_network

from starlette.types import Scope

from api.auth.tokens import Claims, TokenRejected, TokenVerifier
from api.graphql import Unauthenticated

_KNOWN = "anamnesis.caller"
_PREFIX_BITS = {4: 24, 6: 56}
"""What one subscriber of a network usually holds."""


def claims_of(scope: Scope, verifier: TokenVerifier) -> Claims:
    """The claims of the request's bearer token. Raises Unauthenticated."""
    if _KNOWN not in scope:
        scope[_KNOWN] = _verified(scope, verifier)
    known: Claims | str = scope[_KNOWN]
    if isinstance(known, str):
        raise Unauthenticated(known)
    return known


def _verified(scope: Scope, verifier: TokenVerifier) -> Claims | str:
    """The claims, or why there are none; two authorization headers are none."""
    given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    scheme, _, token = b"".join(given[:2]).decode("latin-1").strip().partition(" ")
    if len(given) != 1 or scheme.lower() != "bearer" or not token:
        return "no-token"
    try:
        return verifier.verify(token)
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
