"""The rows of appends, sealed beforehand, for references that write them by themselves."""

import os
from hashlib import sha256

from adapters import codec
from adapters.keys.seal import DataKey
from adapters.postgres.writer import SealedCommand, SealedEvent
from bench.wishes import fresh_id
from domain.kernel.event import Header
from domain.kernel.log import Append

SALT_BYTES = 16


def sealed(wish: Append, key: DataKey) -> SealedCommand:
    """The wish as `PostgresLog.append` hands it to the writer, byte for byte in its sizes."""
    events = []
    for draft in wish.drafts:
        kind = type(draft.event)
        header = codec.encode_header(
            Header(
                event=fresh_id(),
                command=wish.command.hex(),
                tenant=wish.tenant,
                stream=draft.stream,
                type=kind.type_name,
                version=kind.type_version,
                key=key.id,
                chart=draft.chart,
            )
        )
        body = key.seal(codec.encode_body(draft.event), header)
        context, salt = codec.encode_context(wish.context), os.urandom(SALT_BYTES)
        events.append(
            SealedEvent(draft.stream, kind.type_name, key.id, header, context, salt, body)
        )
    return SealedCommand(
        tenant=wish.tenant,
        id=wish.command,
        fingerprint=wish.fingerprint,
        outcome=None,
        withdraws=False,
        events=tuple(events),
        expected=tuple((e.stream, e.version) for e in wish.expected),
        relied=(),
        reservations=(),
    )


def leaf(event: SealedEvent, position: int, version: int) -> bytes:
    """A leaf hash computed beforehand; its time of commit is not known yet and stands as zero."""
    numbers = b"".join(n.to_bytes(8, "big") for n in (position, version, 0))
    parts = (event.header, event.salt + event.context, event.body)
    return sha256(b"\0" + numbers + b"".join(sha256(part).digest() for part in parts)).digest()
