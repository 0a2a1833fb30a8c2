"""Receipts: a file that proves one event of a log, offline.

Source: C2SP tlog-proof v1. It holds where the event stands, the path from its leaf to the root, and
the signed checkpoint of that root. A receipt shows hashes only: nothing of the event, and of no
other event either.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from adapters.proofs.notes import Checkpoint, Note, VerifierKey, decoded, encoded
from adapters.proofs.paths import includes

_FIRST = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
MOST_HASHES = 63


class ReceiptUnreadable(ValueError):
    """This is no receipt."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Leaf number `leaf` (position - 1) of the log whose checkpoint `head` is, and its path."""

    leaf: int
    path: tuple[bytes, ...]
    head: Note

    def __str__(self) -> str:
        hashes = "".join(f"{encoded(one)}\n" for one in self.path)
        return f"{_FIRST}\nindex {self.leaf}\n{hashes}\n{self.head}"

    @classmethod
    def of(cls, written: str) -> "Receipt":
        """The receipt of a file. Raises ReceiptUnreadable."""
        above, found, head = written.partition("\n\n")
        first, *lines = above.split("\n")
        if lines and lines[0].startswith("extra "):
            # Nobody signed it, so it says nothing.
            lines = lines[1:]
        index = _INDEX.fullmatch(lines[0]) if lines else None
        hashes = lines[1:]
        if not found or first != _FIRST or index is None or len(hashes) > MOST_HASHES:
            raise ReceiptUnreadable
        try:
            return cls(int(index[1]), tuple(map(decoded, hashes)), Note.of(head))
        except ValueError as error:
            raise ReceiptUnreadable from error

    def proves(self, leaf: bytes, keys: Iterable[VerifierKey]) -> Checkpoint | None:
        """The signed head that the leaf hash is in; None where the receipt does not prove it.

        Raises NoteRefused where no known key signed the head, and NoteUnreadable.
        """
        self.head.check(keys)
        head = Checkpoint.of(self.head.text)
        return head if includes(head.root, head.size, self.leaf, leaf, self.path) else None
