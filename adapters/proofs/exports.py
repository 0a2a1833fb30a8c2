"""The file of an audit export, a JSON object a line: what it is of, heads, entries.

docs/kit/verify.py checks it offline and shares no code with this. An entry has everything that its
leaf is made of but the sealed body, of which it has the SHA-256: who did what to whom and when can
be read, and nothing of a record's content. Bytes are base64; header and context are the text of
their RFC 8785 bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from adapters.proofs.notes import Note

FORMAT = "anamnesis-audit/1"
RECEIPT = "anamnesis-receipt/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a file is of: the first line.

    `whole` says that the entries are all events up to the last head, in which case they need no
    paths; `events` counts them. `keys` are verifier keys as the exporter knows them.
    """

    format: str
    tenant: str
    keys: Sequence[str]
    selection: str
    whole: bool
    events: int
    made: str


@dataclass(frozen=True, slots=True)
class HeadLine:
    """A signed head, oldest first; `since` is its consistency path from the one before."""

    head: str
    since: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event; `at` is in microseconds since 1970 UTC, `path` leads to the last head's root."""

    position: int
    version: int
    at: int
    header: str
    context: str
    salt: bytes
    body: bytes
    leaf: bytes
    path: Sequence[bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReceipt:
    """Proof of one event for whoever it is about.

    `context`, which says who acted in which session, and `body` are their SHA-256 only; `proof` is
    a tlog-proof of C2SP. `key` is the verifier key as the log's keeper gives it.
    """

    format: str
    key: str
    position: int
    version: int
    at: int
    header: str
    context: bytes
    body: bytes
    proof: str


def line(part: Exported | HeadLine | Entry | EventReceipt) -> bytes:
    """A line of the file."""
    return msgspec.json.encode(part) + b"\n"


def head_line(note: Note, since: Sequence[bytes] = ()) -> bytes:
    """The line of a head."""
    return line(HeadLine(str(note), since))
