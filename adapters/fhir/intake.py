"""What an import needs of the platform: the command path, the object store and reservations."""

from typing import Any, Protocol

from domain.kernel.command import Command, Reserved
from domain.kernel.perform import Receipt


class Intake(Protocol):
    """The platform as an importing source sees it."""

    async def do(self, command: Command[Any], key: str) -> Receipt:
        """Perform the command under an idempotency key. Raises a Refusal."""

    async def keep(self, content: bytes, owner: str | None, scope: str = "") -> None:
        """Store received bytes sealed under the owner's key (None: the organisation's), once.

        `scope` keeps equal bytes of different patients apart, so that each has its own object.
        """

    async def trace(self, content: bytes, scope: str = "") -> tuple[str, str]:
        """Object id and keyed digest that `keep` gives these bytes; the same every time."""

    async def find(self, reserved: Reserved) -> str | None:
        """The stream id that a reserved value stands for, if any."""
