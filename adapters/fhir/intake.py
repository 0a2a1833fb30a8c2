"""What an import needs of the platform: the command path, objects, reservations and the id map."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domain.kernel.command import Command, Reserved
from domain.kernel.perform import Receipt
from domain.kernel.values import Source


@dataclass(frozen=True, slots=True)
class Known:
    """What the id map has of a resource: its stream, chart, version there, and received bytes.

    `label` is a keyed hash of the sensitive category that it stands in.
    """

    stream: str
    chart: str | None
    version: int
    digest: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A resource that is set aside: its stream, why, where its bytes lie, its full URL."""

    stream: str
    reason: str
    original: Source
    at: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Under:
    """Which key seals received bytes: whose (None: the organisation's), of which category.

    With `alone` it is one of their own below that, which is shredded with their item.
    """

    owner: str | None
    category: str = ""
    alone: bool = False


class Intake(Protocol):
    """The platform as an importing source sees it."""

    async def do(self, command: Command[Any], key: str) -> Receipt:
        """Perform the command under an idempotency key. Raises a Refusal."""

    async def keep(self, contents: Sequence[tuple[bytes, str]], under: Under) -> list[str]:
        """Store received bytes sealed, once.

        Each comes with a scope, which keeps equal bytes of different patients apart, so that each
        has its own object. Gives the ids of those that are new. Raises RecordErased.
        """

    async def discard(self, objects: Sequence[str]) -> None:
        """Let go of what was stored for something that is not filed."""

    async def trace(self, content: bytes, scope: str = "") -> tuple[str, str]:
        """Object id and keyed digest that `keep` gives these bytes; the same every time."""

    async def find(self, reserved: Reserved) -> str | None:
        """The stream id that a reserved value stands for, if any."""

    async def find_all(self, reserved: Sequence[Reserved]) -> Mapping[Reserved, str]:
        """The stream ids of those values that stand for a stream, in one round trip."""

    async def catch_up(self) -> None:
        """Wait (bounded) until the id map holds everything that is in the log now."""

    async def known(self, sources: Collection[tuple[str, str, str]]) -> Mapping[str, Known]:
        """The id map's rows of resources (system, type, id), by `system|type|id`; one query.

        A map that is behind lacks rows or has older ones; nothing depends on it but speed.
        """

    async def label(self, category: str) -> str:
        """The keyed hash of a sensitive category, as in `Known`."""

    async def waiting(self, reason: str | None = None) -> Sequence[Waiting]:
        """What is set aside, oldest first, waited for like `catch_up`."""

    async def aside(self, sources: Collection[tuple[str, str, str]]) -> Collection[str]:
        """Those of the resources that are set aside now, as `system|type|id`."""

    async def received(self, original: Source) -> bytes:
        """The bytes of a resource exactly as received."""
