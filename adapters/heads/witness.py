"""A witness: cosigns heads of logs it knows, each only if it goes on from the one before.

Source: C2SP tlog-witness v1, `add-checkpoint`. Whoever shows two histories to two people would need
two cosigned heads, and a witness signs one line of heads only. It belongs on somebody else's
machine; what it keeps is one signed head per log.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from adapters.keys.files import replace
from adapters.proofs.notes import (
    COSIGNED,
    Checkpoint,
    Note,
    NoteKey,
    NoteRefused,
    NoteUnreadable,
    VerifierKey,
    decoded,
    encoded,
)
from adapters.proofs.paths import extends

MOST_HASHES = 63
MOST_BYTES = 128 * 1024
SIZE_TYPE = "text/x.tlog.size"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


class WitnessDamaged(Exception):
    """A head that this witness kept is damaged. It must not sign for that log any more: restore the
    file, or retire the witness and begin another one under another name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: an HTTP status, a text, and its media type."""

    status: int
    text: str
    media_type: str = "text/plain"


class Witness:
    """Cosigns under one key. Requests are answered one at a time: check and record are one step."""

    def __init__(
        self, key: NoteKey, logs: Iterable[VerifierKey], folder: Path, clock: Callable[[], float]
    ) -> None:
        """`logs` are the keys of known logs, whose names are their origins; `clock` tells seconds
        since 1970.
        """
        self._key = key
        self._logs = {log.name: log for log in logs}
        self._folder = folder
        self._clock = clock
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add(self, body: str) -> Answer:
        """The answer to an add-checkpoint request. Raises WitnessDamaged."""
        try:
            old, path, note = _request(body)
            head = Checkpoint.of(note.text)
        except (ValueError, NoteUnreadable):
            return Answer(400, "This is no add-checkpoint request.\n")
        log = self._logs.get(head.origin)
        if log is None:
            return Answer(404, "This log is not known here.\n")
        try:
            note.check([log])
        except NoteRefused:
            return Answer(403, "The log's key did not sign this head.\n")
        if old > head.size:
            return Answer(400, "The old size is beyond the head.\n")
        return self._go_on(log, old, path, head)

    def _go_on(self, log: VerifierKey, old: int, path: list[bytes], head: Checkpoint) -> Answer:
        known = self._known(log)
        size = known.size if known else 0
        if size == 0:
            # From an empty log everything goes on, and no path can say so.
            known = None
        if old != size:
            return Answer(409, f"{size}\n", SIZE_TYPE)
        if known and head.size == known.size and head.root != known.root:
            return Answer(409, f"{size}\n", SIZE_TYPE)
        if known and not extends(known.root, known.size, head.root, head.size, path):
            return Answer(422, "The head does not go on from the one before.\n")
        if not known and path:
            return Answer(422, "From nothing there is no path.\n")
        cosigned = self._key.cosign(head.text, int(self._clock()))
        replace(self._file(head.origin), str(Note(head.text, (cosigned,))).encode())
        return Answer(200, f"{cosigned.line}\n")

    def _known(self, log: VerifierKey) -> Checkpoint | None:
        """The head that was cosigned last."""
        try:
            note = Note.of(self._file(log.name).read_text("utf-8"))
            note.check([self._key.verifier(COSIGNED)])
            head = Checkpoint.of(note.text)
        except FileNotFoundError:
            return None
        except (NoteUnreadable, NoteRefused, UnicodeError):
            raise WitnessDamaged(log.name) from None
        if head.origin != log.name:
            raise WitnessDamaged(log.name)
        return head

    def _file(self, origin: str) -> Path:
        return self._folder / f"{sha256(origin.encode()).hexdigest()[:32]}.note"


def _request(body: str) -> tuple[int, list[bytes], Note]:
    """Old size, path and note. Raises ValueError and NoteUnreadable."""
    above, found, note = body.partition("\n\n")
    first, *hashes = above.split("\n")
    old = _OLD.fullmatch(first)
    if not found or old is None or len(hashes) > MOST_HASHES:
        raise ValueError
    path = [decoded(line) for line in hashes]
    if any(len(one) != 32 for one in path):
        raise ValueError
    return int(old[1]), path, Note.of(note)


def request_of(old: int, path: Iterable[bytes], note: Note) -> str:
    """The body of an add-checkpoint request."""
    lines = "".join(f"{encoded(one)}\n" for one in path)
    return f"old {old}\n{lines}\n{note}"
