"""What the request engine asks of the context of one operation, and how that context says no.

The engine knows nothing of sessions, rules, rows or audit: it opens a context per request, hands
it to the resolvers, settles it before the answer leaves, and closes it.
"""

from collections.abc import Mapping
from typing import Protocol


class OperationContext(Protocol):
    """One operation of one caller; the `context` that resolvers receive."""

    @property
    def correlation(self) -> str:
        """The id a person may quote to support; it appears in errors and in the log."""

    def begin(self, operation: str) -> None:
        """Told once, before execution: the operation's name, or its document's hash."""

    async def wait_for(self, position_token: str) -> None:
        """Wait until reads include what the token stands for.

        Raises PositionInvalid for a token that is not ours, PositionTimeout when it is too new.
        """

    async def settle(self) -> Mapping[str, object]:
        """Commit the read audit and return the response extensions, JSON-encodable.

        Called once after execution; no byte of the answer has left. Raises AuditUnavailable.
        """

    def tag(self, encoded: bytes) -> str:
        """A short text that stands for these bytes before this caller, from a keyed hash.

        It goes into the ETag. A plain hash would let whoever reads headers try out guesses.
        """

    async def close(self) -> None:
        """Release what the operation held; called once, whatever happened before."""


class Unauthenticated(Exception):
    """The caller is not known: no token, or one that was refused.

    `reason_code` is for the log only; the answer is the same for every reason.
    """

    def __init__(self, reason_code: str) -> None:
        super().__init__(reason_code)
        self.reason_code = reason_code


class AuditUnavailable(Exception):
    """The read audit could not be committed, so nothing that was read may leave (503)."""

    def __init__(self, retry_after_s: int = 2) -> None:
        super().__init__("the read audit could not be committed")
        self.retry_after_s = retry_after_s


class NoChanges(Exception):
    """Nothing can be changed for a while, and reading goes on (503)."""

    def __init__(self, retry_after_s: int = 5) -> None:
        super().__init__("nothing can be changed")
        self.retry_after_s = retry_after_s


class Unreachable(Exception):
    """The database cannot be reached or asked; nothing was read or changed (503)."""

    def __init__(self, retry_after_s: int = 2) -> None:
        super().__init__("the database cannot be reached")
        self.retry_after_s = retry_after_s


class PositionTimeout(Exception):
    """Reads did not reach the requested position in time; the same request may be repeated."""

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__("the position was not reached in time")
        self.retry_after_s = retry_after_s


class PositionInvalid(Exception):
    """The position token was not issued by this tenant's log."""
