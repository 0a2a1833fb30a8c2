"""The trusted documents of our own clients: every file of schema/operations, by its id.

A file holds what one page asks for. Its id is `sha256:` and the SHA-256 of its bytes in hex
(appendix "Persisted Documents" of GraphQL over HTTP), so `sha256sum` tells it.
"""

import hashlib
from importlib.resources import files


def trusted_documents() -> dict[str, str]:
    """Id and text of each document."""
    folder = files("schema") / "operations"
    texts = (file.read_bytes() for file in folder.iterdir() if file.name.endswith(".graphql"))
    return {f"sha256:{hashlib.sha256(text).hexdigest()}": text.decode() for text in texts}
