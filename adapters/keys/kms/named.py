"""A root by its URL, as settings name it.

`aws-kms://eu-central-1/alias/anamnesis`, `vault://vault.example:8200/transit/anamnesis` (and
`vault+http://` for a Vault on this machine only), and
`gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K`.
"""

import re
from pathlib import Path
from typing import Final

from adapters.keys.kms.accounts import MachineAccount, ServiceAccount
from adapters.keys.kms.amazon import AmazonKms
from adapters.keys.kms.google import GoogleKms
from adapters.keys.kms.root import KmsRoot
from adapters.keys.kms.vault import VaultTransit

_AMAZON: Final = re.compile(r"aws-kms://([a-z0-9-]+)/([A-Za-z0-9/_:.-]+)")
_GOOGLE: Final = re.compile(
    r"gcp-kms://(projects/[^/?#]+/locations/[^/?#]+/keyRings/[^/?#]+/cryptoKeys/[^/?#]+)"
)
_VAULT: Final = re.compile(
    r"(vault|vault\+http)://([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(:\d+)?"
    r"((?:/[A-Za-z0-9_.-]+)+)/([A-Za-z0-9_.-]+)"
)
_HERE: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class RootUnclear(ValueError):
    """The URL names no root; the message says what one looks like."""


def root_of_url(url: str, credential: Path | None) -> KmsRoot:
    """The root of a URL. Raises RootUnclear.

    `credential` is Vault's token file, or a Google service account's key file; without one the
    machine's account asks Google. AWS' libraries find theirs.
    """
    if found := _AMAZON.fullmatch(url):
        return KmsRoot(url, AmazonKms(*found.groups()))
    if found := _GOOGLE.fullmatch(url):
        account = MachineAccount() if credential is None else ServiceAccount(credential)
        return KmsRoot(url, GoogleKms(found[1], account))
    if found := _VAULT.fullmatch(url):
        scheme, host, port, mount, key = found.groups()
        if scheme == "vault+http" and host not in _HERE:
            raise RootUnclear("vault+http:// is for 127.0.0.1 only: vault://host/transit/key")
        if credential is None:
            raise RootUnclear("ANAMNESIS_ROOT_CREDENTIAL names the file of Vault's token")
        protocol = "https" if scheme == "vault" else "http"
        address = f"{protocol}://{host}{port or ''}"
        return KmsRoot(url, VaultTransit(address, mount.strip("/"), key, credential))
    raise RootUnclear(
        "file, aws-kms://region/key, vault://host/transit/key or"
        " gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K"
    )
