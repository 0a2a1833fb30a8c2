"""Roots in a key management service: AWS KMS, Google Cloud KMS, Vault's transit engine."""

from adapters.keys.kms.named import RootUnclear, root_of_url
from adapters.keys.kms.root import Cipher, KmsRoot

__all__ = ["Cipher", "KmsRoot", "RootUnclear", "root_of_url"]
