"""Roots by their URLs, and the checksum against its published vectors."""

from pathlib import Path

import pytest

from adapters.keys.kms import RootUnclear, root_of_url
from adapters.keys.kms.checksum import crc32c


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # RFC 3720, appendix B.4, as numbers.
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_the_checksum_is_castagnolis(content: bytes, expected: int) -> None:
    assert crc32c(content) == expected


@pytest.mark.parametrize(
    "url",
    [
        "aws-kms://eu-central-1/alias/anamnesis",
        "aws-kms://us-gov-west-1/arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/1234abcd",
        "gcp-kms://projects/p/locations/global/keyRings/r/cryptoKeys/k",
        "vault://vault.example:8200/transit/anamnesis",
        "vault://vault.example/team/transit/anamnesis",
        "vault+http://127.0.0.1:8200/transit/anamnesis",
        "vault+http://[::1]:8200/transit/anamnesis",
    ],
)
def test_a_root_is_named_by_a_url(url: str) -> None:
    assert root_of_url(url, Path("token"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "aws-kms://region/key"),
        ("aws-kms://eu-central-1", "aws-kms://region/key"),
        ("gcp-kms://projects/p/cryptoKeys/k", "keyRings"),
        ("https://vault.example/transit/k", "vault://host/transit/key"),
        ("vault://vault.example/k", "vault://host/transit/key"),
        ("vault://user@vault.example/transit/k", "vault://host/transit/key"),
        ("vault+http://vault.example/transit/k", "127.0.0.1 only"),
    ],
)
def test_what_names_no_root_is_refused_with_what_does(url: str, said: str) -> None:
    with pytest.raises(RootUnclear, match=said):
        root_of_url(url, Path("token"))


def test_vault_needs_the_file_of_a_token() -> None:
    with pytest.raises(RootUnclear, match="ANAMNESIS_ROOT_CREDENTIAL"):
        root_of_url("vault://vault.example/transit/k", None)
