"""Rows of the log, opened under the key tree. A destroyed key gives `Erased`."""

from collections.abc import Sequence

import asyncpg

from adapters import codec
from adapters.keys.refused import KeyDestroyed
from adapters.keys.seal import DataKey
from adapters.keys.tree import Found, KeyTree
from domain.kernel.event import Recorded


async def open_events(tenant: str, rows: Sequence[asyncpg.Record], keys: KeyTree) -> list[Recorded]:
    """The events of rows (position, version, committed_at, header, context, body), in order.

    Raises KeyMissing, and KeyCommitmentMismatch or BodyTampered for a body that is not the one
    that was sealed under this header.
    """
    headers = [codec.decode_header(row["header"]) for row in rows]
    found = await keys.by_ids(tenant, {header.key for header in headers})
    return [
        codec.recorded(
            position=row["position"],
            version=row["version"],
            committed_at=row["committed_at"],
            header=header,
            context=row["context"],
            body=opened_body(found[header.key], row["body"], row["header"]),
        )
        for row, header in zip(rows, headers, strict=True)
    ]


def opened_body(key: Found, body: bytes, aad: bytes) -> bytes | None:
    """The plaintext, or None when the key is destroyed. Raises KeyMissing and tampering errors."""
    if isinstance(key, DataKey):
        return key.open(body, aad)
    if isinstance(key, KeyDestroyed):
        return None
    raise key
